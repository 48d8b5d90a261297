package site_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestTalkSleptThrough: a node that slept while its agent's phone went elsewhere, and was rung for another call, ends its own talk
// when it wakes.
func TestTalkSleptThrough(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		slept := a.talk("8001", "call-1")
		time.Sleep(5 * time.Second)
		a.freeze()
		b.registers("8001")
		within(t, 4*time.Minute, "b may ring the phone", func() bool { return b.edge.open("8001") && len(w.claims()) == 0 })
		l := b.talk("8001", "call-2")
		require.NoError(t, slept.Context().Err(), "nobody can tell")
		a.thaw()
		w.hear(a, true)
		within(t, 2*time.Second, "a's talk is ended", func() bool { return slept.Context().Err() != nil })
		end, _ := call.EndOf(slept)
		require.Equal(t, call.CauseTaken, end.Why)
		a.Release("8001", "call-1", call.SiteRest{})
		time.Sleep(5 * time.Second)
		require.NoError(t, l.Context().Err(), "b's goes on")
		require.Equal(t, "call-2", w.claims()["8001"].Call)
		require.Equal(t, 1, w.busy("8001"))
		w.mu.Lock()
		w.most["8001"] = 0 // two for as long as a slept
		w.mu.Unlock()
	})
}

// TestClaimLostByTheBook: a book that failed over forgot a talk's claim, and another call has the agent: the talk is kept, since
// its node never was without a lease, and the phone is not rung.
func TestClaimLostByTheBook(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		before := w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
		talk := a.talk("8001", "call-1")
		time.Sleep(time.Second)
		b.edge.before = func() { time.Sleep(4 * time.Second) } // its INVITE takes that long
		a.link.set(true, false)
		w.book.Forget(before)
		r := b.ring(t.Context(), "8001", "call-2")
		within(t, time.Second, "b has claimed the agent", func() bool { return w.claims()["8001"].Call == "call-2" })
		a.link.set(false, false)
		<-r.done
		require.Error(t, r.err)
		require.NoError(t, talk.Context().Err())
		b.Release("8001", "call-2", call.SiteRest{})
		within(t, 3*time.Second, "it is a's again", func() bool { return w.claims()["8001"].Call == "call-1" })
		require.Equal(t, 1, w.rung("8001"))
		talk.Hangup(call.CauseBye)
		a.Release("8001", "call-1", call.SiteRest{})
	})
}

// TestTalkIsClaimedBeforeItsPhoneIsTold: what a book was lost with is written again in that order: an agent with a flow and no claim
// could be another's.
func TestTalkIsClaimedBeforeItsPhoneIsTold(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		a.talk("8001", "call-1")
		time.Sleep(5 * time.Second)
		a.link.delays("Resume", 300*time.Millisecond)
		w.book.Empty()
		stop := b.attempts("8001")
		early := false
		within(t, 5*time.Second, "it is claimed", func() bool {
			told := w.flowAt("8001") != "" // read before the claim is, so that what is seen without it was told without it
			claimed := w.claims()["8001"].Call == "call-1"
			early = early || told && !claimed
			return claimed
		})
		within(t, 3*time.Second, "its flow is told", func() bool { return w.flowAt("8001") == a.Self() })
		time.Sleep(3 * time.Second)
		require.Zero(t, stop())
		require.False(t, early, "its flow was told before its claim")
		require.Equal(t, "call-1", w.claims()["8001"].Call)
	})
}
