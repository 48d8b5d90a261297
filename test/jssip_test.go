package test

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestJsSIP: a page with JsSIP, in Chromium, registers over WS and WSS; is kept by pings of both sides while nobody touches
// it, and by renewals; and is there again after the hotline was killed and started anew.
func TestJsSIP(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"ws", "wss"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			site := jssipSite(t)
			_, cert, key := testkit.Certificate(t)
			h := testkit.StartHotline(t, testkit.HotlineOptions{
				YAML: city, Race: true, Ping: "1s", Expires: "10s", Origin: site.URL, Certificate: cert, Key: key,
			})
			socket := "ws://" + h.WS + "/ws"
			if network == "wss" {
				socket = "wss://" + h.WSS + "/ws"
			}
			browser := testkit.StartBrowser(t, testkit.AnyCertificate)
			page := jssipAgent(browser, site.URL, socket, "8002")
			page.Shows("#state", "registered")
			h.AwaitAgent("8002", "ready")
			require.Contains(t, h.Log(), fmt.Sprintf(`"transport":%q`, strings.ToUpper(network)))

			// Its registration lasts 10 s, and is renewed after 5.
			page.Until("to be pinged, and to renew", "seen.options >= 4 && seen.grants >= 2")
			page.Do("crlf()")
			page.Until("to be answered its ping (RFC 7118 section 6)", "seen.crlf === 1")
			require.Equal(t, "ready", state(h, "8002"))
			s := seenBy(t, page)
			require.Equal(t, []int{1, 0, 1}, []int{s.Connected, s.Disconnected, s.Registered}, "it was one connection all the time")
			if network == "wss" {
				certificateUnderWSS(t, h, site.URL, browser, page, cert, key)
			}

			h.Kill()
			page.Shows("#state", "disconnected")
			h.Start()
			page.Shows("#state", "registered")
			h.AwaitAgent("8002", "ready")
			before := seenBy(t, page).Options
			page.Until("to be pinged anew", fmt.Sprintf("seen.options >= %d", before+2))
			page.Do("ua.stop()")
			h.AwaitAgent("8002", "offline")
			h.AwaitLog("unregistered")
		})
	}
}

// certificateUnderWSS puts another certificate in the place of the one that a page's connection has begun with: the page stays,
// and who comes then is shown the new one.
func certificateUnderWSS(t *testing.T, h *testkit.Hotline, site string, browser *testkit.Browser, page *testkit.Page, cert, key string) {
	t.Helper()
	first := shownAt(t, h.WSS)
	exchangeCertificate(t, h, cert, key)
	wanted, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	require.NotEqual(t, first, shownAt(t, h.WSS))
	require.Equal(t, wanted.Certificate[0], shownAt(t, h.WSS))

	late := jssipAgent(browser, site, "wss://"+h.WSS+"/ws", "8003")
	late.Shows("#state", "registered")
	h.AwaitAgent("8003", "ready")
	before := seenBy(t, page)
	page.Until("to be pinged under the old certificate", fmt.Sprintf("seen.options >= %d", before.Options+2))
	s := seenBy(t, page)
	require.Equal(t, []int{1, 0}, []int{s.Connected, s.Disconnected})
	require.Equal(t, "ready", state(h, "8002"))
}

// shownAt is the certificate (DER) that a listener shows to who connects now.
func shownAt(t *testing.T, addr string) []byte {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // it is looked at here
	c, err := d.DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer c.Close()                                                //nolint:errcheck // nothing was written
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw //nolint:forcetypeassert // of a tls.Dialer it is one
}

// TestPageRefused: a page that asks for another path, comes from another site, or does not speak SIP is refused before
// anything of it is taken for SIP, over WS and WSS; JsSIP tries again and again, to no avail.
func TestPageRefused(t *testing.T) {
	t.Parallel()
	site := jssipSite(t)
	_, cert, key := testkit.Certificate(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Origin: site.URL, Certificate: cert, Key: key})
	browser := testkit.StartBrowser(t, testkit.AnyCertificate)
	foreign := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	for name, try := range map[string]struct{ site, socket string }{
		"another path, WS":  {site.URL, "ws://" + h.WS + "/sip"},
		"another path, WSS": {site.URL, "wss://" + h.WSS + "/sip"},
		"another site, WS":  {foreign, "ws://" + h.WS + "/ws"},
		"another site, WSS": {foreign, "wss://" + h.WSS + "/ws"},
	} {
		page := jssipAgent(browser, try.site, try.socket, "8002")
		page.Until(name+": to be refused twice", "seen.disconnected >= 2")
		require.Zero(t, seenBy(t, page).Connected, name)
		page.Do("ua.stop()")
	}
	page := jssipAgent(browser, site.URL, "ws://"+h.WS+"/sip", "8002")
	for _, socket := range []string{"ws://" + h.WS + "/ws", "wss://" + h.WSS + "/ws"} {
		for _, subprotocols := range []string{"[]", "['chat']"} {
			page.Do(fmt.Sprintf("window.bare = new WebSocket(%q, %s), bare.onopen = () => { window.opened = true }", socket, subprotocols))
			page.Until("to be refused without the subprotocol", "bare.readyState === WebSocket.CLOSED")
		}
	}
	page.Until("to have opened none", "window.opened === undefined")
	require.GreaterOrEqual(t, h.Metric(`hotline_sip_dropped_total{reason="handshake"}`), 12.0)
	require.NotContains(t, string(h.Get("/metrics")), `hotline_sip_requests_total{method="REGISTER"}`, "something was taken for SIP")
	require.Equal(t, "offline", state(h, "8002"))
}

// TestPageHasNoAudio: a page's audio is DTLS-SRTP, which is not spoken. A call to it is refused by the browser, the log says why,
// and the caller has the next agent; a call from it, to a number or a colleague, is refused in words that the agent can read.
func TestPageHasNoAudio(t *testing.T) {
	t.Parallel()
	site := jssipSite(t)
	_, cert, key := testkit.Certificate(t)
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: slowRings, Race: true, Origin: site.URL, Certificate: cert, Key: key})
	browser := testkit.StartBrowser(t, testkit.AnyCertificate)
	page := jssipAgent(browser, site.URL, "wss://"+h.WSS+"/ws", "8002")
	page.Shows("#state", "registered")
	h.AwaitAgent("8002", "ready")
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	page.Shows("#call", "remote | failed | WebRTC Error")
	h.AwaitLog("agent's phone takes no audio that it is offered")
	testkit.StartBaresip(t, testkit.BaresipOptions{ // rung before it could be seen to be ready
		User: "8003", Password: passwords["8003"], Registrar: h.SIP, Register: true, Auto: true,
	})
	talk(t, h, 0)
	c.Hangup()
	r := over(t, h)
	require.True(t, slices.ContainsFunc(r.Offers, func(o testkit.Offer) bool {
		return o.Agent == "8002" && o.Rung != nil && o.How == "unreachable"
	}), "%v", r.Offers)
	last := r.Offers[len(r.Offers)-1]
	require.Equal(t, []string{"8003", "answered"}, []string{last.Agent, last.How})

	for _, number := range []string{"96777", "8003"} {
		page.Do(fmt.Sprintf("dial(%q)", number))
		page.Shows("#call", "local | failed | Incompatible SDP | 488 | 302 ")
		page.Shows("#call", "DTLS-SRTP")
	}
	h.AwaitLog("audio is over DTLS-SRTP")
	require.Len(t, h.Calls(), 1, "none of those was a call")
}
