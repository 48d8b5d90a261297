package site_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// TestOwnerDies: the phone's edge ends the leg of a dead owner, and the agent is free.
func TestOwnerDies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		a.talk("8002", "call-1")
		a.kill()
		within(t, 7*time.Second, "it is an orphan", func() bool { return b.desk.claim("8002").Orphan })
		within(t, 6*time.Second, "it is cleared", func() bool { return b.desk.claim("8002").Call == "" })
		require.True(t, b.edge.endedLegOf("8002"))
		require.Zero(t, w.busy("8002"))
		b.talk("8002", "call-2").Hangup(call.CauseBye)
		b.Release("8002", "call-2", call.SiteRest{})
	})
}

// TestOwnerLostOnlyTheBook: its talk at another edge goes on, and is its own again.
func TestOwnerLostOnlyTheBook(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		a.talk("8002", "call-1")
		a.link.set(true, false)
		within(t, 7*time.Second, "it is an orphan", func() bool { return b.desk.claim("8002").Orphan })
		time.Sleep(time.Minute)
		require.Equal(t, 1, w.busy("8002"), "its owner says that it holds it")
		require.True(t, b.desk.claim("8002").Orphan)
		a.link.set(false, false)
		within(t, 3*time.Second, "it is a's again", func() bool {
			c := b.desk.claim("8002")
			return !c.Orphan && c.Owner == a.Self() && c.Call == "call-1"
		})
		require.False(t, b.edge.endedLegOf("8002"))
	})
}

// TestOwnerStoppedBeforeItsInvite: the edge refuses the token before it clears the orphan, so that the INVITE comes too late.
func TestOwnerStoppedBeforeItsInvite(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		stopped := make(chan struct{})
		a.edge.before = func() { <-stopped }
		late := a.ring(t.Context(), "8002", "call-1")
		within(t, time.Second, "it is claimed", func() bool { return b.desk.claim("8002").Call == "call-1" })
		a.freeze()
		b.registers("8003")
		within(t, 8*time.Second, "it was an orphan, and is cleared", func() bool { return b.desk.claim("8002").Call == "" && b.Others() == 0 })
		require.Equal(t, a.edge.rung().Token, b.edge.highest("8002"), "it is never admitted any more")
		w.answerAfter = time.Minute
		r := b.ring(t.Context(), "8002", "call-2")
		within(t, time.Second, "b's ring", func() bool { return w.busy("8002") == 1 })
		w.hear(a, true)
		a.thaw()
		close(stopped)
		<-late.done
		require.Error(t, late.err)
		<-r.done
		require.NoError(t, r.err)
		require.Equal(t, 1, w.rings["8002"], "the late INVITE rang nobody")
	})
}

// TestUnsure: an owner that does not know whether the phone rings leaves that to the phone's edge.
func TestUnsure(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.hear(a, false) // cut off from the nodes alone
		r := a.ring(t.Context(), "8002", "call-1")
		require.Equal(t, call.CauseUnreachable, r.why(t))
		rest := time.Now().Add(time.Minute)
		a.Release("8002", "call-1", call.SiteRest{How: "unreachable", RestUntil: rest})
		within(t, 500*time.Millisecond, "the rest is told all the same, and b clears what never came", func() bool {
			return len(w.claims()) == 0 && w.facts(func(f call.SiteFact) bool { return f.Rest != nil && !f.Rest.RestUntil.IsZero() }) == 1
		})
		require.False(t, b.edge.endedLegOf("8002"), "there was none")
		require.EqualValues(t, 1, a.Status().Abandoned)
		require.Zero(t, w.rings["8002"])
	})
}

// TestEdgeDies: an orphan whose edge is dead is cleared where the phone registers, when nothing of it can reach the phone.
func TestEdgeDies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		answers     bool
		least, most time.Duration // after the edge's death
	}{
		{"it talked", true, 3 * time.Minute, 4 * time.Minute},
		{"it rang", false, 2 * time.Minute, 4 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b := two(w)
				ctx, giveUp := context.WithCancel(t.Context())
				defer giveUp()
				w.answerAfter = -1
				if c.answers {
					w.answerAfter = 10 * time.Millisecond
				}
				r := a.ring(ctx, "8002", "call-1")
				if c.answers {
					<-r.done
				}
				time.Sleep(time.Second)
				b.kill()
				within(t, 7*time.Second, "b is dead", func() bool { return a.Others() == 0 })
				began := time.Now()
				a.kill() // nobody is left who could tell the phone
				a = w.node("c")
				within(t, 8*time.Second, "a is dead too", func() bool { return a.desk.claim("8002").Orphan })
				a.edge.mute = true // it does not hear of the end by its new edge
				a.registers("8002")
				within(t, time.Second, "the phone is at a node that lives", func() bool { return w.flowAt("8002") == a.Self() })
				within(t, c.most, "it is cleared", func() bool {
					if time.Since(began) < c.least {
						require.False(t, a.edge.open("8002"), "the gate itself is closed for as long")
					}
					return len(w.claims()) == 0 && a.edge.open("8002")
				})
				require.GreaterOrEqual(t, time.Since(began), c.least)
				w.mu.Lock()
				w.legs["8002"] = nil // the person hung up
				w.mu.Unlock()
				a.edge.mute = false
				w.answerAfter = 10 * time.Millisecond
				a.talk("8002", "call-2").Hangup(call.CauseBye)
				a.Release("8002", "call-2", call.SiteRest{})
			})
		})
	}
}

// TestLegWithoutClaim: a leg that the book does not know of, and that no owner holds, is ended.
func TestLegWithoutClaim(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		before := w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
		a.talk("8002", "call-1")
		w.book.Forget(before) // a failover that lost the claim
		within(t, 6*time.Second, "it is claimed again", func() bool { return w.claims()["8002"].Call == "call-1" })
		require.Equal(t, 1, w.busy("8002"))
		a.kill()
		w.book.Forget(before)
		within(t, 12*time.Second, "the leg is ended", func() bool { return b.edge.endedLegOf("8002") })
		within(t, time.Second, "no claim is left", func() bool { return len(w.claims()) == 0 })
	})
}

func TestNewPhone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		l := a.talk("8002", "call-1")
		high := b.edge.highest("8002")
		time.Sleep(5 * time.Second)

		a.registers("8002") // while it talks through b
		within(t, 100*time.Millisecond, "b has given it up, and said so", func() bool { return !b.edge.has("8002") && a.edge.highest("8002") == high })
		require.Equal(t, a.Self(), w.flowAt("8002"))
		require.False(t, a.edge.open("8002"), "it talks through b")
		l.Hangup(call.CauseBye)
		a.Release("8002", "call-1", call.SiteRest{})
		within(t, 3*time.Second, "it may be rung", func() bool { return a.edge.open("8002") })
		b.talk("8002", "call-2").Hangup(call.CauseBye)
		b.Release("8002", "call-2", call.SiteRest{})

		// one that made a call of its own through its old edge
		time.Sleep(5 * time.Second)
		a.edge.dialled("8002", "own-1")
		b.registers("8002")
		within(t, time.Second, "a gave it up", func() bool { return !a.edge.has("8002") })
		time.Sleep(10 * time.Second)
		require.False(t, b.edge.open("8002"))
		a.edge.over("8002", "own-1")
		within(t, 3*time.Second, "that call is over", func() bool { return b.edge.open("8002") })
	})
}

// TestNewPhoneWhoseEdgeIsSilent: it is held until the silent node is dead by the book, or while there is no book for 8 s.
func TestNewPhoneWhoseEdgeIsSilent(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.hear(b, false)
		a.registers("8002")
		time.Sleep(30 * time.Second)
		require.False(t, a.edge.open("8002"), "b lives, and has not answered")
		require.Equal(t, 1, a.Status().Held)
		w.hear(b, true)
		within(t, 3*time.Second, "b has answered", func() bool { return a.edge.open("8002") })

		w.hear(b, false)
		a.registers("8003")
		b.kill()
		took := within(t, 10*time.Second, "b is dead", func() bool { return a.edge.open("8003") })
		require.GreaterOrEqual(t, took, 5*time.Second)
		require.Zero(t, a.Status().Doubts)

		c := w.node("c")
		within(t, time.Second, "c has joined", func() bool { return a.Others() == 1 })
		a.link.set(true, false)
		w.hear(c, false)
		within(t, time.Second, "a is cut", a.state(call.SiteCut))
		a.registers("8004")
		took = within(t, 9*time.Second, "what cannot be known is doubt", func() bool { return a.edge.open("8004") })
		require.GreaterOrEqual(t, took, 7*time.Second)
		require.EqualValues(t, 1, a.Status().Doubts)
	})
}

func TestAnswerLost(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		a.link.losing("Claim", true)
		r := a.ring(t.Context(), "8002", "call-1")
		require.Equal(t, call.CauseTaken, r.why(t))
		require.InDelta(t, 250, r.took.Milliseconds(), 20)
		within(t, 1200*time.Millisecond, "the claim that nobody waits for is given back", func() bool { return len(w.claims()) == 0 })
		a.link.losing("Claim", false)
		b.talk("8002", "call-2").Hangup(call.CauseBye)
		b.Release("8002", "call-2", call.SiteRest{})

		// deeds whose answers are lost are done again, and hold up no facts
		b.link.losing("Release", true)
		within(t, 5*time.Second, "released", func() bool { return len(w.claims()) == 0 })
		b.Say(call.SiteFact{Shift: &call.Shift{Agent: "8002", Paused: true, Since: time.Now()}})
		within(t, 50*time.Millisecond, "said", func() bool { return w.facts(func(f call.SiteFact) bool { return f.Shift != nil }) == 1 })
		b.link.losing("Release", false)
	})
}

// TestGateAbove: what a gate has seen that the book does not know of is the book's next time.
func TestGateAbove(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		b.edge.Refuse("8002", call.Token{Epoch: 1, N: 1000})
		require.Equal(t, call.CauseTaken, a.ring(t.Context(), "8002", "call-1").why(t))
		a.Release("8002", "call-1", call.SiteRest{})
		a.talk("8002", "call-2").Hangup(call.CauseBye)
		require.Greater(t, b.edge.highest("8002").N, uint64(1000))
		a.Release("8002", "call-2", call.SiteRest{})
	})
}

// TestNoDesk: a claim that no desk gives back, such as on a supervisor's phone, is given back by itself.
func TestNoDesk(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, _ := two(w)
		w.answerAfter = 10 * time.Millisecond
		l := a.talk("8002", "call-1")
		time.Sleep(20 * time.Second)
		require.Len(t, w.claims(), 1)
		l.Hangup(call.CauseBye)
		within(t, 5*time.Second, "it is given back", func() bool { return len(w.claims()) == 0 })
	})
}

// TestFading: with less than the margin left no phone of another edge is rung.
func TestFading(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, _ := two(w)
		w.answerAfter = 10 * time.Millisecond
		slow := w.node("slow", func(o *site.Options) { o.CutAfter = time.Hour })
		within(t, time.Second, "it has joined", slow.state(call.SiteJoined))
		slow.registers("8009")
		within(t, 3*time.Second, "its phone is open", func() bool { return slow.edge.open("8009") })
		slow.link.losing("Renew", true)
		slow.link.losing("Renew", false)
		slow.link.set(true, false)
		within(t, 5*time.Second, "it fades", slow.state(call.SiteFading))
		require.Equal(t, call.CauseTaken, slow.ring(t.Context(), "8001", "call-1").why(t))
		require.Less(t, time.Until(slow.Lease()), time.Second+10*time.Millisecond)
		require.Zero(t, w.rings["8001"])
		require.True(t, a.edge.open("8001"))
	})
}

// TestSilentLeg: a leg that ended since its far end was silent may talk on at the phone: its edge is told at once.
func TestSilentLeg(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		b.edge.mute = true
		a.talk("8002", "call-1").Hangup(call.CauseSilent)
		a.Release("8002", "call-1", call.SiteRest{})
		within(t, 300*time.Millisecond, "it is an orphan", func() bool { return b.desk.claim("8002").Orphan })
		within(t, 2*time.Second, "b ends the leg, and clears it", func() bool { return b.edge.endedLegOf("8002") && len(w.claims()) == 0 })
	})
}
