package config

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"
)

// Keys of a listener.
const (
	keyCertificate = "certificate"
	keyKey         = "key"
	keyPath        = "path"
	keyOrigins     = "origins"
)

// defaultPath is what a WebSocket asks for where nothing else is said.
const defaultPath = "/ws"

var wsPathShape = shape{regexp.MustCompile(`^/[A-Za-z0-9._~/-]{0,199}$`), "a path of a URL, such as /ws"}

// usualPorts are those that browsers leave out of a site's name.
var usualPorts = map[string]string{keyHTTP: "80", "https": "443"}

const wantOrigin = "the site of a page, such as https://desk.example"

// listener takes udp://a:p, or {address: udp://a:p, advertise: a}; with TLS the latter, with certificate and key; for
// WebSockets with path and origins.
func (v value) listener() (l Listener, ok bool) {
	l, ok = v.listens(wantListen, value.uri, func(l *Listener) []field {
		return []field{
			{keyCertificate, func(v value) { v.text(&l.Certificate, pathShape) }},
			{keyKey, func(v value) { v.text(&l.Key, pathShape) }},
			{keyPath, func(v value) { v.text(&l.Path, wsPathShape) }},
			{keyOrigins, func(v value) {
				v.items("a list of sites", func(_ int, item value) { item.origin(&l.Origins) })
			}},
		}
	})
	if !ok {
		return l, ok
	}
	at := l.Network + "://" + l.Address.String()
	check := func(key string, given, applies, needed bool, forWhat, want string) {
		switch path := v.path + "." + key; {
		case v.r.broken[path]:
		case needed && !given:
			v.problem(quote(at)+" without "+key, want)
		case given && !applies:
			v.r.report(path, key+" for "+l.Network, forWhat+", or no "+key)
		}
	}
	files := "{address: " + at + ", certificate: FILE, key: FILE}, both PEM"
	check(keyCertificate, l.Certificate != "", l.Secured(), l.Secured(), "tls or wss", files)
	check(keyKey, l.Key != "", l.Secured(), l.Secured(), "tls or wss", files)
	check(keyAdvertise, l.AdvertiseName != "", l.Secured(), false, "an IP address, since a name is for tls or wss, whose certificate is of it", "")
	check(keyPath, l.Path != "", l.webSocket(), false, "ws or wss", "")
	check(keyOrigins, len(l.Origins) > 0, l.webSocket(), l.webSocket(), "ws or wss",
		"origins: [the sites whose pages may register, such as https://desk.example]")
	if l.webSocket() {
		l.Path = cmp.Or(l.Path, defaultPath)
	}
	return l, ok
}

func (l Listener) webSocket() bool { return l.Network == ws || l.Network == wss }

// origin takes the site of a page as browsers name it (RFC 6454 section 6.2): a scheme, a host, and a port that is not the
// scheme's own.
func (v value) origin(dst *[]string) {
	text, ok := v.scalar(wantOrigin)
	if !ok {
		return
	}
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || usualPorts[u.Scheme] == "" || u.Hostname() == "" || u.Scheme+"://"+u.Host != strings.ToLower(text) ||
		u.Port() == usualPorts[u.Scheme] || strings.ContainsAny(u.Host, "*,") {
		v.problem(v.found(), wantOrigin+", without a path, and without the port that the scheme means")
		return
	}
	*dst = append(*dst, u.Scheme+"://"+u.Host)
}
