package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// sdpNamed is a description that can be told from others.
func sdpNamed(name string) string { return sdpGood + "a=x-" + name + "\r\n" }

// reliableLines are the headers of a reliable 18x.
func reliableLines(seq int) []string { return []string{require100rel, fmt.Sprintf("RSeq: %d", seq)} }

// endCall hangs a leg of ours up, and returns the BYE.
func endCall(p *peer, l call.Leg) wire {
	p.t.Helper()
	l.Hangup(call.CauseBye)
	bye := p.expect("BYE", "BYE")
	p.respond(bye, 200, "OK", "", "")
	return bye
}

func cseq(w wire) string { return strings.Fields(w.header("cseq"))[0] }

// A reliable 18x is acknowledged in the early dialog that it makes, once, and in order; its answer is the
// answer; the 2xx's target and route set hold from then on, and the CSeqs go on (RFC 3262 sections 4 and 5, RFC
// 3261 section 13.2.2.4).
func TestReliableEarlyDialog(t *testing.T) {
	t.Parallel()
	r, p, inv, out := ringPhone(t, time.Second)
	require.Contains(t, inv.header("supported"), "100rel")
	require.Empty(t, inv.header("require"))
	p.respond(inv, 183, "Session Progress", "a1", sdpNamed("early"),
		append(reliableLines(2147483647), "Record-Route: <sip:second.example;lr>, <sip:first.example;lr>",
			"Contact: <sip:early@phone.example>")...)
	prack := p.expect("PRACK sip:early@phone.example ", "PRACK")
	require.Equal(t, "2147483647 1 INVITE", prack.header("rack"))
	require.Equal(t, "a1", prack.tag("to"))
	require.Equal(t, inv.tag("from"), prack.tag("from"))
	require.Equal(t, inv.header("call-id"), prack.header("call-id"))
	require.Equal(t, "2", cseq(prack))
	require.Equal(t, []string{"<sip:first.example;lr>", "<sip:second.example;lr>"}, prack.headers["route"])
	p.respond(prack, 200, "OK", "", "")

	for _, seq := range []int{2147483647, 2147483650, 2147483646, 0} { // taken before, too soon, too late, none
		p.respond(inv, 180, "Ringing", "a1", "", reliableLines(seq)...)
	}
	p.respond(inv, 180, "Ringing", "a1", "", require100rel)
	p.respond(inv, 180, "Ringing", "a1", "", reliableLines(2147483648)...)
	prack = p.expect("PRACK", "PRACK")
	require.Equal(t, "2147483648 1 INVITE", prack.header("rack"))
	require.Equal(t, "3", cseq(prack))
	p.respond(prack, 200, "OK", "", "")

	p.respond(inv, 200, "OK", "a1", "", "Record-Route: <sip:other.example;lr>", "Contact: <sip:late@phone.example>")
	ack := p.expect("ACK sip:late@phone.example ", "ACK")
	require.Equal(t, "1", cseq(ack))
	require.Equal(t, []string{"<sip:other.example;lr>"}, ack.headers["route"])
	got := next(t, out)
	require.NoError(t, got.err)
	require.Equal(t, sdpNamed("early"), r.engine.opened()[0].answerTaken())
	bye := endCall(p, got.leg)
	require.Equal(t, "4", cseq(bye))
	require.Equal(t, []string{"<sip:other.example;lr>"}, bye.headers["route"])
}

// sent18x is a 18x of a phone behind a fork, and whether it is reliable.
type sent18x struct {
	tag, sdp string
	reliable bool
}

// Whichever phone behind a fork answers, its own answer is taken: what its reliable 18x said, else what its 2xx
// says. Nothing that another phone sent early matters (RFC 3261 section 13.2.1).
func TestForkedEarlyMedia(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		early    []sent18x
		tag, sdp string // of the 2xx
		want     string
	}{
		{"preview", []sent18x{{"a1", "preview", false}}, "a1", "final", "final"},
		{"preview of another", []sent18x{{"a1", "preview", false}}, "b2", "final", "final"},
		{"preview only", []sent18x{{"a1", "preview", false}}, "a1", "", ""},
		{"reliable, then none", []sent18x{{"a1", "early", true}}, "a1", "", "early"},
		{"reliable, then another", []sent18x{{"a1", "early", true}}, "a1", "final", "early"},
		{"reliable of another", []sent18x{{"a1", "early", true}}, "b2", "final", "final"},
		{"reliable of both", []sent18x{{"a1", "one", true}, {"b2", "two", true}}, "a1", "", "one"},
		{"reliable of both, the other", []sent18x{{"a1", "one", true}, {"b2", "two", true}}, "b2", "", "two"},
		{"the first reliable one", []sent18x{{"a1", "", true}, {"a1", "early", true}, {"a1", "later", true}}, "a1", "", "early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, p, inv, out := ringPhone(t, time.Second)
			named := func(name string) string {
				if name == "" {
					return ""
				}
				return sdpNamed(name)
			}
			seqs := map[string]int{}
			for _, e := range c.early {
				if !e.reliable {
					p.respond(inv, 183, "Session Progress", e.tag, named(e.sdp))
					continue
				}
				seqs[e.tag]++
				p.respond(inv, 183, "Session Progress", e.tag, named(e.sdp), reliableLines(seqs[e.tag])...)
				prack := p.expect("PRACK", "PRACK")
				require.Equal(t, e.tag, prack.tag("to"))
				require.Equal(t, fmt.Sprint(1+seqs[e.tag]), cseq(prack), "each dialog has its own numbers")
				p.respond(prack, 200, "OK", "", "")
			}
			p.respond(inv, 183, "Session Progress", c.tag, "no description", append(reliableLines(seqs[c.tag]+1), "Content-Type: text/plain")...)
			p.respond(p.expect("PRACK", "PRACK"), 200, "OK", "", "")
			p.respond(inv, 200, "OK", c.tag, named(c.sdp))
			require.Equal(t, c.tag, p.expect("ACK", "ACK").tag("to"))
			if c.want == "" {
				p.respond(p.expect("BYE", "BYE"), 200, "OK", "", "")
				require.Error(t, next(t, out).err, "a 2xx without an answer")
				return
			}
			got := next(t, out)
			require.NoError(t, got.err)
			require.Equal(t, sdpNamed(c.want), r.engine.opened()[0].answerTaken())
			endCall(p, got.leg)
		})
	}
}

// Early dialogs are remembered up to a bound; a 18x of one more is not acknowledged, and its 2xx is as good as
// another's.
func TestEarlyDialogsAreBounded(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	for i := range earlyMost {
		p.respond(inv, 180, "Ringing", fmt.Sprint("t", i), "", reliableLines(1)...)
		p.respond(p.expect("PRACK", "PRACK"), 200, "OK", "", "")
	}
	p.respond(inv, 180, "Ringing", "more", "", reliableLines(1)...)
	p.silence(100*time.Millisecond, "PRACK")
	p.respond(inv, 200, "OK", "more", sdpGood)
	p.expect("ACK", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	require.Equal(t, "2", cseq(endCall(p, got.leg)))
}

// A phone that does not know its early dialog any more is not ringing (RFC 3261 section 12.2.1.2): the INVITE is
// taken back when it was the last, and not while another rings.
func TestPrackRefused(t *testing.T) {
	t.Parallel()
	answer := func(code int) func(p *peer) {
		return func(p *peer) {
			prack := p.expect("PRACK", "PRACK")
			if code != 0 {
				p.respond(prack, code, "No", "", "")
			}
		}
	}
	for name, c := range map[string]struct {
		act   func(p *peer)
		other bool // another phone rings as well
		lost  bool
		t1    time.Duration
	}{
		"unknown":                      {answer(481), false, true, rigT1},
		"timed out":                    {answer(408), false, true, rigT1},
		"unanswered":                   {answer(0), false, true, 20 * time.Millisecond},
		"refused otherwise":            {answer(500), false, false, rigT1},
		"unknown, while another rings": {answer(481), true, false, rigT1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, inv, out := ringPhone(t, c.t1)
			if c.other {
				p.respond(inv, 180, "Ringing", "b2", "")
				p.silence(100*time.Millisecond, "PRACK") // responses are handled side by side: this one first
			}
			p.respond(inv, 180, "Ringing", "a1", "", reliableLines(1)...)
			c.act(p)
			if !c.lost {
				p.silence(100*time.Millisecond, "CANCEL")
				p.respond(inv, 180, "Ringing", "a1", "", reliableLines(1)...) // acknowledged once
				p.silence(50*time.Millisecond, "PRACK")
				p.respond(inv, 200, "OK", "b2", sdpGood)
				endCall(p, next(t, out).leg)
				return
			}
			cancel := p.expect("CANCEL", "CANCEL")
			p.respond(cancel, 200, "OK", "a1", "")
			p.respond(inv, 487, "Request Terminated", "a1", "")
			var re *call.RingError
			require.ErrorAs(t, next(t, out).err, &re)
			require.Equal(t, call.CauseUnreachable, re.Why)
		})
	}
}

// A reliable 18x that crosses the CANCEL, or lets it go, is acknowledged as well.
func TestReliableRingingWithdrawn(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, p := registeredPhone(t, time.Second)
	out := r.ring(ctx, nil)
	inv := p.expect("INVITE", "INVITE")
	cancel()
	p.silence(50*time.Millisecond, "CANCEL")
	p.respond(inv, 180, "Ringing", "a1", "", reliableLines(1)...)
	seen := make(map[string]bool)
	for len(seen) < 2 {
		w, err := p.read(testWait)
		require.NoError(t, err)
		if w.method() == "INVITE" {
			continue // resent
		}
		seen[w.method()] = true
		p.respond(w, 200, "OK", "a1", "")
	}
	require.Equal(t, map[string]bool{"CANCEL": true, "PRACK": true}, seen)
	// The phone had answered already: the BYE's number follows the PRACK's.
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	bye := p.expect("BYE", "BYE")
	require.Equal(t, "3", cseq(bye))
	p.respond(bye, 200, "OK", "", "")
	require.Error(t, next(t, out).err)
}

// Requests that overtake the 2xx, or are of an early dialog, are put off and not told that there is no dialog.
func TestRequestsBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	ask := func(method string, seq int, extra ...string) wire {
		p.write(strings.Join(append([]string{
			fmt.Sprintf("%s sip:hotline@%s SIP/2.0", method, p.to),
			fmt.Sprintf("Via: SIP/2.0/UDP %s;rport;branch=%s", p.addr(), newBranch()),
			"Max-Forwards: 70", "From: " + inv.header("to") + ";tag=a1", "To: " + inv.header("from"),
			"Call-ID: " + inv.header("call-id"), fmt.Sprintf("CSeq: %d %s", seq, method),
			fmt.Sprintf("Contact: <sip:8001@%s>", p.addr()), "Content-Length: 0",
		}, extra...), "\r\n") + "\r\n\r\n")
		return p.expect("SIP/2.0 ", method)
	}
	for i, method := range []string{"INFO", "INVITE"} {
		w := ask(method, i+1)
		require.True(t, strings.HasPrefix(w.start, "SIP/2.0 500"), w.start)
		require.NotEmpty(t, w.header("retry-after"))
	}
	p.respond(inv, 200, "OK", "a1", sdpGood)
	p.expect("ACK", "ACK")
	got := next(t, out)
	require.NoError(t, got.err)
	require.Equal(t, "SIP/2.0 200 OK", ask("INFO", 3).start)
	endCall(p, got.leg)
}

// Both ends are ours: a phone that requires reliable ringing calls, and is rung and answered.
func TestPhoneRequiresReliableRinging(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		t.Helper()
		b := newPhoneBench(t, transport, Options{})
		s := b.phones(b.hotline.Addrs()[0])
		caller := b.add(s, PhoneOptions{User: "13900001234"})
		rings := make(chan int, 4)
		out := make(chan rung, 1)
		go func() {
			l, err := caller.Dial(t.Context(), "96777", DialOptions{
				Reliable: true, Progress: func(code int, _ time.Time) { rings <- code },
			})
			out <- rung{l, err}
		}()
		in := next(t, b.calls)
		require.NoError(t, in.Leg.Ring())
		require.Equal(t, 180, next(t, rings))
		l, ok := in.Leg.(*leg)
		require.True(t, ok)
		require.Eventually(t, func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.reliably.open == nil
		}, testWait, time.Millisecond, "acknowledged")
		_, err := in.Leg.Answer()
		require.NoError(t, err)
		got := next(t, out)
		require.NoError(t, got.err)
		got.leg.Hangup(call.CauseBye)
		require.Equal(t, call.CauseBye, ended(t, in.Leg).Why)
	})
}
