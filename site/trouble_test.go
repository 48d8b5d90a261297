package site_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/site"
)

// listening has a node's warnings kept.
func listening() (*observer.ObservedLogs, func(*site.Options)) {
	core, logs := observer.New(zap.WarnLevel)
	return logs, func(o *site.Options) { o.Logger = zap.New(core) }
}

// figure is the value of a metric without labels.
func (n *node) figure(name string) int {
	families, err := n.registry.Gather()
	require.NoError(n.w.t, err)
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return int(m.GetGauge().GetValue() + m.GetCounter().GetValue())
		}
	}
	require.Fail(n.w.t, "no such metric", name)
	return 0
}

// TestUnheard: a node that renews its lease and does not answer this one is told before there is a phone to be asked about, for
// as long as it lives and does not answer.
func TestUnheard(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		logs, kept := listening()
		a, b := w.node("a", kept), w.node("b")
		within(t, 5*time.Second, "they know each other", func() bool { return a.Others() == 1 && b.Others() == 1 })
		none := func() bool { return len(a.Status().Unheard) == 0 }
		never(t, 20*time.Second, "it is told though it answers", func() bool { return !none() })
		w.hear(b, false)
		began := time.Now()
		never(t, 9*time.Second, "it is told at once", func() bool { return !none() })
		within(t, 10*time.Second, "it is told", func() bool { return !none() })
		since := a.Status().Unheard[b.Self()]
		require.True(t, since.After(began) && since.Before(began.Add(7*time.Second)), "unheard since %v, %v", since, began)
		require.Equal(t, 1, a.figure("hotline_site_unheard_nodes"))
		time.Sleep(30 * time.Second)
		require.Equal(t, 1, a.Others(), "it lives")
		require.Equal(t, since, a.Status().Unheard[b.Self()])
		told := logs.FilterMessageSnippet("does not answer this one").FilterField(zap.String("name", "b")).FilterLevelExact(zap.ErrorLevel)
		require.Equal(t, 1, told.Len(), "once a minute")
		w.hear(b, true)
		within(t, 7*time.Second, "it answers", none)
		require.Zero(t, a.figure("hotline_site_unheard_nodes"))
		b.kill()
		never(t, 30*time.Second, "one that is dead is told", func() bool { return !none() })
	})
}

// TestNamesake: two nodes of one name tell it, but not one that was started again under the name that it had.
func TestNamesake(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		w.node("a").kill()
		logs, kept := listening()
		a := w.node("a", kept)
		never(t, 20*time.Second, "it takes itself for another", func() bool { return len(a.Status().Namesakes) > 0 })
		b := w.node("b", func(o *site.Options) { o.Name = "a" })
		within(t, 16*time.Second, "both tell", func() bool { return len(a.Status().Namesakes) == 1 && len(b.Status().Namesakes) == 1 })
		require.Contains(t, a.Status().Namesakes, b.Self())
		require.Contains(t, b.Status().Namesakes, a.Self())
		require.Equal(t, 1, a.figure("hotline_site_namesakes"))
		within(t, 2*time.Second, "it is logged", func() bool {
			return logs.FilterMessageSnippet("has the name of this one").FilterLevelExact(zap.ErrorLevel).Len() == 1
		})
		b.kill()
		within(t, 7*time.Second, "it is over", func() bool { return len(a.Status().Namesakes) == 0 })
	})
}

// TestRenewalRefused: what a lease's renewal fails with is logged, also where the node has nothing to write.
func TestRenewalRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		logs, kept := listening()
		a := w.node("a", kept)
		within(t, 5*time.Second, "it has joined", a.state(call.SiteJoined))
		a.link.denying("Renew")
		within(t, 2*time.Second, "it goes on alone", a.state(call.SiteCut))
		why := logs.FilterMessageSnippet("renew this node's lease").All()
		require.Len(t, why, 1)
		require.Contains(t, why[0].ContextMap()["error"], errLink.Error())
	})
}

// TestLeaveInTime: what the book does not take is not in the way of the goodbye, however short the time is.
func TestLeaveInTime(t *testing.T) {
	t.Parallel()
	for _, most := range []time.Duration{400 * time.Millisecond, 3 * time.Second} {
		t.Run(most.String(), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b := two(w)
				w.answerAfter = 10 * time.Millisecond
				b.link.denying("Release")
				b.talk("8002", "call-1").Hangup(call.CauseBye)
				b.Release("8002", "call-1", call.SiteRest{How: "answered"})
				ctx, stop := context.WithTimeout(context.Background(), most)
				defer stop()
				require.NoError(t, b.Leave(ctx))
				within(t, 100*time.Millisecond, "it is gone at once", func() bool { return a.Others() == 0 })
			})
		})
	}
}

// TestRefusedDeed: a deed that a book does not take, though it answers, is given up, and its agent is claimed again.
func TestRefusedDeed(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		logs, kept := listening()
		a, b := w.node("a", kept), w.node("b")
		b.registers("8002")
		within(t, 5*time.Second, "the phone may be rung", func() bool { return a.desk.knows("8002") && b.edge.open("8002") })
		w.answerAfter = 10 * time.Millisecond
		a.link.denying("Mark")
		a.talk("8002", "call-1").Hangup(call.CauseBye)
		a.Release("8002", "call-1", call.SiteRest{How: "answered"})
		never(t, 5*time.Second, "it is given up soon", func() bool { return len(w.claims()) == 0 })
		within(t, 10*time.Second, "it is given up, and what follows is written", func() bool { return len(w.claims()) == 0 })
		require.Equal(t, 1, a.figure("hotline_site_facts_lost_total"))
		require.Equal(t, 1, logs.FilterMessageSnippet("it is given up").FilterField(zap.String("agent", "8002")).Len())
		b.talk("8002", "call-2").Hangup(call.CauseBye)
		b.Release("8002", "call-2", call.SiteRest{})
	})
}

// TestDeedOutlastsSilence: while the book is away nothing is given up.
func TestDeedOutlastsSilence(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		w.answerAfter = 10 * time.Millisecond
		l := a.talk("8001", "call-1")
		a.link.set(false, true)
		within(t, time.Second, "it goes on alone", a.state(call.SiteCut))
		l.Hangup(call.CauseBye)
		a.Release("8001", "call-1", call.SiteRest{How: "answered", WrapUntil: time.Now().Add(time.Hour)})
		time.Sleep(time.Minute)
		a.link.set(false, false)
		within(t, 5*time.Second, "b is told what it left behind", func() bool {
			return b.desk.told(func(n call.SiteNews) bool {
				for _, f := range n.Facts {
					if f.Rest != nil && f.Rest.Agent == "8001" && !f.Rest.WrapUntil.IsZero() {
						return true
					}
				}
				return false
			})
		})
		require.Zero(t, a.figure("hotline_site_facts_lost_total"))
	})
}
