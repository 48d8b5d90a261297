package memstore

import (
	"context"
	"time"

	"hotline/call"
)

var _ call.Bookings = (*Store)(nil)

// booked is a callback; how is empty while it is open.
type booked struct {
	call.Booking
	how string
}

// Book implements call.Bookings.
func (s *Store) Book(_ context.Context, b call.Booking, most call.BookingBounds) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	today, open := 0, 0
	for id, one := range s.bookings {
		switch {
		case one.how != "" && one.Asked.Before(most.Since):
			delete(s.bookings, id)
			continue
		case one.how == "" && one.Number == b.Number:
			return call.ErrBooked
		case one.how == "":
			open++
		}
		if one.Number == b.Number && !one.Asked.Before(most.Since) {
			today++
		}
	}
	switch {
	case today >= most.PerDay:
		return call.ErrBookedToday
	case open >= most.Open:
		return call.ErrBookedFull
	}
	s.bookings[b.ID] = booked{Booking: b}
	return nil
}

// Bookings implements call.Bookings.
func (s *Store) Bookings(context.Context) (all []call.Booking, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.bookings {
		if one.how == "" {
			all = append(all, one.Booking)
		}
	}
	call.SortBookings(all)
	return all, nil
}

// PutOff implements call.Bookings.
func (s *Store) PutOff(_ context.Context, id string, tries int, due time.Time) error {
	return s.changeBooking(id, func(b *booked) { b.Tries, b.Due = tries, due })
}

// Settle implements call.Bookings.
func (s *Store) Settle(_ context.Context, id, how string) error {
	return s.changeBooking(id, func(b *booked) { b.how = how })
}

func (s *Store) changeBooking(id string, change func(*booked)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.bookings[id]
	if !ok || b.how != "" {
		return call.ErrNoBooking
	}
	change(&b)
	s.bookings[id] = b
	return nil
}
