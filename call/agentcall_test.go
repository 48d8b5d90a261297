package call_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// Calls that agents make are in no figure of the callers', and transfers are counted by how they ended.
func TestFiguresOfAgentsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		reg := prometheus.NewPedanticRegistry()
		x, err := call.NewExchange(call.Options{
			Menus: w.x.Menus, Desk: w.x.Desk, Dialer: w.x.Dialer, Bridge: w.x.Bridge, Recorder: w.x.Recorder,
			Records: w.x.Records, Prompts: w.x.Prompts, Queues: w.x.Queues, Targets: w.x.Targets, Registry: reg,
		})
		require.NoError(t, err)
		w.x = x
		w.line("call K by=8001 queue:repair")
		w.line("ring K 8002; answer K 8002")
		<-time.After(7 * time.Second)
		w.line("end caller@K bye")
		require.Zero(t, total(t, reg, "hotline_calls_total"))
		for _, none := range []string{"hotline_wait_seconds", "hotline_talk_seconds", "hotline_answer_rings"} {
			n, err := testutil.GatherAndCount(reg, none)
			require.NoError(t, err)
			require.Zero(t, n, none)
		}
		require.Zero(t, total(t, reg, "hotline_answer_target_total")+total(t, reg, "hotline_talk_target_total"))
		w.line("call M 13912345678 queue:repair")
		w.line("answer M 8001")
		<-time.After(7 * time.Second)
		w.line("refer a 8001@M agent:8001; refer b 8001@M agent:8002; fail M busy; refer c 8001@M queue:repair; end caller@M bye")
		w.wg.Wait()
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP hotline_agent_calls_total Calls finished that agents' phones made, by result.
# TYPE hotline_agent_calls_total counter
hotline_agent_calls_total{result="abandoned"} 0
hotline_agent_calls_total{result="answered"} 1
hotline_agent_calls_total{result="failed"} 0
hotline_agent_calls_total{result="informed"} 0
# HELP hotline_transfers_total Transfers that agents' phones asked for, by how they ended.
# TYPE hotline_transfers_total counter
hotline_transfers_total{kind="attended",outcome="busy"} 0
hotline_transfers_total{kind="attended",outcome="cancel"} 0
hotline_transfers_total{kind="attended",outcome="declined"} 0
hotline_transfers_total{kind="attended",outcome="done"} 0
hotline_transfers_total{kind="attended",outcome="forbidden"} 0
hotline_transfers_total{kind="attended",outcome="no-answer"} 0
hotline_transfers_total{kind="attended",outcome="not-found"} 0
hotline_transfers_total{kind="attended",outcome="refused"} 0
hotline_transfers_total{kind="attended",outcome="unreachable"} 0
hotline_transfers_total{kind="blind",outcome="busy"} 1
hotline_transfers_total{kind="blind",outcome="cancel"} 0
hotline_transfers_total{kind="blind",outcome="declined"} 0
hotline_transfers_total{kind="blind",outcome="done"} 1
hotline_transfers_total{kind="blind",outcome="forbidden"} 0
hotline_transfers_total{kind="blind",outcome="no-answer"} 0
hotline_transfers_total{kind="blind",outcome="not-found"} 0
hotline_transfers_total{kind="blind",outcome="refused"} 1
hotline_transfers_total{kind="blind",outcome="unreachable"} 0
`), "hotline_agent_calls_total", "hotline_transfers_total"))
		require.InDelta(t, 1, total(t, reg, "hotline_calls_total"), 0)
	})
}

// total is the sum of a counter over its labels.
func total(t *testing.T, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// Why the one wanted was not reached is what the caller's leg, never answered, ends with, and the record says.
func TestHowTheUnansweredEnd(t *testing.T) {
	for why, want := range map[call.Cause]struct {
		reason call.Reason
		leg    call.Cause
	}{
		call.CauseBusy:        {call.ReasonBusy, call.CauseBusy},
		call.CauseOverload:    {call.ReasonBusy, call.CauseBusy},
		call.CauseDeclined:    {call.ReasonDeclined, call.CauseDeclined},
		call.CauseNoAnswer:    {call.ReasonNoAnswer, call.CauseNoAnswer},
		call.CauseUnreachable: {call.ReasonUnreachable, call.CauseUnreachable},
		call.CauseNotFound:    {call.ReasonNotFound, call.CauseNotFound},
		call.CauseForbidden:   {call.ReasonForbidden, call.CauseForbidden},
		call.CauseShutdown:    {call.ReasonShutdown, call.CauseShutdown},
		call.CauseError:       {call.ReasonUnreachable, call.CauseUnreachable},
	} {
		for _, target := range []string{"agent:8002", "number:138"} {
			synctest.Test(t, func(t *testing.T) {
				w := newTown(t)
				w.line("call K by=8001 " + target)
				require.Equal(t, 1, w.legs["caller@K"].Rung())
				require.True(t, w.dialer.Fail(why) || w.seatOf("K").Fail(why))
				w.wg.Wait()
				end, _ := call.EndOf(w.legs["caller@K"])
				require.Equal(t, want.leg, end.Why, why)
				require.Equal(t, want.reason, w.books.finished(t, w.id("K")).Reason, why)
			})
		}
	}
}

// A caller whose number is private stays so for whoever is rung, also after a transfer.
func TestPrivateIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.names = append(w.names, "M")
		in := call.Incoming{Leg: w.leg("caller@M"), At: nextOf("queue:repair"), From: "139", Private: true, Received: time.Now()}
		w.wg.Go(func() { w.x.Serve(t.Context(), in) })
		synctest.Wait()
		require.True(t, w.seatOf("M").Ticket.Private)
		w.line("answer M 8001")
		<-time.After(7 * time.Second)
		w.line("refer r 8001@M agent:8002")
		require.True(t, w.seatOf("M").Ticket.Private)
		require.Equal(t, call.Ticket{
			CallID: w.id("M"), Queue: "repair", Agent: "8002", Once: true, From: "139", Private: true,
			Prefer: w.seatOf("M").Ticket.Prefer, Entered: time.Now(),
		}, w.seatOf("M").Ticket)
		w.line("end caller@M bye")
		w.wg.Wait()
	})
}

// A crash closes a transfer that was under way.
func TestCrashClosesTransfers(t *testing.T) {
	start := time.Now()
	r := call.Record{Started: start, Transfers: []call.Transfer{{At: start.Add(time.Minute), By: "8001", Kind: "blind"}}}
	r.CloseCrashed(time.Time{})
	require.Equal(t, start.Add(time.Minute), *r.Ended)
	require.Equal(t, "crash", r.Transfers[0].How)
	require.Equal(t, r.Ended, r.Transfers[0].Ended)
}

// The dialler is asked in the name of the agent who wants the number, for the trunk's audit.
func TestDialRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		w.line("call K by=8001 number:138")
		r := w.dialer.Asked()[0]
		r.Progress = nil
		require.Equal(t, call.DialRequest{Number: "138", Agent: "8001", CallID: w.id("K"), Prefer: calltest.NewStream().Codec()}, r)
		w.line("end caller@K cancel")
		w.wg.Wait()
	})
}
