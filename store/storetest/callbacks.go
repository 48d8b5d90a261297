package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// RunBookings runs the suite of callbacks. open makes an empty store, which it closes itself when the test ends.
func RunBookings(t *testing.T, open func(t *testing.T) call.Bookings) {
	t.Helper()
	t.Run("BookAndSettle", func(t *testing.T) { testBookings(t, open(t)) })
	t.Run("Bounds", func(t *testing.T) { testBookingBounds(t, open(t)) })
	t.Run("OnePerNumber", func(t *testing.T) { testOneBooking(t, open(t)) })
}

// Bounds are those of the suite.
var Bounds = call.BookingBounds{PerDay: 3, Open: 5, Since: Day}

// Booked is a callback in which every field is set.
func Booked(id, number string) call.Booking {
	return call.Booking{
		ID: id, Origin: "call-" + id, Number: number, To: "96777", Language: "en", Queue: consult, Entered: Day.Add(time.Minute),
		Front: true, Asked: Day.Add(2 * time.Minute), Due: Day.Add(3 * time.Minute), Tries: 1,
	}
}

func testBookings(t *testing.T, s call.Bookings) {
	t.Helper()
	all := func() []call.Booking {
		list, err := s.Bookings(t.Context())
		require.NoError(t, err)
		for i := range list {
			for _, at := range []*time.Time{&list[i].Entered, &list[i].Asked, &list[i].Due} {
				*at = at.UTC()
			}
		}
		return list
	}
	require.Empty(t, all())
	require.ErrorIs(t, s.PutOff(t.Context(), "a", 1, Day), call.ErrNoBooking)
	require.ErrorIs(t, s.Settle(t.Context(), "a", call.CallbackLost), call.ErrNoBooking)
	early, late := Booked("a", "1391"), Booked("b", "1392")
	late.Entered = late.Entered.Add(time.Millisecond)
	require.NoError(t, s.Book(t.Context(), late, Bounds))
	require.NoError(t, s.Book(t.Context(), early, Bounds))
	utc := func(b call.Booking) call.Booking {
		b.Entered, b.Asked, b.Due = b.Entered.UTC(), b.Asked.UTC(), b.Due.UTC()
		return b
	}
	require.Equal(t, []call.Booking{utc(early), utc(late)}, all(), "the first to enter first, of those due at once")
	early.Tries, early.Due = 2, Day.Add(time.Hour+time.Nanosecond)
	require.NoError(t, s.PutOff(t.Context(), "a", early.Tries, early.Due))
	require.Equal(t, []call.Booking{utc(late), utc(early)}, all(), "the first due first")
	require.NoError(t, s.Settle(t.Context(), "b", call.CallbackReached))
	require.Equal(t, []call.Booking{utc(early)}, all())
	require.ErrorIs(t, s.Settle(t.Context(), "b", call.CallbackLost), call.ErrNoBooking, "once")
	require.ErrorIs(t, s.PutOff(t.Context(), "b", 1, Day), call.ErrNoBooking)
}

// A number has as many a day as it may, settled ones included, and another day as many again; and so many are open
// in all.
func testBookingBounds(t *testing.T, s call.Bookings) {
	t.Helper()
	for i := range Bounds.PerDay {
		id := fmt.Sprint("day-", i)
		require.NoError(t, s.Book(t.Context(), Booked(id, "1391"), Bounds))
		require.NoError(t, s.Settle(t.Context(), id, call.CallbackReached))
	}
	require.ErrorIs(t, s.Book(t.Context(), Booked("more", "1391"), Bounds), call.ErrBookedToday)
	tomorrow := Bounds
	tomorrow.Since = Bounds.Since.Add(24 * time.Hour)
	next := Booked("next", "1391")
	next.Asked = next.Asked.Add(24 * time.Hour)
	require.NoError(t, s.Book(t.Context(), next, tomorrow))
	for i := range tomorrow.Open - 1 {
		require.NoError(t, s.Book(t.Context(), Booked(fmt.Sprint("open-", i), fmt.Sprint("139-", i)), tomorrow))
	}
	require.ErrorIs(t, s.Book(t.Context(), Booked("full", "1398"), tomorrow), call.ErrBookedFull)
	require.NoError(t, s.Settle(t.Context(), "open-0", call.CallbackCancelled))
	require.NoError(t, s.Book(t.Context(), Booked("room", "1398"), tomorrow))
}

// A number whose callback is open gets no other, however old that is.
func testOneBooking(t *testing.T, s call.Bookings) {
	t.Helper()
	require.NoError(t, s.Book(t.Context(), Booked("a", "1391"), Bounds))
	later := Bounds
	later.Since = Bounds.Since.Add(48 * time.Hour)
	require.ErrorIs(t, s.Book(t.Context(), Booked("b", "1391"), later), call.ErrBooked)
	require.NoError(t, s.Settle(t.Context(), "a", call.CallbackLost))
	require.NoError(t, s.Book(t.Context(), Booked("b", "1391"), later))
}
