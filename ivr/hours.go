package ivr

import (
	"context"
	"fmt"
	"time"

	"hotline/call"
)

// Hours say when something is open. Package calendar has them.
type Hours interface {
	Open(at time.Time) bool
}

// HoursOptions are those of kind hours.
type HoursOptions struct {
	// Calendar is the name of one in Options.Calendars.
	Calendar string
	// Open and Closed are where the call goes.
	Open, Closed call.Next
}

// hours asks a calendar.
type hours struct {
	name         string
	calendar     Hours
	open, closed call.Next
	clock        func() time.Time
}

func (h *hours) walk(_ context.Context, line call.Line) (call.Next, error) {
	if h.calendar.Open(h.clock()) {
		line.Chose(h.name, "open")
		return h.open, nil
	}
	line.Chose(h.name, "closed")
	return h.closed, nil
}

// buildHours makes a node that leads elsewhere when it is open than when it is not.
func buildHours(name string, o MenuOptions, shared *Options) built {
	h := o.Hours
	b := built{
		node: &hours{name: name, calendar: shared.Calendars[h.Calendar], open: h.Open, closed: h.Closed, clock: shared.Clock},
		ways: []way{{field: "open", next: h.Open, silent: true}, {field: "closed", next: h.Closed, silent: true}},
	}
	if _, ok := shared.Calendars[h.Calendar]; !ok {
		b.problems = append(b.problems, &ProblemError{
			NoCalendar, name, "calendar", fmt.Sprintf("no calendar %q", h.Calendar), "the name of a calendar",
		})
	}
	return b
}
