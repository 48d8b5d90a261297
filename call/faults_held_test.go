package call_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
	"hotline/store/memstore"
)

// TestCallbackHeldWhileItsCallerIsCalled: when a shutdown has begun, an agent who leaves while the caller of a callback
// is being called has nobody wait for another agent: the drain would, for nobody on the line. The booking is kept.
func TestCallbackHeldWhileItsCallerIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.at(30 * time.Second)
		agent := b.answered("8001")
		b.x.HoldCallbacks()
		synctest.Wait()
		require.Len(t, b.x.Live(), 1, "somebody is being called")
		agent.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.Empty(t, b.x.Live())
		require.Len(t, b.desk.Seats(), 1)
		require.Equal(t, call.ReasonShutdown, b.record().Reason)
		require.Zero(t, b.bookings()[0].Tries)
	})
}

// TestCallbackGrowsOldWhileItsCallerIsCalled: the same holds for one that has become too old meanwhile; that is told.
func TestCallbackGrowsOldWhileItsCallerIsCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.at(24*time.Hour - time.Second)
		agent := b.answered("8001")
		b.at(24*time.Hour + 20*time.Second)
		require.Len(t, b.x.Live(), 1, "who is being called is not given up")
		agent.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.Empty(t, b.x.Live())
		require.Empty(t, b.bookings())
		require.Len(t, b.events, 1)
		require.Equal(t, call.EventCallbackLost, b.events[0].Kind)
	})
}

// shattered is a store of bookings with a fault.
type shattered struct{ *memstore.Store }

func (shattered) Book(context.Context, call.Booking, call.BookingBounds) error {
	panic("a fault of the store's")
}

// TestCallbackNotBookedByAFault: nobody is told that they will be called back when a fault kept that from being written
// down.
func TestCallbackNotBookedByAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		synctest.Wait()
		b.x.Callback.Bookings = shattered{b.store}
		done := b.asks(city)
		b.at(5 * time.Second)
		b.caller.Stream().Press('1')
		b.at(20 * time.Second)
		require.Contains(t, b.caller.Stream().Played(), "callback-refused")
		require.NotContains(t, b.caller.Stream().Played(), "callback-booked")
		require.Equal(t, 1, b.panics)
		require.Len(t, b.desk.Seats(), 1, "waits on")
		b.caller.End(call.Far, call.CauseBye)
		<-done
		require.Empty(t, b.record().Callback)
	})
}

// deaf is a listener with a fault.
type deaf struct{}

func (deaf) Listen(media.Stream, media.Tap) (func(), error) { panic("a fault of the listener's") }

// TestMessageEndsWithAFault: the recording of a message ends with the call that a fault ended; it would go on for ever.
func TestMessageEndsWithAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newStage(t), &reel{}
		s.x.Menus, s.x.Listener, s.x.Recorder = &takes{}, deaf{}, r
		leg := calltest.NewLeg("caller")
		s.x.Serve(t.Context(), call.Incoming{Leg: leg, At: call.Next{Kind: call.Menu, Menu: "main"}, Received: time.Now()})
		require.Equal(t, 1, s.panics)
		require.Len(t, r.strips, 1)
		require.True(t, r.strips[0].closed)
	})
}
