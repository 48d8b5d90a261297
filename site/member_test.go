package site_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// two are two joined nodes with a phone each: 8001 at a, 8002 at b.
func two(w *world) (a, b *node) {
	a, b = w.node("a"), w.node("b")
	a.registers("8001")
	b.registers("8002")
	within(w.t, 4*time.Second, "both nodes know both phones, which may be rung", func() bool {
		return a.desk.knows("8001") && a.desk.knows("8002") && b.desk.knows("8001") && b.desk.knows("8002") &&
			a.edge.open("8001") && b.edge.open("8002")
	})
	return a, b
}

func TestJoin(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		require.True(t, a.desk.told(func(n call.SiteNews) bool { return n.Whole && n.State == call.SiteJoined && n.Self == a.Self() }))
		require.NotEqual(t, a.Self().Process(), b.Self().Process())
		require.Equal(t, 1, a.Others())
		require.True(t, a.MovesOn())
		s := a.Status()
		require.Equal(t, call.SiteJoined, s.State)
		require.Equal(t, []string{"a", "b"}, []string{s.Nodes[0].Name, s.Nodes[1].Name})
		require.EqualValues(t, 1, s.Epoch)
		require.Equal(t, 2, s.Flows)
		// instants are this node's, though the book's clock is another
		f := a.desk.flow("8002")
		require.WithinDuration(t, b.edge.flow("8002").Since, f.Since, time.Millisecond)
		require.Equal(t, b.Self(), f.Edge)
		require.WithinDuration(t, time.Now().Add(5*time.Second), a.Lease(), time.Second)

		b.kill()
		within(t, 7*time.Second, "the other is dead", func() bool { return a.Others() == 0 })
		require.True(t, a.desk.told(func(n call.SiteNews) bool { return len(n.Dead) == 1 && n.Dead[0] == b.Self() }))
		require.Equal(t, call.SiteSole, a.Status().State)
		require.Equal(t, call.SiteJoined, a.desk.last(), "what the dead left behind is still to be seen")
		require.False(t, a.MovesOn())
	})
}

func TestRingElsewhere(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		r := a.ring(t.Context(), "8002", "call-1")
		within(t, 200*time.Millisecond, "b's desk knows of the claim, and that it rings", func() bool {
			c := b.desk.claim("8002")
			return c.Call == "call-1" && c.Owner == a.Self() && c.Edge == b.Self() && !c.Rung.IsZero()
		})
		require.WithinDuration(t, time.Now(), b.desk.claim("8002").Rung, 100*time.Millisecond)
		c := a.edge.rung()
		require.Equal(t, "b:5060", c.Via)
		require.LessOrEqual(t, time.Until(c.Until), 2*time.Second)
		require.Equal(t, call.CauseTaken, b.ring(t.Context(), "8002", "call-2").why(t))
		<-r.done
		require.NoError(t, r.err)
		within(t, 100*time.Millisecond, "b's desk knows that it was answered", func() bool { return !b.desk.claim("8002").Answered.IsZero() })
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, w.busy("8002"), "the talk goes on")
		require.Equal(t, []string{c.Token.String() + " 8002"}, a.Held([]string{c.Token.String() + " 8002", "1.99 8002", "nonsense"}))

		r.leg.Hangup(call.CauseBye)
		wrap := time.Now().Add(20 * time.Second)
		a.Release("8002", "call-1", call.SiteRest{How: "answered", WrapUntil: wrap})
		within(t, 500*time.Millisecond, "the claim is given back", func() bool { return b.desk.claim("8002").Call == "" })
		require.True(t, b.desk.told(func(n call.SiteNews) bool {
			for _, f := range n.Facts {
				if f.Rest != nil && f.Rest.Token == c.Token {
					return f.Rest.WrapUntil.Sub(wrap).Abs() < time.Millisecond && f.Rest.By == a.Self()
				}
			}
			return false
		}))
		b.talk("8002", "call-3").Hangup(call.CauseBye)
		require.Positive(t, b.edge.highest("8002").Compare(c.Token))
		b.Release("8002", "call-3", call.SiteRest{How: "answered"})
	})
}

// TestPhoneIsAt: where a phone is, as its registrar sees it, is told to who rings it from elsewhere, and again when it has moved;
// what a desk says of its legs changes nothing of that.
func TestPhoneIsAt(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		for _, at := range []string{"192.0.2.7", "2001:db8::7"} {
			a.edge.at("8001", netip.MustParseAddr(at))
			within(t, 1500*time.Millisecond, "b's desk knows", func() bool { return b.desk.flow("8001").At.String() == at })
		}
		legs := a.desk.flow("8001")
		legs.Legs, legs.At = 1, netip.Addr{}
		a.Say(call.SiteFact{Flow: &legs})
		within(t, 200*time.Millisecond, "b's desk knows of the leg", func() bool { return b.desk.flow("8001").Legs == 1 })
		require.Equal(t, "2001:db8::7", b.desk.flow("8001").At.String())
		r := b.ring(t.Context(), "8001", "call-1")
		<-r.done
		require.NoError(t, r.err)
		require.Equal(t, "2001:db8::7", b.edge.rung().Phone.String())
		r.leg.Hangup(call.CauseBye)
		b.Release("8001", "call-1", call.SiteRest{How: "answered"})
	})
}

// TestReleaseAfterBye: a claim on a phone of the own edge is given back when the phone's gate is free, and a ring that comes
// before waits for it.
func TestReleaseAfterBye(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		for i := range 3 {
			l := a.talk("8001", "call-1")
			l.Hangup(call.CauseBye)
			a.Release("8001", "call-1", call.SiteRest{How: "answered"})
			require.Len(t, w.claims(), 1, "round %d: BYE is not answered yet", i)
		}
		within(t, time.Second, "the claim is given back", func() bool { return len(w.claims()) == 0 })

		// one whose BYE is not answered is left to the edge, which ends it
		a.edge.mute = true
		l := a.talk("8001", "call-2")
		l.Hangup(call.CauseBye)
		a.Release("8001", "call-2", call.SiteRest{How: "answered"})
		within(t, 3*time.Second, "it is an orphan", func() bool { return b.desk.claim("8001").Orphan })
		within(t, 3*time.Second, "it is cleared", func() bool { return len(w.claims()) == 0 })
		require.True(t, a.edge.endedLegOf("8001"))
		require.EqualValues(t, 1, a.Status().Abandoned)
	})
}

func TestBothWantOne(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		ra, rb := a.ring(t.Context(), "8002", "call-a"), b.ring(t.Context(), "8002", "call-b")
		<-ra.done
		<-rb.done
		require.NotEqual(t, ra.err == nil, rb.err == nil)
		lost := rb
		if ra.err != nil {
			lost = ra
		}
		require.Equal(t, call.CauseTaken, lost.why(t))
		require.Less(t, lost.took, 10*time.Millisecond, "it costs the agent nothing")
		require.Equal(t, 1, w.rings["8002"])
	})
}

func TestCutAndBack(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hangs", "refuses"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b := two(w)
				w.answerAfter = 10 * time.Millisecond
				old := a.talk("8002", "call-0") // at b, owned by a
				for _, n := range []*node{a, b} {
					n.link.set(how == "hangs", how == "refuses")
				}
				took := within(t, time.Second, "both go on alone", func() bool { return a.state(call.SiteCut)() && b.state(call.SiteCut)() })
				t.Logf("cut after %v", took)
				require.Equal(t, call.CauseTaken, a.ring(t.Context(), "8002", "call-1").why(t), "another edge's phone")
				mine := a.talk("8001", "call-2")
				require.Equal(t, call.CauseTaken, b.ring(t.Context(), "8002", "call-3").why(t), "it talks")
				before := a.edge.highest("8001")
				time.Sleep(20 * time.Second) // the leases are over
				require.Equal(t, 1, w.busy("8002"), "its owner lives")
				require.False(t, time.Now().Before(a.Lease()))

				for _, n := range []*node{a, b} {
					n.link.set(false, false)
				}
				within(t, 2*time.Second, "they join again", func() bool { return a.state(call.SiteJoined)() && b.state(call.SiteJoined)() })
				within(t, 3*time.Second, "both talks are claimed again", func() bool {
					c := w.claims()
					return c["8001"].Call == "call-2" && c["8001"].Owner == a.Self() && c["8001"].Token == before &&
						c["8002"].Call == "call-0" && c["8002"].Owner == a.Self() && !c["8002"].Orphan
				})
				require.Equal(t, 1, w.busy("8002"))
				mine.Hangup(call.CauseBye)
				a.Release("8001", "call-2", call.SiteRest{})
				old.Hangup(call.CauseBye)
				a.Release("8002", "call-0", call.SiteRest{})
				within(t, time.Second, "both are given back", func() bool { return len(w.claims()) == 0 })
				b.talk("8001", "call-4").Hangup(call.CauseBye)
				require.Positive(t, a.edge.highest("8001").Compare(before))
				b.Release("8001", "call-4", call.SiteRest{})
			})
		})
	}
}

// TestStartsWithoutBook: a node serves though it never had the book, and joins by itself.
func TestStartsWithoutBook(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		w.answerAfter = 10 * time.Millisecond
		a := w.node("a")
		a.link.set(false, true)
		a.registers("8001")
		within(t, time.Second, "it goes on alone", a.state(call.SiteCut))
		took := within(t, 9*time.Second, "it cannot know who was here before it was started", func() bool { return a.edge.open("8001") })
		require.GreaterOrEqual(t, took, 7*time.Second)
		l := a.talk("8001", "call-1")
		a.link.set(false, false)
		within(t, time.Second, "it joins", a.state(call.SiteJoined))
		within(t, 2*time.Second, "its talk is claimed", func() bool { return w.claims()["8001"].Call == "call-1" })
		l.Hangup(call.CauseBye)
		a.Release("8001", "call-1", call.SiteRest{})
		within(t, time.Second, "it is given back", func() bool { return len(w.claims()) == 0 })
	})
}

func TestEmptied(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		l := a.talk("8002", "call-1")
		now := time.Now()
		b.Say(call.SiteFact{Shift: &call.Shift{Agent: "8002", Paused: true, Since: now}}, call.SiteFact{Shift: &call.Shift{Agent: "8001"}},
			call.SiteFact{Place: &call.SitePlace{Queue: "q", Number: "139", Entered: now, Left: now, Until: now.Add(5 * time.Minute)}})
		a.Say(call.SiteFact{Caller: &call.SiteCaller{Call: "call-9", Queue: "q", Entered: now, Came: now}})
		isRest := func(f call.SiteFact) bool { return f.Shift != nil || f.Place != nil || f.Caller != nil }
		within(t, time.Second, "it is written", func() bool { return w.facts(isRest) == 4 })
		old := b.edge.highest("8002")
		b.kill() // what it said outlives it

		w.book.Empty()
		within(t, 4*time.Second, "what was said is there again, but for what the dead node had", func() bool {
			return w.facts(isRest) == 4 && w.claims()["8002"].Call == "call-1" && w.flowAt("8001") == a.Self() && w.flowAt("8002") == ""
		})
		require.EqualValues(t, 2, a.Status().Epoch)
		require.Equal(t, old, w.claims()["8002"].Token)
		l.Hangup(call.CauseBye)
		a.Release("8002", "call-1", call.SiteRest{})
		require.True(t, a.edge.open("8001"), "it lived all the time by its own clock")
		a.talk("8001", "call-2").Hangup(call.CauseBye)
		require.Positive(t, a.edge.highest("8001").Compare(old))
		require.EqualValues(t, 2, a.edge.highest("8001").Epoch)
		a.Release("8001", "call-2", call.SiteRest{})
	})
}

// TestShiftChosenTwice: what an agent chose first does not undo, when the log tells of it, what they have chosen since and
// the book does not have yet; nor does another node's choice that this one's will follow, nor a reading of the whole.
func TestShiftChosenTwice(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		shift := func(reason string) call.SiteFact {
			return call.SiteFact{Shift: &call.Shift{Agent: "8001", Paused: reason != "", Reason: reason}}
		}
		told := func(n *node, reason string) func() bool {
			return func() bool {
				return n.desk.told(func(news call.SiteNews) bool {
					return slices.ContainsFunc(news.Facts, func(f call.SiteFact) bool { return f.Shift != nil && f.Shift.Reason == reason })
				})
			}
		}
		a.link.losing("Say", true) // the book does it, and its answer does not come for a while
		a.Say(shift("tea"))
		time.Sleep(time.Millisecond)
		a.Say(shift("lunch"))
		within(t, 100*time.Millisecond, "the other hears of it", told(b, "tea"))
		time.Sleep(50 * time.Millisecond)
		require.False(t, told(a, "tea")(), "lunch is what holds here")
		b.Say(shift("meeting"))
		time.Sleep(50 * time.Millisecond)
		require.False(t, told(a, "meeting")(), "lunch is still to be written")
		a.link.losing("Say", false)
		within(t, 2*time.Second, "it is the last in the log", told(b, "lunch"))
		b.Say(shift("home"))
		within(t, 100*time.Millisecond, "what comes after it holds", told(a, "home"))
		require.False(t, told(a, "tea")() || told(a, "meeting")())
	})
}

// TestStopped: a node was stopped for longer than its lease, be it with a question to the book on its way, and its phone went
// to another meanwhile.
func TestStopped(t *testing.T) {
	t.Parallel()
	for name, asking := range map[string]bool{"idle": false, "asking": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) { stopped(w, asking) })
		})
	}
}

func stopped(w *world, asking bool) {
	t := w.t
	a, b := two(w)
	w.answerAfter = 10 * time.Millisecond
	a.talk("8002", "call-1")
	self := a.Self()
	a.freeze()
	b.registers("8003") // to tell a's frozen desk of something
	time.Sleep(10 * time.Millisecond)
	a.link.set(asking, false)
	within(t, 8*time.Second, "a is declared dead", func() bool { return b.Others() == 0 })
	require.True(t, b.desk.claim("8002").Orphan)
	b.registers("8001") // it went to b
	within(t, 5*time.Second, "b may ring it", func() bool { return b.edge.open("8001") })
	require.True(t, time.Now().After(a.Lease()), "a's edge admits nothing of other nodes any more")
	w.hear(a, true)
	a.link.set(false, false)
	a.thaw()
	within(t, time.Second, "it is a member again, as another run", func() bool { return a.state(call.SiteJoined)() && a.Self() != self })
	require.Equal(t, self.Process(), a.Self().Process())
	require.False(t, a.desk.told(func(n call.SiteNews) bool { return n.State == call.SiteCut }), "it asked the book first")
	within(t, 100*time.Millisecond, "it gives up the phone that is b's now", func() bool { return !a.edge.has("8001") })
	require.Equal(t, b.Self(), w.flowAt("8001"))
}

func TestLeave(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		require.NoError(t, b.Leave(t.Context()))
		within(t, 100*time.Millisecond, "it is gone at once", func() bool { return a.Others() == 0 && !a.desk.knows("8002") })
		require.Equal(t, call.CauseTaken, a.ring(t.Context(), "8002", "call-1").why(t))
		_, err := b.Ring(context.Background(), call.RingRequest{Agent: "8001", CallID: "call-2"})
		require.Error(t, err)
	})
}
