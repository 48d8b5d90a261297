package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// TestCallbackForAQueueThatIsNoMore: one booked before the configuration changed is lost, and nothing else is.
func TestCallbackForAQueueThatIsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		b.close()
		require.NoError(t, b.store.Book(t.Context(), call.Booking{
			ID: "x", Number: customer, Queue: "gone", Entered: b.start, Asked: b.start, Due: b.start,
		}, call.BookingBounds{PerDay: 1, Open: 1}))
		b2 := newBackroom(t)
		b2.close()
		b2.x.Callback.Bookings = b.store
		x, err := call.NewExchange(b2.x.Options)
		require.NoError(t, err)
		b2.x = x
		b2.open()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Empty(t, b2.x.Callbacks())
		require.Zero(t, b2.panics)
		require.Len(t, b2.events, 1)
		require.Equal(t, call.EventCallbackLost, b2.events[0].Kind)
	})
}

// TestAlarmKeyAfterBooking: the key works in the last prompt of a callback too.
func TestAlarmKeyAfterBooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		b.x.Alarm = call.AlarmKey{Key: '*', To: call.Next{Kind: call.Wait, Queue: "gas-alarm"}}
		done := b.asks(city)
		time.Sleep(5 * time.Second)
		b.caller.Stream().Press('1')
		synctest.Wait()
		require.Equal(t, "callback-booked", b.caller.Stream().Playing())
		b.caller.Stream().Press('*')
		synctest.Wait()
		require.Equal(t, "gas-alarm", b.seat().Ticket.Queue, "the caller was hung up")
		require.Len(t, b.bookings(), 1)
		b.caller.End(call.Far, call.CauseBye)
		<-done
	})
}

// TestCallbackWaitIsCountedOnce: an agent who leaves before the caller was reached has ended no wait.
func TestCallbackWaitIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.at(30 * time.Second)
		b.answered("8001").End(call.Far, call.CauseBye)
		b.at(40 * time.Second)
		b.answered("8002")
		leg := calltest.NewLeg("customer")
		require.True(t, b.dialer.Answer(leg))
		b.at(70 * time.Second)
		leg.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.InDelta(t, 100, b.record().WaitSeconds, 1e-9)
	})
}

// TestCallbackGrowsOldWhileItWaits: where no agent comes for a day, somebody is told.
func TestCallbackGrowsOldWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.at(24 * time.Hour)
		require.Len(t, b.bookings(), 1)
		b.at(24*time.Hour + 10*time.Second)
		require.Empty(t, b.bookings())
		require.Empty(t, b.x.Live())
		require.Len(t, b.events, 1)
		require.Equal(t, call.EventCallbackLost, b.events[0].Kind)
	})
}
