package calltest

import (
	"context"
	"sync"
	"time"

	"hotline/call"
)

// Referral is a call.Referral that notes what it was told.
type Referral struct {
	mu   sync.Mutex
	told []string
}

var _ call.Referral = (*Referral)(nil)

// Refer has the leg's phone send a REFER to the owner of the leg. replaces is empty for a blind one.
func (l *Leg) Refer(to call.Next, replaces call.LegID) *Referral {
	r := &Referral{}
	if !l.Post(call.Referred{Leg: l.id, At: time.Now(), To: to, Replaces: replaces, Referral: r}) {
		r.tell("nobody")
	}
	return r
}

// Told is what the phone was told, in order: accepted, refused CAUSE, ringing, done or failed CAUSE; nobody
// if the leg had no owner with room.
func (r *Referral) Told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.told...)
}

func (r *Referral) tell(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, what)
}

// Accept implements call.Referral.
func (r *Referral) Accept() { r.tell("accepted") }

// Refuse implements call.Referral.
func (r *Referral) Refuse(why call.Cause) { r.tell("refused " + string(why)) }

// Ringing implements call.Referral.
func (r *Referral) Ringing() { r.tell("ringing") }

// Done implements call.Referral.
func (r *Referral) Done(why call.Cause) {
	if why == call.CauseNone {
		r.tell("done")
		return
	}
	r.tell("failed " + string(why))
}

// Dialer is a call.Dialer whose numbers the test answers for. One call at a time.
type Dialer struct {
	mu     sync.Mutex
	asked  []call.DialRequest
	result chan dialled
}

type dialled struct {
	leg call.Leg
	err error
}

// Dial implements call.Dialer.
func (d *Dialer) Dial(ctx context.Context, r call.DialRequest) (call.Leg, error) {
	result := make(chan dialled, 1)
	d.mu.Lock()
	d.asked = append(d.asked, r)
	d.result = result
	d.mu.Unlock()
	select {
	case got := <-result:
		return got.leg, got.err
	case <-ctx.Done():
	}
	select {
	case got := <-result: // the answer crossed
		return got.leg, got.err
	default:
		return nil, &call.RingError{Why: call.CauseWithdrawn, Code: 487, At: time.Now()}
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
	asked := d.Asked()
	asked[len(asked)-1].Progress(180, time.Now())
}

// Answer has the number called last answer with a leg.
func (d *Dialer) Answer(l call.Leg) { d.end(dialled{leg: l}) }

// Fail has the number called last not answer.
func (d *Dialer) Fail(why call.Cause) {
	d.end(dialled{err: &call.RingError{Why: why, At: time.Now()}})
}

func (d *Dialer) end(r dialled) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.result <- r
}
