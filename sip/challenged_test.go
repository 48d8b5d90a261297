package sip

import (
	"net"
	"strings"
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
			inv := p.expect("INVITE", "INVITE")
			p.respond(inv, 401, "Who Are You", "a0", "", challenge)
			p.expect("ACK", "ACK")
			p.respond(p.expect("INVITE", "INVITE"), 200, "OK", "a1", sdpGood, extra...)
			require.Contains(t, p.expect("ACK", "ACK").header("authorization"), `realm="trunk"`)
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

// Who was called is not to have what our password can be guessed by: within a call only the trunk's own challenge is answered, from
// its address, of the realm that it challenged the INVITE by, and by no weaker means.
func TestChallengedByCallee(t *testing.T) {
	t.Parallel()
	const (
		own     = `WWW-Authenticate: Digest realm="trunk", nonce="n1", qop="auth", algorithm=SHA-256`
		foreign = `Proxy-Authenticate: Digest realm="callee", nonce="chosen", qop="auth", algorithm=SHA-256`
		weak    = `Proxy-Authenticate: Digest realm="trunk", nonce="chosen", qop="auth", algorithm=MD5`
		unsaid  = `WWW-Authenticate: Digest realm="trunk", nonce="chosen", qop="auth"`
		bare    = `WWW-Authenticate: Digest realm="trunk", nonce="chosen", algorithm=SHA-256`
	)
	for name, challenges := range map[string][]string{"challenged": {own}, "never challenged": nil} {
		for method, extra := range refreshBy {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				r, p, _ := dialRig(t, TrunkOut{Username: "hotline", Password: "hush", From: "96777"}, rule("139"))
				elsewhere := newPeerAt(t, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, "udp", r.udp())
				out := r.outside(t.Context(), "13912345678")
				for _, c := range challenges {
					p.respond(p.expect("INVITE", "INVITE"), 401, "Who Are You", "a0", "", c)
					p.expect("ACK", "ACK")
				}
				p.respond(p.expect("INVITE", "INVITE"), 200, "OK", "a1", sdpGood, extra...)
				p.expect("ACK", "ACK")
				l := next(t, out).leg.(*leg)
				trick := func(method, header string, from *peer) {
					t.Helper()
					req := p.expect(method, method)
					require.Empty(t, req.header("authorization")+req.header("proxy-authorization"))
					p.settle(req)
					code := 401
					if strings.HasPrefix(header, "Proxy") {
						code = 407
					}
					from.write(p.response(req, code, "Who Are You", "", "", header))
					if method == "INVITE" {
						p.expect("ACK", "ACK")
					}
				}
				for _, header := range []string{foreign, weak, unsaid, bare} {
					r.ask(l)
					trick(method, header, p)
					proved(t, l)
				}
				r.ask(l)
				trick(method, own, elsewhere)
				proved(t, l)
				if challenges == nil {
					r.ask(l)
					trick(method, own, p)
					proved(t, l)
				}
				l.Hangup(call.CauseBye)
				trick("BYE", foreign, p)
				next(t, l.settled)
				p.dialog(testNumber).request("OPTIONS", "")
				p.status("OPTIONS", 200) // so all that was sent before has come
				for _, w := range p.passed {
					require.Empty(t, w.header("authorization")+w.header("proxy-authorization"), w.start)
				}
			})
		}
	}
}

// Nor is who was called to have it by the call itself: once the trunk has challenged, another realm behind it gets nothing, and an
// ACK that goes past the trunk has no credentials.
func TestInviteChallengedByCallee(t *testing.T) {
	t.Parallel()
	r, p, _ := dialRig(t, TrunkOut{Username: "hotline", Password: "hush", From: "96777"}, rule("139"))
	dial := func() <-chan rung {
		out := r.outside(t.Context(), "13912345678")
		p.respond(p.expect("INVITE", "INVITE"), 407, "Who Are You", "a0", "", `Proxy-Authenticate: Digest realm="trunk", nonce="n1", qop="auth", algorithm=MD5`)
		p.expect("ACK", "ACK")
		return out
	}
	out := dial()
	p.respond(p.expect("INVITE", "INVITE"), 401, "Who Are You", "a1", "", `WWW-Authenticate: Digest realm="callee", nonce="chosen", qop="auth", algorithm=MD5`)
	p.expect("ACK", "ACK")
	require.ErrorContains(t, next(t, out).err, "401")

	out = dial()
	callee := newPeerAt(t, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, "udp", r.udp())
	inv := p.expect("INVITE", "INVITE")
	require.NotEmpty(t, inv.header("proxy-authorization"))
	p.respond(inv, 200, "OK", "a2", sdpGood, "Contact: <sip:me@"+callee.addr()+">")
	require.Empty(t, callee.expect("ACK", "ACK").header("proxy-authorization"))
	endCall(callee, next(t, out).leg)
}
