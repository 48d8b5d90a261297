package call_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/memstore"
)

// absent is a store of bookings whose database does not serve until it is back.
type absent struct {
	*memstore.Store
	back atomic.Bool
}

func (s *absent) Bookings(ctx context.Context) ([]call.Booking, error) {
	if !s.back.Load() {
		return nil, fmt.Errorf("read callbacks: %w", call.ErrUnavailable)
	}
	return s.Store.Bookings(ctx)
}

// TestCallbackStoreAway: a start while the store does not serve ends nothing, and those who asked before are called back
// once it does.
func TestCallbackStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := booked(t)
		b.close()
		store := &absent{Store: b.store}
		again, err := call.NewExchange(b.x.Options)
		require.NoError(t, err)
		b.x = again
		b.x.Callback.Bookings = store
		b.open()
		time.Sleep(12 * time.Second)
		require.Empty(t, b.x.Callbacks())
		store.back.Store(true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.Len(t, b.x.Callbacks(), 1)
		require.Equal(t, customer, b.seat().Ticket.From)
	})
}
