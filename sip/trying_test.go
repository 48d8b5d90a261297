package sip

import (
	"context"
	"strings"
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
			k.invite()
			w := p.first()
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
			p := newPeer(t, "udp", r.udp())
			k := p.dialog(testNumber)
			k.invite()
			began := time.Now()
			again := k.message("INVITE", k.seq, k.branch, sdpGood, sdpHeader)
			p.write(again)
			w := p.first()
			require.Equal(t, "SIP/2.0 100 Trying", w.start)
			require.GreaterOrEqual(t, w.at.Sub(began)+time.Millisecond, min(after, tryingMost))
			if after == 0 {
				p.first() // to the copy
			}
			p.silence(2*tryingMost, "SIP/2.0 100")
			p.write(again)
			require.Equal(t, "SIP/2.0 100 Trying", p.first().start)
			close(ring)
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
	k.invite()
	require.Eventually(t, func() bool { return len(r.legs.all()) == 1 }, testWait, time.Millisecond)
	k.cancel()
	w := p.first()
	require.Equal(t, "SIP/2.0 487 Request Terminated", w.start)
	k.ack(w, "")
	p.silence(2*after, "SIP/2.0 100")
}
