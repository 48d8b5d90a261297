package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A redirection is followed once, and only to the phone's own address: another line of it. Whatever else it
// names, the agent declined.
func TestRedirection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		code     int
		contacts []string // %s is the phone's host and port
		target   string   // user of the next INVITE's Request-URI, "" for none
	}{
		{"another line", 302, []string{"<sip:line2@%s>"}, "line2"},
		{"for good", 301, []string{"<sip:line2@%s>"}, "line2"},
		{"multiple choices", 300, []string{"<sip:line2@%s>;q=0.2, <sip:line3@%s>;q=0.9"}, "line3"},
		{"several headers", 302, []string{"<sip:x@192.0.2.1>", "<sip:line2@%s>"}, "line2"},
		{"with headers and method", 302, []string{"<sip:line2@%s;method=BYE?Subject=x>"}, "line2"},
		{"elsewhere", 302, []string{"<sip:line2@192.0.2.1>"}, ""},
		{"a number", 302, []string{"<tel:+8613812345678>"}, ""},
		{"sips", 302, []string{"<sips:line2@%s>"}, ""},
		{"another port", 302, []string{"<sip:line2@127.0.0.1:9>"}, ""},
		{"itself", 302, []string{"<sip:8001@%s>"}, ""},
		{"nowhere", 302, []string{"*"}, ""},
		{"a proxy", 305, []string{"<sip:line2@%s>"}, ""},
		{"another service", 380, []string{"<sip:line2@%s>"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, p, inv, out := ringPhone(t, time.Second)
			redirect := func(inv wire) {
				lines := make([]string, len(c.contacts))
				for i, contact := range c.contacts {
					lines[i] = "Contact: " + strings.ReplaceAll(contact, "%s", p.addr())
				}
				p.respond(inv, c.code, "Moved", "a1", "", lines...)
				ack := p.expect("ACK", "ACK")
				require.Equal(t, viaBranch(inv), viaBranch(ack))
			}
			redirect(inv)
			outcomes := r.metrics.redirects
			if c.target != "" {
				again := p.expect("INVITE sip:"+c.target+"@"+p.addr()+" ", "INVITE")
				require.Equal(t, inv.header("call-id"), again.header("call-id"))
				require.Equal(t, inv.header("from"), again.header("from"))
				require.Equal(t, inv.header("to"), again.header("to"))
				require.Equal(t, "2", cseq(again))
				require.InDelta(t, 1, testutil.ToFloat64(outcomes.WithLabelValues(redirectFollowed)), 0)
				redirect(again) // once is enough
			}
			var re *call.RingError
			require.ErrorAs(t, next(t, out).err, &re)
			require.Equal(t, call.CauseDeclined, re.Why)
			require.Equal(t, c.code, re.Code)
			if c.code <= 302 {
				require.InDelta(t, 1, testutil.ToFloat64(outcomes.WithLabelValues(redirectRefused)), 0)
			}
		})
	}
}

// The line that was redirected to may answer.
func TestRedirectionAnswered(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 302, "Moved", "a1", "", "Contact: <sip:line2@"+p.addr()+">")
	inv = p.expect("INVITE sip:line2@", "INVITE")
	p.respond(inv, 200, "OK", "b2", sdpGood)
	require.Equal(t, "2", cseq(p.expect("ACK", "ACK")))
	got := next(t, out)
	require.NoError(t, got.err)
	require.Equal(t, "3", cseq(endCall(p, got.leg)))
}

// rebuff is how a far end answers an INVITE: a status, and headers.
type rebuff struct {
	code  int
	lines []string
}

func challengeLine(header, nonce string, extra string) string {
	return fmt.Sprintf(`%s: Digest realm="x", nonce="%s", algorithm=MD5, qop="auth"%s`, header, nonce, extra)
}

// invited sends an INVITE to the registered phone as an agent's phone would: with a password, and requiring
// reliable 18x.
func (r *rig) invited(t *testing.T, require100rel bool) <-chan rung {
	t.Helper()
	f, ok := r.registrar.lookup("8001")
	require.True(t, ok)
	o := outgoing{
		target: f.contact, from: "<sip:1@x>", to: "<sip:8001@x>", hop: hopOfFlow(f), agent: "8001",
		authorize: authorizeAs("me", "secret"),
	}
	if require100rel {
		o.require = []string{optionReliable}
	}
	out := make(chan rung, 1)
	go func() {
		l, err := r.invite(t.Context(), o)
		out <- rung{l, err}
	}()
	return out
}

// credentialsOf lists the nonces that an INVITE answers, by header, its digests checked.
func credentialsOf(t *testing.T, inv wire) map[string]string {
	t.Helper()
	nonces := map[string]string{}
	for _, name := range []string{"authorization", "proxy-authorization"} {
		for _, v := range inv.headers[name] {
			c, err := digest.ParseCredentials(v)
			require.NoError(t, err)
			require.NotContains(t, nonces, name, "one of each")
			nonces[name] = c.Nonce
			want, err := digest.Digest(&digest.Challenge{Realm: c.Realm, Nonce: c.Nonce, Algorithm: c.Algorithm, QOP: []string{c.QOP}},
				digest.Options{Method: "INVITE", URI: strings.Fields(inv.start)[1], Username: "me", Password: "secret", Cnonce: c.Cnonce, Count: c.Nc})
			require.NoError(t, err)
			require.Equal(t, want.Response, c.Response)
		}
	}
	return nonces
}

// What a refusal asks for is in the next INVITE, which goes on in the same call with a higher CSeq (RFC 3261
// sections 8.1.3.5 and 22.2); the refusal was acknowledged by its transaction.
func TestInviteAgain(t *testing.T) {
	t.Parallel()
	const www, proxy = "WWW-Authenticate", "Proxy-Authenticate"
	stale := ", stale=TRUE"
	for _, c := range []struct {
		name     string
		require  bool
		refusals []rebuff
		// nonces, by header, that the INVITE after the last refusal answers; none if the ring ends with that.
		nonces map[string]string
		ends   bool
	}{
		{"challenge", false, []rebuff{{401, []string{challengeLine(www, "n1", "")}}}, map[string]string{"authorization": "n1"}, false},
		{"proxy's", false, []rebuff{{407, []string{challengeLine(proxy, "p1", "")}}}, map[string]string{"proxy-authorization": "p1"}, false},
		{"proxy's and server's", false, []rebuff{
			{407, []string{challengeLine(proxy, "p1", "")}}, {401, []string{challengeLine(www, "n1", "")}},
		}, map[string]string{"authorization": "n1", "proxy-authorization": "p1"}, false},
		{"stale nonce", false, []rebuff{
			{401, []string{challengeLine(www, "n1", "")}}, {401, []string{challengeLine(www, "n2", stale)}},
		}, map[string]string{"authorization": "n2"}, false},
		{"stale for ever", false, []rebuff{
			{401, []string{challengeLine(www, "n1", "")}},
			{401, []string{challengeLine(www, "n2", stale)}},
			{401, []string{challengeLine(www, "n3", stale)}},
		}, nil, true},
		{"wrong password", false, []rebuff{
			{401, []string{challengeLine(www, "n1", "")}}, {401, []string{challengeLine(www, "n2", "")}},
		}, nil, true},
		{"no challenge", false, []rebuff{{401, nil}}, nil, true},
		{"extension", true, []rebuff{{420, []string{"Unsupported: 100REL"}}}, map[string]string{}, false},
		{"extension again", true, []rebuff{{420, []string{"Unsupported: 100rel"}}, {420, []string{"Unsupported: 100rel"}}}, nil, true},
		{"extension not required", false, []rebuff{{420, []string{"Unsupported: 100rel"}}}, nil, true},
		{"extension unnamed", true, []rebuff{{420, nil}}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, p := registeredPhone(t, time.Second)
			out := r.invited(t, c.require)
			first := p.expect("INVITE", "INVITE")
			inv := first
			if c.require {
				require.Equal(t, "100rel", inv.header("require"))
			}
			for i, refused := range c.refusals {
				p.respond(inv, refused.code, "No", "a1", "", refused.lines...)
				require.Equal(t, viaBranch(inv), viaBranch(p.expect("ACK", "ACK")))
				if c.ends && i == len(c.refusals)-1 {
					var re *call.RingError
					require.ErrorAs(t, next(t, out).err, &re)
					require.Equal(t, refused.code, re.Code)
					p.silence(50*time.Millisecond, "INVITE")
					return
				}
				inv = p.expect("INVITE", "INVITE")
				require.Equal(t, fmt.Sprint(i+2), cseq(inv))
				require.Equal(t, first.header("call-id"), inv.header("call-id"))
				require.Equal(t, first.header("from"), inv.header("from"))
				require.Equal(t, first.header("to"), inv.header("to"))
				require.NotEqual(t, viaBranch(first), viaBranch(inv))
			}
			require.Equal(t, c.nonces, credentialsOf(t, inv))
			if c.require {
				require.Empty(t, inv.header("require"))
				require.NotContains(t, inv.header("supported"), "100rel")
			}
			p.respond(inv, 200, "OK", "b2", sdpGood)
			ack := p.expect("ACK", "ACK")
			require.Equal(t, inv.headers["authorization"], ack.headers["authorization"], "RFC 3261 13.2.2.4: the INVITE's")
			require.Equal(t, inv.headers["proxy-authorization"], ack.headers["proxy-authorization"])
			got := next(t, out)
			require.NoError(t, got.err)
			endCall(p, got.leg)
		})
	}
}

// The early dialogs of a refused INVITE are over: the next begins its numbers anew.
func TestEarlyDialogEndsWithItsInvite(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 183, "Session Progress", "a1", sdpNamed("first"), reliableLines(5)...)
	p.respond(p.expect("PRACK", "PRACK"), 200, "OK", "", "")
	p.respond(inv, 302, "Moved", "a1", "", "Contact: <sip:line2@"+p.addr()+">")
	inv = p.expect("INVITE sip:line2@", "INVITE")
	p.respond(inv, 180, "Ringing", "a1", "", reliableLines(1)...)
	prack := p.expect("PRACK", "PRACK")
	require.Equal(t, "1 2 INVITE", prack.header("rack"))
	p.respond(prack, 200, "OK", "", "")
	p.respond(inv, 200, "OK", "a1", "")
	p.expect("ACK", "ACK")
	p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
	require.Error(t, next(t, out).err, "what the first said is no answer to the second")
}

// A PRACK of the INVITE before that is refused late says nothing of the one that rings now.
func TestPrackOfInviteBefore(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 180, "Ringing", "a1", "", reliableLines(1)...)
	prack := p.expect("PRACK", "PRACK")
	p.respond(inv, 302, "Moved", "a1", "", "Contact: <sip:line2@"+p.addr()+">")
	inv = p.expect("INVITE sip:line2@", "INVITE")
	p.respond(prack, 481, "Gone", "", "")
	p.silence(50*time.Millisecond, "CANCEL")
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	endCall(p, next(t, out).leg)
}
