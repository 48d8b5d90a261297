package call

import (
	"context"
	"errors"
	"time"
)

// Booking is a caller's wish to be called back, and the place in the queue that goes with it. Number is personal
// data.
type Booking struct {
	ID string `json:"id"`
	// Origin is the call in which it was asked for.
	Origin string `json:"origin"`
	// Number is the caller's, as a trunk asserted it, and To the one that was dialled then.
	Number string `json:"number"`
	To     string `json:"to"`
	// Language is the one that the caller chose; empty for the service's.
	Language string `json:"language,omitempty"`
	Queue    string `json:"queue"`
	// Entered is when the caller entered the queue, and Front whether at its head: the place.
	Entered time.Time `json:"entered"`
	Front   bool      `json:"front,omitempty"`
	Asked   time.Time `json:"asked"`
	// Due is when it is to be tried, at the earliest.
	Due time.Time `json:"due"`
	// Tries is how often the number was called in vain.
	Tries int `json:"tries"`
}

// BookingBounds are how much may be booked.
type BookingBounds struct {
	// PerDay is how many callbacks one number may ask for since Since, and Open how many may be open in all.
	PerDay, Open int
	// Since is when the day began. What was settled and asked for before is forgotten.
	Since time.Time
}

// How a booking was settled. It is a metric's label.
const (
	CallbackReached   = "reached"   // the caller answered
	CallbackLost      = "lost"      // called in vain as often as is tried, or too old
	CallbackCancelled = "cancelled" // taken back by a supervisor
)

// Errors of Bookings.
var (
	// ErrBooked: a callback of that number is open already.
	ErrBooked = errors.New("a callback of that number is open")
	// ErrBookedToday: the number has had as many today as it may.
	ErrBookedToday = errors.New("no more callbacks of that number today")
	// ErrBookedFull: as many are open in all as may be.
	ErrBookedFull = errors.New("no more callbacks can be open")
	// ErrNoBooking: no open callback of that id.
	ErrNoBooking = errors.New("no such callback is open")
)

// Bookings keeps the callbacks that callers asked for. Package store. Each method that changes something returns
// when that is durable.
type Bookings interface {
	// Book adds one, if the bounds allow it. Errors: ErrBooked, ErrBookedToday, ErrBookedFull: it was not added. Any
	// other leaves open whether it was; it is not added once Book has returned.
	Book(ctx context.Context, b Booking, most BookingBounds) error
	// Bookings are those open, the first due first, then by Entered and ID.
	Bookings(ctx context.Context) ([]Booking, error)
	// PutOff changes how often one was tried, and when it is due again. Errors: ErrNoBooking.
	PutOff(ctx context.Context, id string, tries int, due time.Time) error
	// Settle closes one. Errors: ErrNoBooking.
	Settle(ctx context.Context, id, how string) error
}

// CallbackOptions say what is done for callers who ask to be called back.
type CallbackOptions struct {
	// Bookings keeps what was asked for; nil: nobody is called back.
	Bookings Bookings
	// Allowed reports whether a number may be called at all, and now. It is called from any goroutine.
	Allowed func(number string) (ever, now bool)
	// Tries is how often a number is called, Every how long after one try the next is due, and Ring how long it
	// may ring.
	Tries       int
	Every, Ring time.Duration
	// PerDay and Open are the bounds of BookingBounds.
	PerDay, Open int
	// Location is where days begin; nil is UTC.
	Location *time.Location
}

// bounds are those of now.
func (o *CallbackOptions) bounds(now time.Time) BookingBounds {
	at := o.Location
	if at == nil {
		at = time.UTC
	}
	y, m, d := now.In(at).Date()
	return BookingBounds{PerDay: o.PerDay, Open: o.Open, Since: time.Date(y, m, d, 0, 0, 0, 0, at)}
}

// KindCallback is the Kind of the record of a call that was made to call somebody back.
const KindCallback = "callback"

// calledBack reports whether the call was made to call somebody back. Nobody hears an agent's phone ring in it, so
// that it has no first promise; its wait counts from when the caller entered the queue, in the call before.
func (r *Record) calledBack() bool { return r.Kind == KindCallback }
