package call_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
	"hotline/call/calltest"
)

// doing is something that parties do, after a while, or in the same instant as the one before and with
// nobody in between. Which leg or call is meant is taken modulo those there are.
type doing struct {
	After time.Duration
	Do    string
	Who   int
	Other int
	Crash bool
}

var anyDoing = rapid.Custom(func(t *rapid.T) doing {
	return doing{
		After: rapid.SampledFrom([]time.Duration{-1, -1, 0, 0, time.Second, 8 * time.Second}).Draw(t, "after"),
		Do: rapid.SampledFrom([]string{
			"answer", "answer", "answer", "fail", "ring", "blind", "blind", "number", "queue", "menu",
			"attended", "attended", "attended", "end", "end", "hold", "resume", "answers", "fails",
		}).Draw(t, "do"),
		Who:   rapid.IntRange(0, 11).Draw(t, "who"),
		Other: rapid.IntRange(0, 11).Draw(t, "other"),
		Crash: rapid.Bool().Draw(t, "crash"),
	}
})

// TestAnySequence has a customer's call, and two that their agent makes, go through anything in any order:
// each leg has one owner or has ended; when all who called, or are served by now, have hung up, nobody is left; a phone that asked
// by REFER was told how that ended, once; every record is whole.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doings := rapid.SliceOfN(anyDoing, 1, 25).Draw(rt, "doings")
		var failure error
		synctest.Test(t, func(t *testing.T) {
			w := newTown(t)
			w.begin()
			for i, d := range doings {
				if d.After >= 0 {
					<-time.After(d.After)
					synctest.Wait()
					if failure = w.owned(); failure != nil {
						failure = fmt.Errorf("before %d %+v: %w", i, d, failure)
						break
					}
				}
				w.any(d)
			}
			synctest.Wait()
			if err := w.owned(); failure == nil {
				failure = err
			}
			if err := w.rest(); failure == nil {
				failure = err
			}
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// begin has a customer talk to 8001, who holds, and calls 8002 and a number outside.
func (w *town) begin() {
	w.call("M", "13912345678", "queue:repair")
	synctest.Wait()
	w.seatOf("M").Answer("8001", w.leg("8001@M"))
	<-time.After(7 * time.Second)
	w.call("K", "by=8001", "agent:8002")
	synctest.Wait()
	w.call("L", "by=8001", "number:13800138000")
	synctest.Wait()
}

func (w *town) any(d doing) {
	leg := w.legs[w.legNames[d.Who%len(w.legNames)]]
	other := w.legs[w.legNames[d.Other%len(w.legNames)]]
	name := w.names[d.Who%len(w.names)]
	agent := fmt.Sprint(8002 + d.Other%3)
	party := fmt.Sprintf("%s@%s-%d", agent, name, len(w.legNames))
	switch d.Do {
	case "answer":
		w.offered(party, func(l *calltest.Leg) bool { return w.hasSeat(name) && w.seatOf(name).Answer(agent, l) })
	case "answers":
		w.offered("out-"+party, func(l *calltest.Leg) bool { return w.dialer.Answer(l) })
	case "fail":
		if w.hasSeat(name) && w.seatOf(name).Ticket.Once {
			w.seatOf(name).Fail(call.CauseBusy)
		}
	case "fails":
		w.dialer.Fail(call.CauseNoAnswer)
	case "ring":
		if w.hasSeat(name) {
			w.seatOf(name).Ring(agent)
		}
	case "blind":
		w.asks(leg, call.Next{Kind: call.Wait, Agent: agent, Once: true}, "")
	case "number":
		w.asks(leg, call.Next{Kind: call.Dial, Number: "13800138000"}, "")
	case "queue":
		w.asks(leg, call.Next{Kind: call.Wait, Queue: "gas-alarm"}, "")
	case "menu":
		w.asks(leg, call.Next{Kind: call.Route, Menu: "main"}, "")
	case "attended":
		w.asks(leg, call.Next{}, other.ID())
	case "end":
		why := call.CauseBye
		if d.Crash {
			why = call.CauseTransport
		}
		leg.End(call.Far, why)
	case "hold", "resume":
		leg.Reoffer(d.Do == "hold")
	}
}

func (w *town) hasSeat(name string) bool {
	return slices.ContainsFunc(w.desk.Seats(), func(s *calltest.Seat) bool { return s.Ticket.CallID == w.id(name) })
}

// offered makes a leg, which is nobody's if it comes too late.
func (w *town) offered(name string, answer func(*calltest.Leg) bool) {
	if l := calltest.NewLeg(name); answer(l) {
		w.legs[name] = l
		w.legNames = append(w.legNames, name)
	} else {
		l.End(call.Far, call.CauseBye)
	}
}

func (w *town) asks(leg *calltest.Leg, to call.Next, replaces call.LegID) {
	name := fmt.Sprint(len(w.referrals))
	w.referrals = append(w.referrals, name)
	w.told[name] = leg.Refer(to, replaces)
}

// owned reports a leg that is up and nobody's.
func (w *town) owned() error {
	for _, name := range w.legNames {
		l := w.legs[name]
		if l.Context().Err() == nil && !l.Post(call.KeyPressed{Leg: "nobody"}) {
			return fmt.Errorf("leg %s is up and nobody's", name)
		}
	}
	return nil
}

// rest has all who called hang up, and reports what is left, or was not told as it should be.
func (w *town) rest() error {
	callers := call.Callers(w.x) // those included who were handed on by an agent who had called them
	for _, name := range w.legNames {
		if strings.HasPrefix(name, "caller@") || slices.Contains(callers, w.legs[name].ID()) {
			w.legs[name].End(call.Far, call.CauseBye)
		}
	}
	synctest.Wait()
	over := make(chan struct{})
	go func() { w.wg.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(time.Hour):
		return fmt.Errorf("calls left behind: %+v", w.x.Live())
	}
	for _, name := range w.legNames {
		if w.legs[name].Context().Err() == nil {
			return fmt.Errorf("leg %s is left up", name)
		}
	}
	for _, name := range w.referrals {
		if told := strings.Join(w.told[name].Told(), " "); !toldOnce(told) {
			return fmt.Errorf("a phone that asked was told: %q", told)
		}
	}
	for _, name := range w.names {
		w.books.finished(w.t, w.id(name))
	}
	w.requireRest()
	return nil
}

// toldOnce: refused, or accepted and then how it ended, perhaps with ringing in between.
func toldOnce(told string) bool {
	rest, accepted := strings.CutPrefix(told, "accepted")
	if !accepted {
		return told == "nobody" || strings.HasPrefix(told, "refused ") && strings.Count(told, " ") == 1
	}
	rest = strings.TrimPrefix(rest, " ringing")
	return rest == " done" || strings.HasPrefix(rest, " failed ") && strings.Count(rest, " ") == 2
}

// TestCrossings has an attended transfer cross with everything that can happen to it, on goroutines of
// their own, while the colleague is talked to, is being rung, or is a number outside.
func TestCrossings(t *testing.T) {
	crossings := map[string]func(w *town){
		"caller hangs up":            func(w *town) { w.legs["caller@M"].End(call.Far, call.CauseBye) },
		"agent hangs up the call":    func(w *town) { w.legs["8001@M"].End(call.Far, call.CauseBye) },
		"agent hangs up the consult": func(w *town) { w.legs["caller@K"].End(call.Far, call.CauseBye) },
		"agent hangs up both": func(w *town) {
			w.legs["caller@K"].End(call.Far, call.CauseBye)
			w.legs["8001@M"].End(call.Far, call.CauseBye)
		},
		"party dies": func(w *town) {
			if l := w.legs["8002@K"]; l != nil {
				l.End(call.Far, call.CauseTransport)
			}
		},
		"party answers": func(w *town) {
			l := calltest.NewLeg("late")
			if !w.seatOf("K").Answer("8002", l) {
				l.End(call.Far, call.CauseBye)
			}
		},
		"asked on both legs": func(w *town) {
			w.second = w.legs["caller@K"].Refer(call.Next{}, w.legs["8001@M"].ID())
		},
		"shutdown": func(w *town) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			w.x.Drain(ctx)
		},
	}
	for name, cross := range crossings {
		for _, answered := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/answered %t", name, answered), func(t *testing.T) {
				for range 40 {
					synctest.Test(t, func(t *testing.T) { crossing(t, cross, answered) })
				}
			})
		}
	}
}

func crossing(t *testing.T, cross func(*town), answered bool) {
	t.Helper()
	w := newTown(t)
	w.call("M", "13912345678", "queue:repair")
	synctest.Wait()
	require.True(t, w.seatOf("M").Answer("8001", w.leg("8001@M")))
	<-time.After(7 * time.Second)
	w.call("K", "by=8001", "agent:8002")
	synctest.Wait()
	if answered {
		require.True(t, w.seatOf("K").Answer("8002", w.leg("8002@K")))
		synctest.Wait()
	}
	var both sync.WaitGroup
	both.Go(func() { w.asks(w.legs["8001@M"], call.Next{}, w.legs["caller@K"].ID()) })
	both.Go(func() { cross(w) })
	both.Wait()
	synctest.Wait()
	if w.second != nil {
		w.referrals = append(w.referrals, "second")
		w.told["second"] = w.second
	}
	require.NoError(t, w.owned())
	require.NoError(t, w.rest())
}
