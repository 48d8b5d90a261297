package test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// pagePhone registers as a page does: over a WebSocket, from an address that means nothing to anybody. It shows what came of
// it, and answers each OPTIONS.
const pagePhone = `<!DOCTYPE html><title>phone</title><p id="said">...</p><p id="pings">...</p><script>
const say = (where, text) => { document.getElementById(where).textContent = text }
const phone = new WebSocket("ws://%s/ws", "sip")
const digest = %s
let seq = 0, id = "page" + Math.random()
const register = (more) => phone.send(["REGISTER sip:hotline SIP/2.0",
	"Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKpage" + seq, "Max-Forwards: 70",
	"From: <sip:8002@hotline>;tag=page", "To: <sip:8002@hotline>", "Call-ID: " + id, "CSeq: " + ++seq + " REGISTER",
	"Contact: <sip:page@df7jal23ls0d.invalid;transport=ws>;expires=300", ...more, "Content-Length: 0", "", ""].join("\r\n"))
phone.onopen = () => register([])
phone.onclose = (e) => say("said", e.wasClean ? "closed" : "torn")
let pings = 0
phone.onmessage = async (e) => {
	const lines = e.data.split("\r\n"), all = (name) => lines.filter((l) => l.toLowerCase().startsWith(name + ":"))
	if (lines[0].startsWith("OPTIONS sip:page@df7jal23ls0d.invalid")) {
		phone.send(["SIP/2.0 200 OK", ...all("via"), ...all("from"), ...all("to"), ...all("call-id"), ...all("cseq"),
			"Content-Length: 0", "", ""].join("\r\n"))
		say("pings", ++pings + " pings")
	} else if (lines[0] === "SIP/2.0 401 Unauthorized" && seq === 1) {
		const nonce = /nonce="([^"]*)"/.exec(e.data)[1]
		register([await digest(nonce)])
	} else {
		say("said", lines[0])
	}
}
</script>`

// sha256 is the digest of RFC 8760, by what every browser has; only pages of this machine or over https may.
const sha256 = `async (nonce) => {
	const h = async (text) => Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
		(b) => b.toString(16).padStart(2, "0")).join("")
	const response = await h([await h("8002:hotline:%s"), nonce, "00000001", "page", "auth", await h("REGISTER:sip:hotline")].join(":"))
	return 'Authorization: Digest username="8002", realm="hotline", nonce="' + nonce + '", uri="sip:hotline", algorithm=SHA-256, ' +
		'qop=auth, nc=00000001, cnonce="page", response="' + response + '"'
}`

// TestPageRegisters: a page in Chromium registers over a WebSocket, is reached by pings, and is gone when it closes it. A page of another site is
// not let in.
func TestPageRegisters(t *testing.T) {
	t.Parallel()
	var page string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, page)
	}))
	t.Cleanup(site.Close)
	h := testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(city, "password: two,", "password: two, digest: [sha-256],", 1), Race: true, Ping: "1s", Origin: site.URL,
	})
	page = fmt.Sprintf(pagePhone, h.WS, fmt.Sprintf(sha256, passwords["8002"]))
	browser := testkit.StartBrowser(t)
	phone := browser.Open(site.URL)
	testkit.Within(t, testkit.Patience, "the page to register", func() bool { return phone.Text("#said") == "SIP/2.0 200 OK" })
	h.AwaitAgent("8002", "ready")
	testkit.Within(t, testkit.Patience, "the page to be pinged", func() bool { return phone.Text("#pings") >= "2 pings" })
	phone.Reload() // which ends the WebSocket, and makes another
	testkit.Within(t, testkit.Patience, "the page to register anew", func() bool { return phone.Text("#said") == "SIP/2.0 200 OK" })
	h.AwaitAgent("8002", "ready")
	require.Contains(t, h.Log(), `"transport":"WS"`)
	phone.Until("to close its WebSocket", "(phone.close(), phone.readyState === WebSocket.CLOSED)")
	require.Equal(t, "closed", phone.Text("#said"), "good-bye was answered")
	h.AwaitAgent("8002", "offline")

	stranger := browser.Open(strings.Replace(site.URL, "127.0.0.1", "localhost", 1)) // another site
	testkit.Within(t, testkit.Patience, "another site's page to be refused", func() bool { return stranger.Text("#said") == "torn" })
}
