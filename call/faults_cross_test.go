package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// TestCallbackTurnedAwayByAFault: nobody is on the line who could hear a menu, so a fault of the desk's over a callback
// ends that try, by no fault of its own, and the next one is made later.
func TestCallbackTurnedAwayByAFault(t *testing.T) {
	for name, to := range map[string]call.Next{
		"menu":   {Kind: call.Menu, Menu: "main"},
		"number": {Kind: call.Dial, Number: outside},
		"end":    call.DoneWith(call.Informed, call.ReasonMenu),
		"queue":  {Kind: call.Wait, Queue: "gas-alarm"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackroom(t)
				b.x.Queues["repair"] = call.QueueOptions{
					WaitPrompt: "please-wait", Overflow: map[call.Overflow]call.Next{call.QueueFull: to},
				}
				done := b.asks(city)
				b.at(5 * time.Second)
				b.caller.Stream().Press('1')
				<-done
				synctest.Wait()
				require.True(t, b.seat().Turn(call.QueueFault))
				synctest.Wait()
				require.Zero(t, b.panics)
				require.Empty(t, b.dialer.Asked(), "the caller's own number alone may be called")
				if name == "queue" {
					require.Equal(t, "gas-alarm", b.seat().Ticket.Queue)
					return
				}
				require.Empty(t, b.x.Live())
				require.Equal(t, call.ReasonPanic, b.record().Reason)
				require.Equal(t, 1, b.bookings()[0].Tries)
				b.at(6 * time.Minute)
				require.Len(t, b.x.Live(), 1, "tried again")
			})
		})
	}
}

// TestLeavesAsTheNumberIsNotReached: a caller who hangs up in the instant in which the number outside is given up has
// left, wherever the call would have gone.
func TestLeavesAsTheNumberIsNotReached(t *testing.T) {
	for range 20 { // which of the two its owner sees first is left to chance
		synctest.Test(t, func(t *testing.T) {
			s, dialer := newStage(t), &calltest.Dialer{}
			s.x.Dialer = dialer
			s.x.Menus = leadsOut(call.Next{
				Kind: call.Dial, Number: outside, Else: &call.Next{Kind: call.Done, End: call.End{Result: call.Informed, Reason: call.ReasonMenu}},
			})
			s.act("dial", []string{"menu", "main"})
			s.at(5 * time.Second)
			s.caller.Post(busyWith(func() {
				require.True(t, dialer.Fail(call.CauseBusy))
				s.caller.End(call.Far, call.CauseBye)
			}))
			<-s.done
			r := s.records.finished(t)
			require.Equal(t, call.End{Result: call.Abandoned, Reason: call.ReasonCallerHangup}, call.End{Result: r.Result, Reason: r.Reason})
			require.Equal(t, call.ByCaller, r.Release)
		})
	}
}

// busyWith is a command of the caller's leg that keeps the call's owner busy while something is done.
func busyWith(do func()) call.Command {
	return call.Reoffered{
		Leg: "caller", At: time.Now(), Refuse: func(call.Cause) {},
		Accept: func() (bool, error) { do(); <-time.After(time.Millisecond); return false, nil },
	}
}
