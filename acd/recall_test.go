package acd_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
)

// TestDayGoesOnAfterARestart: strategies by the day's figures go on with what the records of before say, and what
// this desk saw itself is not counted twice when its record comes.
func TestDayGoesOnAfterARestart(t *testing.T) {
	for _, tc := range []struct{ strategy, first, then string }{
		{acd.FewestCalls, "8002", "8002"}, // 3 calls against 1, then 2
		{acd.LeastTalk, "8001", "8002"},   // 3 minutes against 4, then 7
	} {
		t.Run(tc.strategy, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
				<-time.After(12 * time.Hour)
				noon := time.Now()
				l := newLab(t, acd.Options{
					Queues: []acd.Queue{{Name: "repair", Strategy: tc.strategy}, {Name: "consult"}},
					Agents: []acd.Agent{
						{ID: "8001", Skills: map[string]int{"repair": 1, "consult": 1}}, {ID: "8002", Skills: map[string]int{"repair": 1, "consult": 1}},
					},
				})
				talk := func(agent, queue string, answered time.Time, lasted time.Duration) call.Record {
					return call.Record{From: "139", Started: answered.Add(-time.Minute), Talks: []call.TalkRecord{
						{Agent: agent, Queue: queue, Answered: answered, Ended: new(answered.Add(lasted))},
					}}
				}
				l.center.Flow("8001", true)
				l.center.Flow("8002", true)
				synctest.Wait() // those who are ready already are put in order anew
				l.center.Finished(
					talk("8001", "repair", noon.Add(-4*time.Hour), time.Minute),
					talk("8001", "repair", noon.Add(-3*time.Hour), time.Minute),
					talk("8001", "repair", noon.Add(-2*time.Hour), time.Minute),
					talk("8002", "repair", noon.Add(-2*time.Hour), time.Minute),
					talk("8002", "consult", noon.Add(-time.Hour), 3*time.Minute),
					talk("8002", "", noon.Add(-time.Hour), time.Hour),                        // a call of the agent's own
					talk("8002", "repair", noon.Add(-13*time.Hour), 10*time.Minute),          // yesterday
					talk("8002", "repair", noon.Add(-12*time.Hour-time.Second), time.Second), // until midnight
				)
				serve := func(callID, want string) {
					t.Helper()
					l.join(call.Ticket{CallID: callID, Queue: "repair"})
					synctest.Wait()
					require.True(t, l.phones.end(want, ""), "rings %s", want)
					synctest.Wait()
					answered := time.Now()
					<-time.After(4 * time.Minute)
					l.leg(want).End(call.Far, call.CauseBye)
					synctest.Wait()
					l.center.Finished(talk(want, "repair", answered, 4*time.Minute))
					synctest.Wait()
				}
				serve("c1", tc.first)
				serve("c2", tc.then)
				l.stop()
			})
		})
	}
}
