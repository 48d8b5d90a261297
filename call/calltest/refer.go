package calltest

import (
	"sync"
	"time"

	"hotline/call"
)

// Referral is a call.Referral that notes what it was told.
type Referral struct {
	mu   sync.Mutex
	told []string
	// deaf: what the phone is told does not reach it; late: it was answered before its owner came to it.
	deaf, late bool
	heard      time.Time
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

// Deafen has what the phone is told be lost from now on, or arrive now.
func (r *Referral) Deafen(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deaf, r.heard = on, time.Now()
}

// Late has the phone be told that its wish came to nothing, before its owner comes to it.
func (r *Referral) Late() {
	r.tell("refused error")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = true
}

// Heard implements call.Referral.
func (r *Referral) Heard() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deaf {
		return time.Now()
	}
	return r.heard
}

// Accept implements call.Referral.
func (r *Referral) Accept() bool {
	r.mu.Lock()
	late := r.late
	r.mu.Unlock()
	if !late {
		r.tell("accepted")
	}
	return !late
}

// Refuse implements call.Referral.
func (r *Referral) Refuse(why call.Cause) {
	r.mu.Lock()
	late := r.late
	r.mu.Unlock()
	if !late {
		r.tell("refused " + string(why))
	}
}

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
