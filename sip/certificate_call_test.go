package sip

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// shownByWSS is the name in the certificate that a page's connection has begun with.
func shownByWSS(t *testing.T, page *peer) string {
	t.Helper()
	b, ok := page.conn.(*browser)
	require.True(t, ok)
	c, ok := b.Conn.(*tls.Conn)
	require.True(t, ok)
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// Calls over WSS are up while the files of its certificate change: what is said in them goes on over the connections that they
// have begun with, from both sides, whether the files are looked at or a reload reads them. Who connects then is shown
// the new one.
func TestWebSocketCertificateUnderCalls(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		looks  time.Duration
		reload bool
	}{
		"the files are looked at": {looks: 5 * time.Millisecond},
		"a reload":                {looks: time.Hour, reload: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := newPEM(t, "first")
			legs := make(chan call.Leg, 1)
			r := newRig(t, listensWS(t, func(o *Options) {
				wss := &o.Listen[len(o.Listen)-1]
				wss.Certificate, wss.Key = id.cert, id.key
				o.looks, o.OnIncoming = c.looks, untilOver(legs)
			}))
			page, caller := newWSPeer(t, r, "wss"), newWSPeer(t, r, "wss")
			for _, p := range []*peer{page, caller} {
				require.Equal(t, "first", shownByWSS(t, p))
			}
			page.register(r)
			_, rung := page.answeredBy(r)
			k := caller.dialog(testNumber)
			k.answered()
			leg := next(t, legs)
			commands := make(chan call.Command, 16)
			leg.Attach(func(cmd call.Command) bool { commands <- cmd; return true })

			id.write("second", time.Hour)
			if c.reload {
				put, err := r.Reload(Settings{Listen: r.o.Listen, Agents: r.o.Agents, Trunks: r.o.Trunks})
				require.NoError(t, err)
				put()
			}
			require.Eventually(t, func() bool { return nameAt(t, r.ws("wss")) == "second" }, testWait, time.Millisecond)
			late := newWSPeer(t, r, "wss")
			require.Equal(t, "second", shownByWSS(t, late))
			late.served()

			k.request("INFO", "")
			caller.status("INFO", 200)
			k.request("INVITE", sdpHold, sdpHeader)
			re, ok := next(t, commands).(call.Reoffered)
			require.True(t, ok)
			held, err := re.Accept()
			require.NoError(t, err)
			require.True(t, held)
			k.ack(caller.status("INVITE", 200), "")
			k.bye()
			require.Equal(t, call.CauseBye, ended(t, leg).Why)
			page.served()
			alive(t, page, rung)
			require.Equal(t, call.CauseBye, ended(t, rung).Why)
			require.Empty(t, r.flows, "the page was reachable all the time")
		})
	}
}
