package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// At a shutdown who waits for an agent keeps the place, and has it again in the next process.
func TestCallbackOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.close()
		require.Equal(t, call.ReasonShutdown, b.record().Reason)
		require.Len(t, b.bookings(), 1)

		again, err := call.NewExchange(b.x.Options)
		require.NoError(t, err)
		b.x = again
		b.open()
		synctest.Wait()
		require.Len(t, b.desk.Seats(), 2)
		require.Equal(t, b.start.Add(-time.Minute), b.seat().Ticket.Entered)
		agent := b.answered("8001")
		b.x.HoldCallbacks()
		synctest.Wait()
		_, over := call.EndOf(agent)
		require.False(t, over, "somebody is being called: that goes on")
		leg := calltest.NewLeg("customer")
		require.True(t, b.dialer.Answer(leg))
		time.Sleep(time.Minute)
		leg.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.Equal(t, call.Answered, b.record().Result)
	})
}

// What a supervisor takes back ends, unless its caller has answered.
func TestCallbackCancelled(t *testing.T) {
	for _, when := range []string{"waiting", "ringing", "talking", "between"} {
		t.Run(when, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := booked(t)
				id := b.bookings()[0].ID
				leg := calltest.NewLeg("customer")
				if when != "waiting" {
					b.answered("8001")
				}
				switch when {
				case "talking":
					require.True(t, b.dialer.Answer(leg))
				case "between":
					require.True(t, b.dialer.Fail(call.CauseBusy))
					time.Sleep(time.Minute)
				}
				synctest.Wait()
				err := b.x.CancelCallback(t.Context(), id)
				synctest.Wait()
				require.Empty(t, b.bookings())
				if when == "talking" {
					require.ErrorIs(t, err, call.ErrNoBooking)
					leg.End(call.Far, call.CauseBye)
					synctest.Wait()
					return
				}
				require.NoError(t, err)
				require.ErrorIs(t, b.x.CancelCallback(t.Context(), id), call.ErrNoBooking)
				require.Empty(t, b.x.Live())
				if when != "between" {
					require.Equal(t, call.ReasonWithdrawn, b.record().Reason)
				}
				require.False(t, b.dialer.Answer(leg), "taken back")
				time.Sleep(time.Hour)
				require.Len(t, b.desk.Seats(), 1)
				require.Empty(t, b.events)
			})
		})
	}
}

// Out of the hours of its rule a number is not called, and no agent rung for it; a bound of the moment costs no try;
// what may not be called any more, or has become too old, is lost.
func TestCallbackNotNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		done := b.asks(city)
		b.now.Store(false)
		b.caller.Stream().Press('1')
		<-done
		time.Sleep(time.Hour)
		require.Empty(t, b.desk.Seats())
		b.now.Store(true)
		time.Sleep(5 * time.Minute)
		require.Len(t, b.desk.Seats(), 1)
		b.answered("8001")
		require.True(t, b.dialer.Fail(call.CauseForbidden))
		time.Sleep(time.Minute)
		require.Zero(t, b.bookings()[0].Tries)
		b.now.Store(false)
		time.Sleep(24 * time.Hour)
		require.Empty(t, b.bookings())
		require.Len(t, b.events, 1)
		require.Len(t, b.desk.Seats(), 1)
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		done := b.asks(city)
		b.now.Store(false) // before it is asked for, which may begin it
		b.caller.Stream().Press('1')
		<-done
		b.ever.Store(false)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		require.Empty(t, b.bookings())
		require.Len(t, b.events, 1)
	})
}
