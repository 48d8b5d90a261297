package sip

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// first reads the next response to an INVITE.
func (p *peer) first() wire {
	p.t.Helper()
	return p.expect("SIP/2.0 ", "INVITE")
}

// firstBut100 is first, where a slow machine may have made us owe a 100 before: not earlier than after since began.
func (p *peer) firstBut100(began time.Time, after time.Duration) wire {
	p.t.Helper()
	w := p.first()
	for strings.HasPrefix(w.start, "SIP/2.0 100 ") { // ours, and the transaction's
		require.GreaterOrEqual(p.t, w.at.Sub(began), after)
		w = p.first()
	}
	return w
}

// tally counts the messages with that first line that come within d.
func (p *peer) tally(d time.Duration, prefix string) (n int) {
	p.t.Helper()
	for deadline := time.Now().Add(d); ; {
		w, err := p.read(time.Until(deadline))
		if err != nil {
			return n
		}
		if strings.HasPrefix(w.start, prefix) {
			n++
		}
	}
}

// A call that is rung, answered or refused soon gets no 100 (RFC 3261 section 17.2.1), then or later.
func TestTryingIsNotSentBeforeAnotherResponse(t *testing.T) {
	t.Parallel()
	const after = 100 * time.Millisecond
	for name, c := range map[string]struct {
		number, want string
		incoming     func(context.Context, call.Incoming)
	}{
		"rung": {testNumber, "SIP/2.0 180 ", func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(func(call.Command) bool { return true })
			_ = in.Leg.Ring() // seen on the wire
		}},
		"answered": {testNumber, "SIP/2.0 200 ", func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(func(call.Command) bool { return true })
			_, _ = in.Leg.Answer() // seen on the wire
		}},
		"refused": {testNumber, "SIP/2.0 486 ", busy},
		"unknown": {"404", "SIP/2.0 404 ", busy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) { o.TryingAfter, o.OnIncoming = after, c.incoming })
			p := newPeer(t, "udp", r.udp())
			k := p.dialog(c.number)
			began := time.Now()
			k.invite()
			w := p.firstBut100(began, after)
			require.True(t, strings.HasPrefix(w.start, c.want), w.start)
			k.ack(w, "")
			p.silence(2*after, "SIP/2.0 100")
		})
	}
}

// A call that nothing else is said to for a while gets 100, once, and again with each copy of its INVITE, also when
// a copy came before: sipgo's transaction then does not see to it any more.
func TestTryingIsSentToWhoeverWaits(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"at once": 0, "after a while": 100 * time.Millisecond, "at the latest": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ring := make(chan struct{})
			r := newRig(t, func(o *Options) {
				o.TryingAfter = after
				o.OnIncoming = func(_ context.Context, in call.Incoming) {
					in.Leg.Attach(func(call.Command) bool { return true })
					<-ring
					_ = in.Leg.Ring() // seen on the wire
				}
			})
			goOn := sync.OnceFunc(func() { close(ring) })
			t.Cleanup(goOn) // a test that fails must not hold up the user agent's end
			p := newPeer(t, "udp", r.udp())
			k := p.dialog(testNumber)
			began := time.Now()
			k.invite()
			again := k.message("INVITE", k.seq, k.branch, sdpGood, sdpHeader)
			if after > 0 { // at once there is no saying whether a copy comes before the 100
				p.write(again)
			}
			w := p.first()
			require.Equal(t, "SIP/2.0 100 Trying", w.start)
			require.GreaterOrEqual(t, w.at.Sub(began), min(after, tryingMost))
			most := 0 // more of them
			if after > 0 {
				most = 1 // to the copy, which a slow machine may have looked at later
			}
			require.LessOrEqual(t, p.tally(2*tryingMost, "SIP/2.0 100"), most)
			p.write(again)
			require.Equal(t, "SIP/2.0 100 Trying", p.first().start)
			goOn()
			require.Equal(t, "SIP/2.0 180 Ringing", p.first().start)
			k.cancel()
			p.status("INVITE", 487)
		})
	}
}

// A call given up before its 100 does not get it any more.
func TestTryingIsNotSentToWhoeverCancels(t *testing.T) {
	t.Parallel()
	const after = 100 * time.Millisecond
	r := newRig(t, func(o *Options) {
		o.TryingAfter = after
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(func(call.Command) bool { return true })
			<-in.Leg.Context().Done()
		}
	})
	p := newPeer(t, "udp", r.udp())
	k := p.dialog(testNumber)
	began := time.Now()
	k.invite()
	require.Eventually(t, func() bool { return len(r.legs.all()) == 1 }, testWait, time.Millisecond)
	k.cancel()
	w := p.firstBut100(began, after)
	require.Equal(t, "SIP/2.0 487 Request Terminated", w.start)
	k.ack(w, "")
	p.silence(2*after, "SIP/2.0 100")
}

// A timer of the 100 that has fired while another response is being given finds that nothing is owed any more.
func TestTryingYieldsToAResponse(t *testing.T) {
	t.Parallel()
	x := &exchange{} // without a transaction, so that it cannot answer
	x.begin()
	require.NotPanics(t, x.try)
	require.Panics(t, (&exchange{}).try)
}
