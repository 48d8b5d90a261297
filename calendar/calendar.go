// Package calendar owns when something is open: a plan for the week, public holidays with the working days
// that make up for them, and days with hours of their own.
//
// It is a leaf. Package cmd/hotline makes calendars of the configuration, for menus (package ivr) and queues
// (package acd).
//
// Goroutines: a [Calendar] never changes once it is made, so everybody may ask it at the same time.
package calendar

import (
	"errors"
	"fmt"
	"time"
)

// Span is a part of the day, by the clock on the wall: From <= clock < To. To at most 24 h; a To that is not
// after From is on the next day.
type Span struct{ From, To time.Duration }

// Date is a day of the calendar.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Options are what New makes a calendar from.
type Options struct {
	// Location whose wall clocks count; nil means UTC.
	Location *time.Location
	// Week has the hours of each day, by time.Weekday; none: closed.
	Week [7][]Span
	// Holidays names public holidays: China, or empty for none. They are closed, and the working days that
	// make up for them have the hours of a Monday.
	Holidays string
	// Exceptions are days with hours of their own, none: closed. They go before holidays.
	Exceptions map[Date][]Span
}

// Faults of Options.
var (
	ErrSpan     = errors.New("a span outside the day")
	ErrHolidays = errors.New("no such holidays")
)

const day = 24 * time.Hour

// Calendar is a checked plan. Make one with New.
type Calendar struct {
	o        Options
	holidays *holidays // nil: none
}

// New checks the plan. Errors: ErrSpan, ErrHolidays.
func New(o Options) (*Calendar, error) {
	if o.Location == nil {
		o.Location = time.UTC
	}
	c := &Calendar{o: o}
	for _, spans := range o.Week {
		if err := check(spans); err != nil {
			return nil, err
		}
	}
	for date, spans := range o.Exceptions {
		if err := check(spans); err != nil {
			return nil, fmt.Errorf("%04d-%02d-%02d: %w", date.Year, date.Month, date.Day, err)
		}
	}
	if o.Holidays == "" {
		return c, nil
	}
	var ok bool
	if c.holidays, ok = nations[o.Holidays]; !ok {
		return nil, fmt.Errorf("%q: %w", o.Holidays, ErrHolidays)
	}
	return c, nil
}

func check(spans []Span) error {
	for _, s := range spans {
		if s.From < 0 || s.From >= day || s.To < 0 || s.To > day {
			return fmt.Errorf("%s to %s: %w", s.From, s.To, ErrSpan)
		}
	}
	return nil
}

// Open reports whether it is open at an instant. It goes by what a clock on the wall shows: an hour that is
// skipped in spring is nobody's, and one that comes twice in autumn is open both times.
func (c *Calendar) Open(at time.Time) bool {
	at = at.In(c.o.Location)
	hour, minute, second := at.Clock()
	clock := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	today := dateOf(at)
	for _, s := range c.hours(today) {
		if s.From <= clock && (clock < s.To || s.To <= s.From) {
			return true
		}
	}
	for _, s := range c.hours(today.before()) {
		if s.To <= s.From && clock < s.To {
			return true
		}
	}
	return false
}

// Known reports whether the holidays of a day's year are among the data; true where none are asked for.
func (c *Calendar) Known(at time.Time) bool {
	return c.holidays == nil || c.holidays.years[at.In(c.o.Location).Year()]
}

// hours are those of one day.
func (c *Calendar) hours(d Date) []Span {
	if spans, ok := c.o.Exceptions[d]; ok {
		return spans
	}
	if c.holidays != nil {
		if c.holidays.off[d] {
			return nil
		}
		if c.holidays.working[d] {
			return c.o.Week[time.Monday]
		}
	}
	return c.o.Week[d.weekday()]
}

func dateOf(at time.Time) Date {
	year, month, day := at.Date()
	return Date{year, month, day}
}

// noon is a day's in UTC, where every day has one.
func (d Date) noon() time.Time { return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, time.UTC) }

func (d Date) weekday() time.Weekday { return d.noon().Weekday() }

func (d Date) before() Date { return dateOf(d.noon().AddDate(0, 0, -1)) }
