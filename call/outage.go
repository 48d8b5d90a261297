package call

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// Outage is a planned interruption of supply, which those who call are told of while it lasts. Operators
// change the list while the hotline runs.
type Outage struct {
	ID string `json:"id"`
	// Areas are those concerned, as menus learn them from callers; none: everywhere.
	Areas []string `json:"areas"`
	// From and To are when it is told: From <= now < To.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	// Prompt is the name of its own announcement; empty: words that are built in.
	Prompt string `json:"prompt"`
	// Note is for those who read the list.
	Note string `json:"note"`
	// By is whose token changed it last, and Changed when.
	By      string    `json:"by"`
	Changed time.Time `json:"changed"`
}

// Concerns reports whether it is to be told at an instant to a caller of an area, or, with everywhere, of any.
func (o Outage) Concerns(at time.Time, area string, everywhere bool) bool {
	return !at.Before(o.From) && at.Before(o.To) && (everywhere || len(o.Areas) == 0 || slices.Contains(o.Areas, area))
}

// SortOutages puts them in the order in which they are told: the first to begin first, then by id.
func SortOutages(all []Outage) {
	slices.SortFunc(all, func(a, b Outage) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID))
	})
}

// MaxOutages is how many there may be at once: every announcement reads them all.
const MaxOutages = 200

// Errors of Outages.
var (
	ErrNoOutage = errors.New("no such outage")
	ErrTooMany  = errors.New("as many as there may be")
)

// Outages keeps planned outages. Package store.
type Outages interface {
	// Outages returns all, in the order of SortOutages.
	Outages(ctx context.Context) ([]Outage, error)
	// PutOutage adds one, or puts it in the place of the one with its id, and returns when that is durable.
	// Errors: ErrTooMany beyond MaxOutages.
	PutOutage(ctx context.Context, o Outage) error
	// DeleteOutage deletes one, durably. Errors: ErrNoOutage.
	DeleteOutage(ctx context.Context, id string) error
}
