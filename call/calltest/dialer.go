package calltest

import (
	"context"
	"errors"
	"sync"
	"time"

	"hotline/call"
)

// Dialer is a call.Dialer with no numbers of its own: the test answers for them, for the one called last.
type Dialer struct {
	mu    sync.Mutex
	asked []call.DialRequest
	last  chan dialled // has room for one until that number has answered, failed or been taken back
}

type dialled struct {
	leg call.Leg
	err error
}

var _ call.Dialer = (*Dialer)(nil)

// Dial implements call.Dialer.
func (d *Dialer) Dial(ctx context.Context, r call.DialRequest) (call.Leg, error) {
	result := make(chan dialled, 1)
	d.mu.Lock()
	d.asked = append(d.asked, r)
	d.last = result
	d.mu.Unlock()
	select {
	case got := <-result:
		return got.leg, got.err
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == result {
		d.last = nil
	}
	select {
	case got := <-result: // the answer crossed
		return got.leg, got.err
	default:
		why := call.CauseWithdrawn
		if asked, ok := errors.AsType[call.CancelCause](context.Cause(ctx)); ok {
			why = asked.Why
		}
		return nil, &call.RingError{Why: why, Code: 487, At: time.Now()}
	}
}

// Asked are the numbers that were to be called, in order.
func (d *Dialer) Asked() []call.DialRequest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]call.DialRequest(nil), d.asked...)
}

// Ring has the number called last ring.
func (d *Dialer) Ring() {
	if asked := d.Asked(); len(asked) > 0 {
		asked[len(asked)-1].Progress(180, time.Now())
	}
}

// Answer has the number called last answer with a leg. It reports whether that number was still called;
// otherwise the leg is nobody's.
func (d *Dialer) Answer(l call.Leg) bool { return d.end(dialled{leg: l}) }

// Fail has the number called last not answer, and reports whether it was still called.
func (d *Dialer) Fail(why call.Cause) bool {
	return d.end(dialled{err: &call.RingError{Why: why, At: time.Now()}})
}

func (d *Dialer) end(r dialled) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return false
	}
	d.last <- r
	d.last = nil
	return true
}
