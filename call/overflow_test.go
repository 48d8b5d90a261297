package call_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestTurnedAwayByAFault: whom a fault of the desk's keeps from being matched goes where the queue sends those it
// turns away for another reason; where that leads back to the fault, the caller hears that we are sorry, and the call
// ends as one that a fault of ours ended.
func TestTurnedAwayByAFault(t *testing.T) {
	for name, tc := range map[string]struct {
		overflow map[call.Overflow]call.Next
		next     string
	}{
		"another queue": {map[call.Overflow]call.Next{
			call.QueueFull: {Kind: call.Wait, Queue: "consult"}, call.QueueClosed: {Kind: call.Wait, Queue: "repair"},
		}, "consult"},
		"nowhere": {nil, "repair"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := waitingRoom(t, map[string]call.QueueOptions{
					"repair":  {WaitPrompt: "please-wait", Overflow: tc.overflow},
					"consult": {WaitPrompt: "please-wait", Overflow: map[call.Overflow]call.Next{call.QueueFull: {Kind: call.Wait, Queue: "repair"}}},
				})
				s.enter()
				require.True(t, s.seat().Turn(call.QueueFault))
				synctest.Wait()
				require.Equal(t, tc.next, s.seat().Ticket.Queue)
				if tc.next == "consult" {
					require.True(t, s.seat().Turn(call.QueueFull))
					synctest.Wait()
				}
				require.Equal(t, "repair", s.seat().Ticket.Queue)
				require.True(t, s.seat().Turn(call.QueueFault))
				synctest.Wait()
				s.hears("apology-late")
				<-s.done
				r := s.records.finished(t)
				require.Equal(t, call.Failed, r.Result)
				require.Equal(t, call.ReasonPanic, r.Reason)
				require.Equal(t, call.BySystem, r.Release)
			})
		})
	}
}
