package acd_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// TestAlarmExplains: each round in which phones were shared out for an alarm says by which step, who could be rung, and
// why the others could not.
func TestAlarmExplains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, acd.Options{
			Queues: []acd.Queue{{Name: "gas", Strategy: acd.RingAll, Unreachable: 30 * time.Second}},
			Agents: []acd.Agent{
				{ID: "1", Skills: map[string]int{"gas": 5}},
				{ID: "2", Skills: map[string]int{"gas": 3}},
				{ID: "3"},
				{ID: "4", Skills: map[string]int{"gas": 9}},
			},
			Ladder: acd.Ladder{Queue: "gas", AllSkilled: 5 * time.Second, Everyone: 10 * time.Second, Duty: 20 * time.Second},
		})
		for _, id := range []string{"1", "2", "3"} {
			l.center.Flow(id, true)
		}
		require.NoError(t, l.center.Pause("2", "lunch"))
		seat := l.join(call.Ticket{CallID: "c", Queue: "gas"})
		synctest.Wait()
		l.phones.progress("1", 180)
		<-time.After(11 * time.Second)
		synctest.Wait()
		entered := l.start
		require.Equal(t, []call.Decision{
			{
				At: entered, Queue: "gas", Rule: "alarm:skilled", Chosen: []string{"1"},
				Candidates: []call.Candidate{{Agent: "1", Level: 5, Key: "ready"}},
				Excluded:   map[string]int{"step": 2, "offline": 1},
			},
			{
				At: entered.Add(5 * time.Second), Queue: "gas", Rule: "alarm:all-skilled", Chosen: []string{"2"},
				Candidates: []call.Candidate{{Agent: "2", Level: 3, Key: "paused"}},
				Excluded:   map[string]int{"step": 1, "ringing": 1, "offline": 1},
			},
			{
				At: entered.Add(10 * time.Second), Queue: "gas", Rule: "alarm:everyone", Chosen: []string{"3"},
				Candidates: []call.Candidate{{Agent: "3", Key: "ready"}},
				Excluded:   map[string]int{"ringing": 1, "rested": 1, "offline": 1},
			},
		}, seat.Decisions())
		l.stop()
	})
}
