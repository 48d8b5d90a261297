package acd_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
	"hotline/call/calltest"
)

// ringAll is a ring-all queue with n agents, and a second queue that one agent serves too.
func ringAll(n int) acd.Options {
	o := acd.Options{Queues: []acd.Queue{{Name: "gas", Strategy: acd.RingAll}, {Name: "repair"}}}
	for i := range n {
		o.Agents = append(o.Agents, acd.Agent{ID: fmt.Sprint(8001 + i), Skills: map[string]int{"gas": 5, "repair": 1}})
	}
	return o
}

// TestTwoAnswersInOneInstant: every phone answers at once; exactly one is joined, the others are hung
// up because of it, and their agents are ready at once.
func TestTwoAnswersInOneInstant(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			o := ringAll(3)
			l := newLab(t, o)
			for _, a := range o.Agents {
				l.center.Flow(a.ID, true)
			}
			synctest.Wait()
			seat := l.join(call.Ticket{CallID: "c1", Queue: "gas"})
			synctest.Wait()
			for _, a := range o.Agents {
				l.phones.cross(a.ID) // a withdrawal may be faster than the answer
			}
			for _, a := range o.Agents {
				l.phones.end(a.ID, "")
			}
			synctest.Wait()
			winner := l.got["c1"]
			require.NotNil(t, winner.Leg)
			visit, offers := seat.Visit()
			require.Equal(t, "answered", visit.How)
			hows := map[string]int{}
			for _, offer := range offers {
				hows[offer.How]++
			}
			require.Equal(t, map[string]int{"answered": 1, "withdrawn": 2}, hows)
			for _, a := range o.Agents {
				if a.ID == winner.Agent {
					require.Equal(t, call.AgentTalking, l.state(a.ID))
					require.NoError(t, winner.Leg.Context().Err())
					continue
				}
				require.Equal(t, call.AgentReady, l.state(a.ID))
				end, ended := call.EndOf(l.leg(a.ID))
				require.True(t, ended)
				require.Equal(t, call.LegEnd{By: call.System, Why: call.CauseElsewhere, At: end.At}, end)
			}
			l.stop()
		})
	}
}

// TestLeaveAtEveryInstant: through refusal, ringing, answer and talk, the caller leaves at each
// tenth of a second, before or after what happens in it; nobody is left ringing or reserved.
func TestLeaveAtEveryInstant(t *testing.T) {
	const tenth = 100 * time.Millisecond
	story := map[int]func(l *lab){
		5:  func(l *lab) { l.phones.progress("8001", 180) },
		10: func(l *lab) { l.phones.end("8001", call.CauseDeclined) },
		15: func(l *lab) { l.phones.progress("8002", 180) },
		20: func(l *lab) { l.phones.end("8002", "") },
	}
	for at := range 25 {
		for _, first := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				o := ringAll(2)
				l := newLab(t, o)
				l.center.Flow("8001", true)
				synctest.Wait()
				l.center.Flow("8002", true)
				seat := l.join(call.Ticket{CallID: "c1", Queue: "repair"})
				for i := range 25 {
					if i == at && first {
						seat.Leave(call.CauseCancel)
					}
					if story[i] != nil {
						story[i](l)
					}
					if i == at && !first {
						seat.Leave(call.CauseCancel)
					}
					<-time.After(tenth)
					synctest.Wait()
				}
				l.requireAgreement(t, "c1")
				if answer, won := l.got["c1"]; won {
					answer.Leg.Hangup(call.CauseBye)
				}
				<-time.After(time.Second) // the delay after the refusal at 1 s is over
				synctest.Wait()
				for _, a := range o.Agents {
					require.Nil(t, l.phones.bell(a.ID), "left at %d: %s rings", at, a.ID)
					require.Equal(t, call.AgentReady, l.state(a.ID), "left at %d: %s", at, a.ID)
				}
				l.stop()
			})
		}
	}
}

// requireAgreement: the seat, its record, and what was answered say the same.
func (l *lab) requireAgreement(t *testing.T, name string) {
	t.Helper()
	l.mu.Lock()
	answer, answered := l.got[name]
	l.mu.Unlock()
	require.Equal(t, !answered, l.seats[name].Leave(call.CauseBye))
	visit, offers := l.seats[name].Visit()
	require.NotNil(t, visit.Left)
	require.Equal(t, answered, visit.How == "answered")
	for _, o := range offers {
		require.NotNil(t, o.Ended)
		require.Equal(t, answered && o.Agent == answer.Agent && o.Ended.Equal(answer.At), o.How == "answered")
	}
}

// TestAnswerAgainstLeave: an answer and Leave on two processors. Both sides agree on who won, and
// either way the agent is ready again in the end.
func TestAnswerAgainstLeave(t *testing.T) {
	wins := map[bool]int{}
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, ringAll(1))
			l.center.Flow("8001", true)
			seat := l.join(call.Ticket{CallID: "c1", Queue: "repair"})
			synctest.Wait()
			left := make(chan bool, 1)
			go func() { left <- seat.Leave(call.CauseCancel) }()
			l.phones.cross("8001")
			l.phones.end("8001", "")
			won := <-left
			synctest.Wait()
			wins[won]++
			l.requireAgreement(t, "c1")
			if !won {
				l.got["c1"].Leg.Hangup(call.CauseCancel)
				synctest.Wait()
			}
			require.Equal(t, call.AgentReady, l.state("8001"))
			l.stop()
		})
	}
	t.Logf("leaving won %d times, the answer %d times", wins[true], wins[false])
}

// randomPhones answer, refuse, or ring on, after no time at all.
type randomPhones struct {
	mu   sync.Mutex
	live map[string]*calltest.Leg // by agent: two at once is what must not be
	twin bool
}

func (p *randomPhones) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	r.Progress(180, time.Now())
	switch rand.IntN(3) {
	case 0:
		return nil, &call.RingError{Why: call.CauseDeclined, At: time.Now()}
	case 1:
		<-ctx.Done()
		if rand.IntN(2) == 0 {
			return nil, &call.RingError{Why: call.CauseWithdrawn}
		}
	}
	leg := calltest.NewLeg(r.Agent)
	p.mu.Lock()
	defer p.mu.Unlock()
	if old := p.live[r.Agent]; old != nil && old.Context().Err() == nil {
		p.twin = true
	}
	p.live[r.Agent] = leg
	return leg, nil
}

// TestHammer has many callers, flows and phones at once, in real time, for the race detector; in the
// end every agent is free.
func TestHammer(t *testing.T) {
	p := &randomPhones{live: map[string]*calltest.Leg{}}
	o := ringAll(6)
	o.Phones = p
	center, err := acd.New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- center.Run(ctx) }()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 100 {
				center.Flow(o.Agents[rand.IntN(6)].ID, rand.IntN(4) > 0)
				queue := o.Queues[rand.IntN(2)].Name
				seat, err := center.Join(ctx, call.Ticket{CallID: fmt.Sprintf("c%d-%d", i, n), Queue: queue})
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = center.Queues()
				if n%3 == 0 {
					_, _ = center.Agents()
				}
				if !seat.Leave(call.CauseCancel) {
					a := <-seat.Answered()
					a.Leg.Hangup(call.CauseBye)
				}
			}
		})
	}
	wg.Wait()
	for _, q := range acd.Must(center.Queues()) {
		require.Zero(t, q.Waiting)
	}
	require.Eventually(t, func() bool {
		for _, a := range acd.Must(center.Agents()) {
			if a.State == call.AgentTalking || a.State == call.AgentRinging {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond)
	cancel()
	require.NoError(t, <-ran)
	require.False(t, p.twin, "two live legs of one agent")
}
