package test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// jssip is JsSIP, and what it needs.
var jssip = []testkit.NPMPackage{
	{Name: "jssip", Version: "3.10.1", SHA256: "827db4685dfe2cebfbafd6dcfa88240c3ce7ede484529011ae3ea8e62934d6a1"},
	{Name: "debug", Version: "4.3.4", SHA256: "04922c9b2e37a6858df2b870a278d1d3a8aaad7ec4c3bd84427f0d53cbf28bcf"},
	{Name: "ms", Version: "2.1.2", SHA256: "1157a6e30d3ffe1b9fcaf3a39caf159f8dc981199a3380c78ddd89f73bcefb48"},
	{Name: "events", Version: "3.3.0", SHA256: "2c30dd630b58299bdfaac8688f763c6f312d29779c500b1e3701a1d4fb3b534b"},
	{Name: "sdp-transform", Version: "2.14.1", SHA256: "4d1c6475b38411099e99a750028569b4dc01c04504d996cfe2412321eb59543b"},
}

// jssipParts are the files of those that run in a page, by how their names begin.
var jssipParts = []string{"jssip/package.json", "jssip/lib-es5/", "debug/src/browser.js", "debug/src/common.js", "ms/index.js", "events/events.js", "sdp-transform/lib/"}

var (
	//go:embed testdata/jssip/modules.js
	jssipModules []byte
	//go:embed testdata/jssip/phone.html
	jssipPhone []byte
)

// jssipSite is a site whose page is a phone of JsSIP's.
func jssipSite(t *testing.T) *httptest.Server {
	t.Helper()
	files := testkit.FetchNPM(t, jssip...)
	var script bytes.Buffer
	script.WriteString("const modules = {\n")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !slices.ContainsFunc(jssipParts, func(part string) bool { return strings.HasPrefix(name, part) }) {
			continue
		}
		text := string(files[name])
		if strings.HasSuffix(name, ".json") {
			text = "module.exports = " + text
		}
		fmt.Fprintf(&script, "%s: function (require, module, exports) {%s\n},\n", strconv.Quote(name), text)
	}
	script.WriteString("}\n")
	script.Write(jssipModules)
	serve := func(kind string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind+"; charset=utf-8")
			_, _ = w.Write(body)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/phone", serve("text/html", jssipPhone))
	mux.HandleFunc("/jssip.js", serve("text/javascript", script.Bytes()))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return site
}

// jssipAgent opens the page at a site, as an agent's phone that connects to a WebSocket.
func jssipAgent(browser *testkit.Browser, site, socket, id string) *testkit.Page {
	return browser.Open(site + "/phone?" + url.Values{"url": {socket}, "user": {id}, "password": {passwords[id]}}.Encode())
}

// jssipSeen is how often the page saw what.
type jssipSeen struct{ Connected, Disconnected, Registered, Grants, Options, CRLF int }

func seenBy(t *testing.T, page *testkit.Page) (s jssipSeen) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(page.Text("#seen")), &s))
	return s
}
