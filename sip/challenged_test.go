package sip

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A trunk that challenges within the dialog too gets our credentials there: else no refresh would be taken and the far
// end would let the session lapse, and no BYE would end a call that is paid for.
func TestChallengedWithinDialog(t *testing.T) {
	t.Parallel()
	const (
		challenge = `WWW-Authenticate: Digest realm="trunk", nonce="n1", qop="auth", algorithm=MD5`
		stale     = `Proxy-Authenticate: Digest realm="trunk", nonce="n2", qop="auth", algorithm=MD5, stale=true`
	)
	for method, extra := range refreshBy {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r, p, _ := dialRig(t, TrunkOut{Username: "hotline", Password: "hush", From: "96777"}, rule("139"))
			out := r.outside(t.Context(), "13912345678")
			p.respond(p.expect("INVITE", "INVITE"), 200, "OK", "a1", sdpGood, extra...)
			p.expect("ACK", "ACK")
			l := next(t, out).leg.(*leg)
			seq := ""
			refused := func(method, header string, code int) {
				t.Helper()
				req := p.expect(method, method)
				require.NotEqual(t, seq, req.header("cseq"))
				seq = req.header("cseq")
				p.respond(req, code, "Who Are You", "", "", header)
				if method == "INVITE" {
					p.expect("ACK", "ACK")
				}
			}
			for range 2 { // each refresh begins anew
				r.ask(l)
				refused(method, challenge, 401)
				refused(method, stale, 407)
				req := p.expect(method, method)
				require.Contains(t, req.header("authorization"), `username="hotline"`)
				require.Contains(t, req.header("proxy-authorization"), `nonce="n2"`)
				body := ""
				if method == "INVITE" {
					body = sdpGood
				}
				p.respond(req, 200, "OK", "", body)
				p.acked(method)
				proved(t, l)
			}
			r.ask(l) // a password that is wrong is not sent for ever
			refused(method, challenge, 401)
			refused(method, challenge, 401)
			proved(t, l)
			l.Hangup(call.CauseBye)
			refused("BYE", challenge, 401)
			bye := p.expect("BYE", "BYE")
			require.Contains(t, bye.header("authorization"), `uri="`)
			p.respond(bye, 200, "OK", "", "")
		})
	}
}
