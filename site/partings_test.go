package site_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// settledLeg tells when its BYE was answered.
type settledLeg struct {
	*calltest.Leg
	settled chan struct{}
	once    sync.Once
	mu      sync.Mutex
	at      *edge // by way of which it goes
	from    *edge // its owner's
	leg     call.GateLeg
}

func (l *settledLeg) Settled() <-chan struct{} { return l.settled }

func (l *settledLeg) Dialog() string { return l.leg.Dialog }

// Reroute has the leg go by way of another node, which adopts it if the phone is there, and is told of its end if it has one.
func (l *settledLeg) Reroute(door string) {
	wireTime()
	l.mu.Lock()
	w := l.at.w
	w.mu.Lock()
	for _, n := range w.nodes {
		if door == n.name+":5060" {
			l.at = n.edge
		}
	}
	w.mu.Unlock()
	at := l.at
	l.mu.Unlock()
	at.mu.Lock()
	_, here := at.flows[l.leg.Agent]
	if here {
		at.gates[l.leg.Agent].Adopt(l.leg)
	}
	at.mu.Unlock()
	if here && l.Context().Err() != nil {
		l.bye()
	}
}

// farewell says BYE until the phone has answered, by whatever way there is, for as long as package sip does.
func (l *settledLeg) farewell() {
	for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(500 * time.Millisecond) {
		if l.bye(); l.over() {
			return
		}
	}
	l.once.Do(func() { close(l.settled) })
}

func (l *settledLeg) over() bool {
	select {
	case <-l.settled:
		return true
	default:
		return false
	}
}

// bye is answered by a phone that is reached.
func (l *settledLeg) bye() {
	l.mu.Lock()
	at := l.at
	l.mu.Unlock()
	at.mu.Lock()
	mute := at.mute
	at.mu.Unlock()
	if !mute && !at.apart(l.from) {
		at.over(l.leg.Agent, l.leg.Dialog)
		l.once.Do(func() { close(l.settled) })
	}
}

// attempts has a node ring an agent again and again, as its queues would, until what it returns is called; that returns how
// often somebody answered.
func (n *node) attempts(agent string) (stop func() int64) {
	var over atomic.Bool
	var answered atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; !over.Load(); i++ {
			callID := fmt.Sprintf("%s-attempt-%d", n.name, i)
			r := n.ring(n.w.t.Context(), agent, callID)
			<-r.done
			if r.err == nil {
				answered.Add(1)
				r.leg.Hangup(call.CauseBye)
			}
			n.Release(agent, callID, call.SiteRest{})
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() int64 {
		over.Store(true)
		<-done
		return answered.Load()
	}
}

// TestEdgeDiesOwnerLives: the phone of a talk whose edge died is told that the talk has ended by way of its next edge, and is rung by
// nobody before it has answered that, whenever the caller hangs up, and the phone registers (the world counts the legs that it has at
// once).
func TestEdgeDiesOwnerLives(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		hangs      time.Duration // after the edge's death
		comes      time.Duration
		toOwner    bool
		orphan     bool          // nobody could tell the phone in time
		stillTalks bool          // when the phone has come
		late       time.Duration // the log is, at the owner
		forgets    bool          // the book, before the phone comes
	}{
		{name: "before the death is known", hangs: 10 * time.Millisecond, comes: time.Second, orphan: true},
		{name: "before the death is known, the phone after it", hangs: 10 * time.Millisecond, comes: 9 * time.Second, orphan: true},
		{name: "after the death is known", hangs: 20 * time.Second, comes: time.Minute, orphan: true},
		{name: "when the phone has come", hangs: 30 * time.Second, comes: 2 * time.Second, stillTalks: true},
		{name: "when the phone has come late", hangs: time.Minute, comes: 40 * time.Second, stillTalks: true},
		{name: "when the phone has come to the owner", hangs: 30 * time.Second, comes: 8 * time.Second, toOwner: true, stillTalks: true},
		{name: "before the phone comes to the owner", hangs: 7 * time.Second, comes: 8 * time.Second, toOwner: true, orphan: true},
		{name: "the owner is the last to know", hangs: 20 * time.Second, comes: time.Minute, orphan: true, late: time.Second},
		{name: "the owner is the last to know of its own phone", hangs: 20 * time.Second, comes: time.Minute, toOwner: true, orphan: true, late: time.Second},
		{name: "the book has forgotten the claim", hangs: 20 * time.Second, comes: time.Minute, toOwner: true, orphan: true, late: time.Second, forgets: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t := w.t
				a, b := two(w)
				third := w.node("c")
				within(t, time.Second, "c has joined", func() bool { return a.Others() == 2 && third.Others() == 2 })
				time.Sleep(10 * time.Second)
				w.answerAfter = 10 * time.Millisecond
				before := w.book.Clone(func() time.Time { return time.Now().Add(-bookBehind) })
				l := a.talk("8002", "call-1")
				time.Sleep(5 * time.Second)
				b.kill()
				died := time.Now()
				stop := third.attempts("8002")
				a.link.lags(c.late)
				at := third
				if c.toOwner {
					at = a
				}
				hang := func() {
					time.Sleep(time.Until(died.Add(c.hangs)))
					l.Hangup(call.CauseBye)
					a.Release("8002", "call-1", call.SiteRest{})
				}
				come := func() {
					time.Sleep(time.Until(died.Add(c.comes)))
					at.registers("8002")
				}
				if c.stillTalks {
					come()
					within(t, 9*time.Second, "the new edge has the leg, and the book knows", func() bool {
						return len(at.edge.Legs()) == 1 && w.claims()["8002"].Edge == at.Self()
					})
					time.Sleep(time.Until(died.Add(c.hangs)))
					require.Equal(t, 1, w.busy("8002"), "it talks on")
					require.Equal(t, "call-1", w.claims()["8002"].Call)
					hang()
				} else {
					hang()
					if c.forgets {
						time.Sleep(time.Until(died.Add(30 * time.Second)))
						w.book.Forget(before)
					}
					come()
				}
				within(t, 10*time.Second, "the phone has heard", func() bool { return !w.talks("8002", l) })
				within(t, 10*time.Second, "it is rung again", func() bool { return w.rung("8002") > 1 })
				time.Sleep(5 * time.Second)
				require.Positive(t, stop())
				require.Equal(t, c.orphan, a.Status().Abandoned > 0)
				within(t, 3*time.Second, "nothing is left", func() bool { return len(w.claims()) == 0 && w.busy("8002") == 0 })
			})
		})
	}
}

// talks reports whether a phone has a leg.
func (w *world) talks(agent string, l call.Leg) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, is := w.legs[agent][l.(call.RelayedLeg).Dialog()]
	return is
}

// rung is how often a phone rang.
func (w *world) rung(agent string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rings[agent]
}

// TestToldOnlyByWhoKnows: a node that was told of a leg at another edge does not tell of it.
func TestToldOnlyByWhoKnows(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		t := w.t
		a, b := two(w)
		time.Sleep(5 * time.Second)
		b.edge.dialled("8002", "own-1")
		a.registers("8002")
		within(t, time.Second, "a was told", func() bool { past, _ := a.edge.Past("8002"); return past.Leg != nil })
		time.Sleep(5 * time.Second)
		b.edge.register("8002") // back, and the book does not know it yet
		a.edge.Free("8002", "own-1")
		a.edge.Hold("8002")
		a.edge.Seed(call.GatePast{Agent: "8002", Leg: &call.GateLeg{Dialog: "own-0"}}) // of older times, which nobody has freed
		b.Say(call.SiteFact{Flow: &call.SiteFlow{Agent: "8002", Since: time.Now()}})
		within(t, 50*time.Millisecond, "the log says so", func() bool { return a.desk.flow("8002").Edge == b.Self() })
		pasts := a.Yield([]string{"8002"})
		require.Len(t, pasts, 1)
		require.Nil(t, pasts[0].Leg)
	})
}
