package call_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/memstore"
)

// sluggish is a store of bookings whose commit takes longer than anybody waits, but is made, and that then refuses changes
// for a while.
type sluggish struct {
	*memstore.Store

	mu      sync.Mutex // guards what follows
	refuses int        // so many changes
	booked  int        // so many were
}

var errSlow = errors.New("the disk does not answer")

func (s *sluggish) Book(ctx context.Context, b call.Booking, most call.BookingBounds) error {
	if err := s.Store.Book(ctx, b, most); err != nil {
		return err
	}
	s.mu.Lock()
	s.booked++
	s.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (s *sluggish) made() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.booked
}

func (s *sluggish) Settle(ctx context.Context, id, how string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses > 0 {
		s.refuses--
		return errSlow
	}
	return s.Store.Settle(ctx, id, how)
}

// TestCallbackInDoubt: a caller who was told that there is no callback, since the store did not answer in time, is not
// called back by this process or the next, whatever the store had made of it.
func TestCallbackInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		refuses int
		shut    bool // the process ends as soon as the caller was told
	}{
		"taken back at once":    {},
		"tried again":           {refuses: 3},
		"taken back at the end": {refuses: 1, shut: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackroom(t)
				synctest.Wait()
				store := &sluggish{Store: b.store, refuses: c.refuses}
				b.x.Callback.Bookings = store
				done := b.asks(city)
				b.caller.Stream().Press('1')
				b.at(7500 * time.Millisecond) // the notice is begun anew after the key
				require.Equal(t, 1, store.made())
				require.Equal(t, "callback-refused", b.caller.Stream().Playing())
				if c.shut {
					b.close()
				} else {
					b.at(time.Minute)
				}
				left, err := b.store.Bookings(t.Context())
				require.NoError(t, err)
				require.Empty(t, left, "the next process would call")
				require.Empty(t, b.x.Callbacks())
				b.at(time.Hour)
				require.Len(t, b.desk.Seats(), 1, "the caller's own")
				b.caller.End(call.Far, call.CauseBye)
				<-done
			})
		})
	}
}

// TestCallbacksInDoubtAreBounded: while the store does not answer, no more are tried than may be open.
func TestCallbacksInDoubtAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackroom(t)
		synctest.Wait()
		store := &sluggish{Store: b.store, refuses: 1 << 20}
		b.x.Callback.Bookings, b.x.Callback.Open = store, 1
		for range 2 {
			done := b.asks(city)
			b.caller.Stream().Press('1')
			<-time.After(20 * time.Second)
			require.Contains(t, b.caller.Stream().Played(), "callback-refused")
			b.caller.End(call.Far, call.CauseBye)
			<-done
		}
		require.Equal(t, 1, store.made())
	})
}
