package site_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

// Over nodes that are gone, or only seem to be: each test is a schedule that rings a phone twice, ends a talk, or leaves an
// agent out for ever where a rule is taken out (docs/cluster.md).

// rings20 has offers ring for 20 s at most.
func rings20(o *site.Options) { o.Rings = 20 * time.Second }

// three are three joined nodes, of which a has 8001 and b has 8002.
func three(w *world) (a, b, c *node) {
	w.expires = 20 * time.Second
	w.answerAfter = 10 * time.Millisecond
	a, b, c = w.node("a", rings20), w.node("b", rings20), w.node("c", rings20)
	a.registers("8001")
	b.registers("8002")
	within(w.t, 4*time.Second, "all have joined", func() bool {
		return a.Others() == 2 && b.Others() == 2 && c.Others() == 2 && a.edge.open("8001") && b.edge.open("8002")
	})
	return a, b, c
}

// never holds that something is not so, for a while.
func never(tb testing.TB, d time.Duration, what string, so func() bool) {
	tb.Helper()
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if so() {
			tb.Fatalf("%v before the end: %s", time.Until(until), what)
		}
	}
}

// TestDeadlineFromTheAsking: the deadline of an INVITE counts from when its claim was asked for.
func TestDeadlineFromTheAsking(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, _, _ := three(w)
		time.Sleep(time.Second)
		a.link.mu.Lock()
		a.link.slow = 200 * time.Millisecond
		a.link.mu.Unlock()
		began := time.Now()
		a.talk("8002", "call-1").Hangup(call.CauseBye)
		require.LessOrEqual(w.t, a.edge.rung().Until.Sub(began), 2*time.Second)
		a.Release("8002", "call-1", call.SiteRest{})
	})
}

// TestOwnerTells: of a talk whose edge died, and of which the book knows nothing, its owner tells the phone's next edge.
func TestOwnerTells(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, c := three(w)
		l := a.talk("8002", "call-1")
		b.kill()
		for _, n := range []*node{a, c} {
			n.link.set(false, true)
		}
		within(t, time.Second, "the book is gone", func() bool { return a.state(call.SiteCut)() && c.state(call.SiteCut)() })
		c.registers("8002")
		never(t, 2*time.Minute, "c opens", func() bool { return c.edge.open("8002") })
		l.Hangup(call.CauseSilent)
		a.Release("8002", "call-1", call.SiteRest{})
		never(t, 10*time.Second, "c opens", func() bool { return c.edge.open("8002") })
		within(t, 8*time.Minute, "the phone had its time to say that it is over", func() bool { return c.edge.open("8002") })
	})
}

// TestOwnLegElsewhere: who owns a talk through an edge that died keeps its own gate closed for it, though the book forgot it:
// while it holds it, and when it gave it up without being sure until what rang by it can ring no more.
func TestOwnLegElsewhere(t *testing.T) {
	t.Parallel()
	for name, held := range map[string]bool{"held": true, "given up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b, _ := three(w)
				before := w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
				l := b.talk("8001", "call-1")
				a.kill()
				b.registers("8001")
				within(t, 8*time.Second, "a is dead", func() bool { return b.Others() == 1 })
				open := func() bool { return b.edge.open("8001") }
				if held {
					b.link.denying("Resume")
					w.book.Forget(before)
					never(t, time.Minute, "b opens", open)
					b.link.denying("")
				}
				b.edge.mute = !held
				l.Hangup(call.CauseSilent)
				b.Release("8001", "call-1", call.SiteRest{})
				if !held {
					within(t, 5*time.Second, "it is an orphan", func() bool { return w.claims()["8001"].Orphan })
					w.book.Forget(before)
					never(t, 8*time.Second, "b opens", open)
					b.edge.mute = false
				}
				within(t, 2*time.Minute, "b opens when that is over", func() bool { return open() && len(w.claims()) == 0 })
			})
		})
	}
}

// TestDeadEdgeTestifies: a leg at an edge that lost the book alone, and whose owner is dead, is that edge's to end.
func TestDeadEdgeTestifies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, c := three(w)
		c.talk("8001", "call-1")
		a.link.set(false, true)
		within(t, 8*time.Second, "a is dead by the book", func() bool { return b.Others() == 1 })
		b.registers("8001")
		c.kill()
		never(t, time.Minute, "b opens, or clears", func() bool { return b.edge.open("8001") || w.claims()["8001"].Call == "" })
		a.link.set(false, false)
		within(t, 15*time.Second, "a ends it", func() bool { return a.edge.endedLegOf("8001") })
		within(t, time.Minute, "it may be rung", func() bool { return b.edge.open("8001") && len(w.claims()) == 0 })
	})
}

// TestNotOfMine: an owner tells the asker of no leg through the asker itself, whose gate may have refused it.
func TestNotOfMine(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, _ := three(w)
		stopped := make(chan struct{})
		a.edge.before = func() { <-stopped }
		r := a.ring(t.Context(), "8002", "call-1")
		within(t, time.Second, "it is claimed", func() bool { return w.claims()["8002"].Call == "call-1" })
		gone := b.edge.flow("8002")
		b.edge.Yield("8002")
		b.Say(call.SiteFact{FlowGone: &gone})
		b.registers("8002")
		within(t, 5*time.Second, "b has asked", func() bool { return b.Status().Held == 0 })
		past, _ := b.edge.Past("8002")
		require.Nil(t, past.Leg)
		close(stopped)
		<-r.done
		require.NoError(t, r.err)
		r.leg.Hangup(call.CauseBye)
		a.Release("8002", "call-1", call.SiteRest{})
		within(t, 5*time.Second, "nothing is left", func() bool { return len(w.claims()) == 0 && b.edge.open("8002") })
	})
}

// TestDeadIsAsked: a node that lost the book alone is dead by it, and yet holds and rings its phones: it is asked all the same,
// and while it answers, its word counts and no time does.
func TestDeadIsAsked(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"rung while cut": false, "an orphan": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b, _ := three(w)
				var l call.Leg
				if first {
					l = a.talk("8001", "call-1")
				}
				a.link.set(false, true)
				within(t, time.Second, "a is cut", a.state(call.SiteCut))
				if !first {
					l = a.talk("8001", "call-1")
				}
				within(t, 7*time.Second, "a is dead by the book", func() bool { return b.Others() == 1 })
				time.Sleep(5 * time.Second)
				b.registers("8001")
				never(t, 2*time.Minute, "b opens, or clears", func() bool {
					return b.edge.open("8001") || first && w.claims()["8001"].Call == ""
				})
				require.False(t, a.edge.has("8001"))
				l.Hangup(call.CauseBye)
				a.Release("8001", "call-1", call.SiteRest{})
				within(t, time.Minute, "it is over", func() bool { return b.edge.open("8001") && len(w.claims()) == 0 })
				require.Zero(t, b.Status().Doubts)
			})
		})
	}
}

// TestSleptWithoutBook: a node that slept for longer than its lease, and finds no book when it wakes, rings none of its phones
// before it has asked.
func TestSleptWithoutBook(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, _ := three(w)
		a.registers("8003")
		within(t, time.Second, "8003 is open", func() bool { return a.edge.open("8003") })
		a.freeze()
		b.registers("8009") // to tell a's frozen desk of something
		time.Sleep(10 * time.Millisecond)
		within(t, 8*time.Second, "a is dead", func() bool { return b.Others() == 1 })
		b.registers("8001")
		within(t, 8*time.Second, "8001 is b's", func() bool { return b.edge.open("8001") })
		a.link.set(false, true)
		r := b.ring(t.Context(), "8001", "call-1")
		<-r.done
		require.NoError(t, r.err)
		a.thaw()
		w.hear(a, true)
		within(t, 2*time.Second, "a is cut", a.state(call.SiteCut))
		require.False(t, a.edge.open("8001"))
		within(t, 3*time.Second, "8003 went nowhere", func() bool { return a.edge.open("8003") })
		never(t, 6*time.Second, "a opens for b's phone", func() bool { return a.edge.open("8001") })
	})
}

// TestNoBookNoOwner: a leg whose owner gave it up unheard is ended without the book too.
func TestNoBookNoOwner(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, _ := three(w)
		l := a.talk("8002", "call-1")
		for _, n := range w.nodes {
			n.link.set(false, true)
		}
		within(t, time.Second, "the book is gone", b.state(call.SiteCut))
		time.Sleep(time.Minute)
		require.False(t, b.edge.endedLegOf("8002"), "its owner holds it")
		w.hear(a, false)
		time.Sleep(10 * time.Second)
		require.False(t, b.edge.endedLegOf("8002"), "silence is no word")
		b.edge.mute = true
		l.Hangup(call.CauseBye)
		time.Sleep(time.Second)
		w.hear(a, true)
		within(t, 5*time.Second, "it is ended", func() bool { return b.edge.endedLegOf("8002") })
	})
}

// TestMissingIsNotDead: who has not come yet to a book that was lost, or that was away, is not dead, though nobody hears it.
func TestMissingIsNotDead(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]bool{"emptied": true, "away": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b, c := three(w)
				a.talk("8002", "call-1")
				time.Sleep(5 * time.Second)
				w.hear(a, false)
				for _, n := range []*node{a, b, c} {
					n.link.set(false, true)
				}
				time.Sleep(7 * time.Second)
				if empty {
					w.book.Empty()
				}
				b.link.set(false, false)
				c.link.set(false, false)
				within(t, 3*time.Second, "b is back", b.state(call.SiteJoined))
				time.Sleep(2500 * time.Millisecond)
				require.Equal(t, 1, w.busy("8002"))
				require.False(t, b.edge.endedLegOf("8002"))
				a.link.set(false, false)
				within(t, 3*time.Second, "it is a's again", func() bool { return w.claims()["8002"].Owner == a.Self() })
				time.Sleep(20 * time.Second)
				require.Equal(t, 1, w.busy("8002"))
				require.False(t, b.edge.endedLegOf("8002"))
				w.hear(a, true)
			})
		})
	}
}

// TestSilenceIsNoWord: an owner that lives by the book and does not answer keeps a leg that the book has forgotten.
func TestSilenceIsNoWord(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, _ := three(w)
		a.talk("8002", "call-1")
		time.Sleep(5 * time.Second)
		w.hear(a, false)
		a.link.losing("Resume", true)
		c := w.claims()["8002"]
		require.NoError(t, w.book.Release(t.Context(), a.Self(), call.SiteRest{Agent: "8002", Token: c.Token, Call: "call-1"}))
		never(t, 20*time.Second, "its leg is ended", func() bool { return b.edge.endedLegOf("8002") })
		w.hear(a, true)
	})
}

// TestTellerDies: a leg of which the phone's edge before has told, before it died, keeps the gate closed until it cannot ring any
// more, and no longer: be there a book that has forgotten it, or none.
func TestTellerDies(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]bool{"forgotten": false, "no book": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b, c := three(w)
				before := w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
				w.answerAfter = -1
				a.ring(t.Context(), "8001", "call-1")
				time.Sleep(time.Second)
				began := time.Now()
				b.registers("8001")
				within(t, time.Second, "a has told", func() bool { return b.Status().Held == 0 })
				require.False(t, b.edge.open("8001"))
				a.kill()
				if gone {
					b.link.set(false, true)
					c.link.set(false, true)
				} else {
					w.book.Forget(before)
				}
				within(t, 40*time.Second, "it is over", func() bool { return b.edge.open("8001") })
				require.GreaterOrEqual(t, time.Since(began), 18*time.Second)
				require.Zero(t, w.busy("8001"))
			})
		})
	}
}

// TestResumeFirst: in a book that was lost a node's claims are the first thing that it says.
func TestResumeFirst(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, _, _ := three(w)
		a.talk("8001", "call-1") // less than 3 s old
		now := time.Now()
		a.Say(call.SiteFact{Caller: &call.SiteCaller{Call: "call-9", Queue: "q", Entered: now, Came: now}})
		time.Sleep(100 * time.Millisecond)
		a.link.mu.Lock()
		a.link.did = nil
		a.link.mu.Unlock()
		w.book.Empty()
		within(t, 500*time.Millisecond, "all is there, before anybody may claim", func() bool {
			return w.claims()["8001"].Call == "call-1" && w.flowAt("8001") == a.Self() && w.facts(func(f call.SiteFact) bool { return f.Caller != nil }) == 1
		})
		a.link.mu.Lock()
		defer a.link.mu.Unlock()
		did := a.link.did[slices.Index(a.link.did, "Enter"):]
		require.Less(t, slices.Index(did, "Resume"), slices.Index(did, "Say"))
	})
}

// TestEdgeDiesRinging: phones that ring through a node when it is killed, and answer to nobody, are offered again: though their
// offers' owner has gone as well since, in good order.
func TestEdgeDiesRinging(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b, c := three(w)
		w.answerAfter = time.Second
		ctx, giveUp := context.WithCancel(t.Context())
		r := a.ring(ctx, "8002", "call-1")
		time.Sleep(500 * time.Millisecond)
		b.kill()
		c.registers("8002")
		time.Sleep(4 * time.Second) // the phone has answered: nobody heard it
		giveUp()
		<-r.done
		a.Release("8002", "call-1", call.SiteRest{How: "no answer"})
		within(t, 5*time.Second, "it is an orphan", func() bool { return w.claims()["8002"].Orphan })
		b = w.node("b", rings20)
		time.Sleep(3 * time.Second)
		require.NoError(t, a.Leave(t.Context()))
		a.kill()
		within(t, 25*time.Second, "it is offered again", func() bool { return c.edge.open("8002") && len(w.claims()) == 0 })
		w.answerAfter = 10 * time.Millisecond
		b.talk("8002", "call-2").Hangup(call.CauseBye)
		b.Release("8002", "call-2", call.SiteRest{})
	})
}
