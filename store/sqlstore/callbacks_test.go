package sqlstore

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/storetest"
)

func TestBookingSuite(t *testing.T) {
	storetest.RunBookings(t, func(t *testing.T) call.Bookings {
		t.Helper()
		return open(t, Options{})
	})
}

// What was booked is there after a restart, with what became of it; and nothing is half done when the time is up.
func TestBookingsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Book(t.Context(), storetest.Booked("a", "1391"), storetest.Bounds))
	require.NoError(t, s.Book(t.Context(), storetest.Booked("b", "1392"), storetest.Bounds))
	require.NoError(t, s.Settle(t.Context(), "a", call.CallbackReached))
	require.NoError(t, s.Close())
	s, err = Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	list, err := s.Bookings(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "b", list[0].ID)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Bookings(cancelled)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Book(cancelled, storetest.Booked("c", "1393"), storetest.Bounds), context.Canceled)
	require.ErrorIs(t, s.Settle(cancelled, "b", call.CallbackLost), context.Canceled)
}
