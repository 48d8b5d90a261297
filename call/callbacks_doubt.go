package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A booking is in doubt whose store failed, or took too long, without saying that it was not made. Its caller was told
// that it was not, and waits on; so it is taken back in the store, until that says so: nobody is called back, by this
// process or the next, who was told otherwise and served meanwhile.

// voidEvery is how long after one try to take back what is in doubt the next is due.
const voidEvery = 5 * time.Second

// errDoubtful: so many bookings are in doubt that no more are tried.
var errDoubtful = errors.New("the store of callbacks does not answer")

// doubts are the bookings in doubt, by id. The lock of callbacks guards them.
type doubts struct {
	ids     map[string]struct{}
	voiding bool      // a try is under way
	due     time.Time // the next try
}

// doubt remembers a booking that is in doubt.
func (k *callbacks) doubt(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = make(map[string]struct{})
	}
	k.ids[id] = struct{}{}
	k.tell()
}

// doubtful reports that most bookings are in doubt already, which bounds what is remembered of them.
func (k *callbacks) doubtful(most int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.ids); n > 0 && n >= most {
		return fmt.Errorf("book a callback, with %d in doubt: %w", n, errDoubtful)
	}
	return nil
}

// settleDoubts has what is in doubt be taken back, if that is due, and returns how long until it is due again; ok is
// false when nothing is in doubt, or a try is under way. The lock is held.
func (k *callbacks) settleDoubts(now time.Time, calls *sync.WaitGroup) (left time.Duration, ok bool) {
	if len(k.ids) == 0 || k.voiding {
		return 0, false
	}
	if left = k.due.Sub(now); left > 0 {
		return left, true
	}
	k.voiding, k.due = true, now.Add(voidEvery)
	calls.Go(func() {
		k.void()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.voiding = false
		k.tell()
	})
	return 0, false
}

// void takes back what is in doubt, as far as the store lets it.
func (k *callbacks) void() {
	k.mu.Lock()
	ids := slices.Sorted(maps.Keys(k.ids))
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), bookWithin)
	defer cancel()
	for _, id := range ids {
		if err := k.x.Callback.Bookings.Settle(ctx, id, CallbackCancelled); err != nil && !errors.Is(err, ErrNoBooking) {
			k.x.Logger.Error("callback that was refused may be in the store, and is tried to be taken back again",
				zap.String("callback", id), zap.Error(err))
			return
		}
		k.mu.Lock()
		delete(k.ids, id)
		k.mu.Unlock()
	}
}
