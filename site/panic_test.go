package site_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// contained has a node's panics counted.
func contained(count *atomic.Int32) func(*site.Options) {
	return func(o *site.Options) { o.OnPanic = func(string, any) { count.Add(1) } }
}

// TestPanic: whatever port's method panics once, the node goes on: a phone that is new there is rung, and an agent is claimed and
// given back.
func TestPanic(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Flows", "Learn", "Yield", "Renew", "Follow", "Say", "Mark", "Release"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				var panics atomic.Int32
				logs, kept := listening()
				a, b := w.node("a", contained(&panics), kept), w.node("b")
				b.registers("8002")
				within(t, 5*time.Second, "the phone may be rung", func() bool { return a.desk.knows("8002") && b.edge.open("8002") })
				w.answerAfter = 500 * time.Millisecond
				a.bomb(method)
				a.registers("8003")
				for _, id := range []string{"call-1", "call-2"} {
					a.talk("8002", id).Hangup(call.CauseBye)
					a.Release("8002", id, call.SiteRest{How: "answered"})
					within(t, 10*time.Second, "the claim is given back", func() bool { return len(w.claims()) == 0 })
				}
				require.EqualValues(t, 1, panics.Load())
				require.Equal(t, 1, logs.FilterMessageSnippet("panic in").FilterFieldKey("stack").Len())
				within(t, 5*time.Second, "the new phone is known, and may be rung", func() bool {
					return a.edge.open("8003") && b.desk.knows("8003")
				})
				b.talk("8003", "call-3").Hangup(call.CauseBye)
				b.Release("8003", "call-3", call.SiteRest{})
				within(t, 5*time.Second, "nothing waits", func() bool { return a.Status().Pending == 0 && len(w.claims()) == 0 })
			})
		})
	}
}

// TestPanicWhileJudging: a leg of a dead owner is ended all the same.
func TestPanicWhileJudging(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"Holds", "End"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				var panics atomic.Int32
				a, b := w.node("a", contained(&panics)), w.node("b")
				a.registers("8001")
				within(t, 5*time.Second, "the phone may be rung", func() bool { return b.desk.knows("8001") && a.edge.open("8001") })
				w.answerAfter = 10 * time.Millisecond
				b.talk("8001", "call-1")
				a.bomb(method)
				b.kill()
				within(t, 8*time.Second, "the owner is dead", func() bool { return a.Others() == 0 })
				within(t, 30*time.Second, "the leg is ended", func() bool { return len(w.claims()) == 0 && w.busy("8001") == 0 })
				require.EqualValues(t, 1, panics.Load())
				a.talk("8001", "call-2").Hangup(call.CauseBye)
				a.Release("8001", "call-2", call.SiteRest{})
			})
		})
	}
}

// TestPanicWhileClaiming: a ring that panics before it has its claim leaves nothing behind.
func TestPanicWhileClaiming(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, _ := two(w)
		w.answerAfter = 10 * time.Millisecond
		a.bomb("Claim")
		require.Panics(t, func() { _, _ = a.Ring(t.Context(), call.RingRequest{Agent: "8002", CallID: "call-1"}) })
		a.talk("8002", "call-1").Hangup(call.CauseBye)
		a.Release("8002", "call-1", call.SiteRest{})
		within(t, time.Second, "the claim is given back", func() bool { return len(w.claims()) == 0 })
	})
}
