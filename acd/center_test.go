package acd_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
	"hotline/call/calltest"
)

func TestOptions(t *testing.T) {
	phones := &randomPhones{}
	for name, tc := range map[string]struct {
		o    acd.Options
		want []string // in the error; none: no error
	}{
		"empty":     {acd.Options{Phones: phones}, nil},
		"no phones": {acd.Options{}, []string{"no phones"}},
		"negative":  {acd.Options{Phones: phones, Rings: -1}, []string{"must be positive"}},
		"all at once": {
			acd.Options{
				Queues: []acd.Queue{{Name: "a"}, {Name: "a"}, {Name: "b", Strategy: "fairest"}, {Name: "c", Widen: []acd.Widening{{After: time.Second}}}},
				Ageing: -1,
				Agents: []acd.Agent{{ID: "1"}, {ID: "1"}, {}},
			},
			[]string{"no phones", `queue "a"`, `unknown strategy "fairest"`, `queue "c"`, "ageing", `agent "1"`, `agent ""`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := acd.New(tc.o)
			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestJoinErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, ringAll(1))
		join := func(ctx context.Context, ticket call.Ticket) error {
			_, err := l.center.Join(ctx, ticket)
			return err
		}
		require.ErrorIs(t, join(t.Context(), call.Ticket{Queue: "none"}), call.ErrNoQueue)
		require.ErrorIs(t, join(t.Context(), call.Ticket{Queue: "gas", Agent: "none"}), acd.ErrNoAgent)
		gone, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("gone")
		cancel(cause)
		require.ErrorIs(t, join(gone, call.Ticket{Queue: "gas"}), cause)
		l.center.Flow("none", true) // is ignored
		require.ErrorIs(t, l.center.Run(t.Context()), acd.ErrRunning)
		l.stop()
		require.ErrorIs(t, join(t.Context(), call.Ticket{Queue: "gas"}), acd.ErrStopped)
	})
}

// TestContextEnds: the end of the caller's context leaves the seat, for the reason it ended with.
func TestContextEnds(t *testing.T) {
	for how, cause := range map[string]error{
		"abandoned": &call.LegEnd{By: call.Far, Why: call.CauseBye},
		"moved":     call.CancelCause{Why: call.CauseWithdrawn},
		"shutdown":  context.Canceled,
	} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, ringAll(1))
				l.center.Flow("8001", true)
				ctx, cancel := context.WithCancelCause(t.Context())
				seat, err := l.center.Join(ctx, call.Ticket{CallID: "c1", Queue: "repair"})
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, call.AgentRinging, l.state("8001"))
				cancel(cause)
				synctest.Wait()
				require.Equal(t, call.AgentReady, l.state("8001"))
				visit, offers := seat.Visit()
				require.Equal(t, how, visit.How)
				require.Equal(t, "withdrawn", offers[0].How)
				l.stop()
			})
		})
	}
}

// TestBeforeAndAfterRun: what is said before Run is heard when it begins, and the views are the last
// ones when it has ended.
func TestBeforeAndAfterRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := ringAll(1)
		l := &lab{t: t}
		l.phones = &phones{lab: l, bells: map[string]*bell{}, crossing: map[string]bool{}}
		o.Phones = l.phones
		center, err := acd.New(o)
		require.NoError(t, err)
		center.Flow("8001", true)
		_, err = center.Join(t.Context(), call.Ticket{CallID: "c1", Queue: "repair"})
		require.NoError(t, err)
		require.Equal(t, call.AgentOffline, acd.Must(center.Agents())[0].State)

		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- center.Run(ctx) }()
		synctest.Wait()
		agent := acd.Must(center.Agents())[0]
		require.Equal(t, call.AgentRinging, agent.State)
		require.Equal(t, "c1", agent.Call)
		cancel()
		require.NoError(t, <-ran)
		require.Equal(t, 1, acd.Must(center.Queues())[1].Waiting)
		require.Equal(t, call.AgentReady, acd.Must(center.Agents())[0].State)
	})
}

// TestStopWhileRinging: Run withdraws what rings, hangs an answer up that crosses, and only then
// returns; a live talk goes on.
func TestStopWhileRinging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, ringAll(3))
		for _, id := range []string{"8001", "8002", "8003"} {
			l.center.Flow(id, true)
			l.join(call.Ticket{CallID: "c" + id, Queue: "repair"})
			synctest.Wait()
		}
		require.True(t, l.phones.end("8001", ""))
		synctest.Wait()
		l.phones.cross("8002")
		l.stop()
		require.NoError(t, l.leg("8001").Context().Err(), "a live talk goes on")
		end, ended := call.EndOf(l.leg("8002"))
		require.True(t, ended)
		require.Equal(t, call.CauseShutdown, end.Why)
		require.Nil(t, l.phones.bell("8003"))
		require.True(t, l.seats["c8003"].Leave(call.CauseShutdown))
		l.leg("8001").End(call.Far, call.CauseBye)
	})
}

// brokenPhones fail as no phone should.
type brokenPhones func() (call.Leg, error)

func (p brokenPhones) Ring(context.Context, call.RingRequest) (call.Leg, error) { return p() }

// TestBrokenPhones: whatever the phones do, it is an unreachable agent and no more.
func TestBrokenPhones(t *testing.T) {
	for name, p := range map[string]brokenPhones{
		"panic":       func() (call.Leg, error) { panic("phones") },
		"no leg":      func() (call.Leg, error) { return nil, nil },
		"other error": func() (call.Leg, error) { return nil, errors.New("other") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := ringAll(1)
				o.Phones = p
				var panics atomic.Int32
				o.OnPanic = func(string, any) { panics.Add(1) }
				l := newLab(t, o)
				l.center.Flow("8001", true)
				seat := l.join(call.Ticket{CallID: "c1", Queue: "repair"})
				synctest.Wait()
				_, offers := seat.Visit()
				require.Len(t, offers, 1, "rung once, then passed over for a second")
				require.Equal(t, "unreachable", offers[0].How)
				require.Equal(t, name == "panic", panics.Load() == 1)
				<-time.After(time.Second)
				synctest.Wait()
				_, offers = seat.Visit()
				require.Len(t, offers, 2)
				l.stop()
			})
		})
	}
}

// TestAnsweredInstant: a leg that knows when its 200 arrived is believed, within the offer.
func TestAnsweredInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := ringAll(1)
		o.Phones = brokenPhones(func() (call.Leg, error) {
			leg := calltest.NewLeg("8001")
			<-time.After(time.Millisecond)
			_, err := leg.Answer()
			<-time.After(20 * time.Millisecond)
			return leg, err
		})
		l := newLab(t, o)
		l.center.Flow("8001", true)
		l.join(call.Ticket{CallID: "c1", Queue: "repair"})
		<-time.After(time.Second)
		synctest.Wait()
		require.Equal(t, time.Millisecond, l.got["c1"].At.Sub(l.start))
		l.stop()
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewPedanticRegistry()
		o := ringAll(2)
		o.Registry = registry
		l := newLab(t, o)
		l.center.Flow("8001", true)
		l.join(call.Ticket{CallID: "c1", Queue: "repair"})
		l.join(call.Ticket{CallID: "c2", Queue: "repair"})
		synctest.Wait()
		require.True(t, l.phones.end("8001", call.CauseDeclined))
		<-time.After(1500 * time.Millisecond)
		synctest.Wait()
		require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP hotline_agents Agents by what they are doing; supervisors are none of them.
# TYPE hotline_agents gauge
hotline_agents{state="logged-out"} 0
hotline_agents{state="offline"} 1
hotline_agents{state="paused"} 0
hotline_agents{state="ready"} 0
hotline_agents{state="ringing"} 1
hotline_agents{state="talking"} 0
hotline_agents{state="wrap-up"} 0
# HELP hotline_offers_total Agents' phones rung, by queue and by how it ended.
# TYPE hotline_offers_total counter
hotline_offers_total{how="refused",queue="repair"} 1
# HELP hotline_overflow_total Callers whom a queue turned away, by why.
# TYPE hotline_overflow_total counter
hotline_overflow_total{queue="gas",reason="closed"} 0
hotline_overflow_total{queue="gas",reason="empty"} 0
hotline_overflow_total{queue="gas",reason="expected-too-long"} 0
hotline_overflow_total{queue="gas",reason="fault"} 0
hotline_overflow_total{queue="gas",reason="full"} 0
hotline_overflow_total{queue="gas",reason="too-long"} 0
hotline_overflow_total{queue="repair",reason="closed"} 0
hotline_overflow_total{queue="repair",reason="empty"} 0
hotline_overflow_total{queue="repair",reason="expected-too-long"} 0
hotline_overflow_total{queue="repair",reason="fault"} 0
hotline_overflow_total{queue="repair",reason="full"} 0
hotline_overflow_total{queue="repair",reason="too-long"} 0
# HELP hotline_queue_longest_wait_seconds How long the caller of this node who entered first has waited; 0 when nobody waits.
# TYPE hotline_queue_longest_wait_seconds gauge
hotline_queue_longest_wait_seconds{queue="gas"} 0
hotline_queue_longest_wait_seconds{queue="repair"} 1.5
# HELP hotline_queue_waiting Callers of this node waiting now.
# TYPE hotline_queue_waiting gauge
hotline_queue_waiting{queue="gas"} 0
hotline_queue_waiting{queue="repair"} 2
# HELP hotline_desk_saturation_ratio Share of the last 5 s in which the one goroutine that owns all queues was at work.
# TYPE hotline_desk_saturation_ratio gauge
hotline_desk_saturation_ratio 0
`)))
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		require.Empty(t, problems)
		_, err = acd.New(o)
		require.Error(t, err, "registered twice")
		l.stop()
	})
}
