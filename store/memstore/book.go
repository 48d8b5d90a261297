package memstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotline/call"
	"hotline/site"
)

// Book implements site.Book in memory: the table of its rules in Go, and nothing else. Several nodes of one process share
// one; an exhaustive checker steps copies of it. It does nothing by itself: time is what its clock says. Use NewBook.
type Book struct {
	clock  func() time.Time
	bounds site.Bounds

	mu   sync.Mutex
	now  time.Time     // the clock's, as of the method that has mu
	more chan struct{} // closed and replaced when the log grows, or is another

	bookState
}

// bookState is what a book holds. The maps' values are never changed in place.
type bookState struct {
	id    string     // "" when nobody has entered
	last  call.Token // the greatest
	nodes map[call.NodeID]member

	flows    map[string]call.SiteFlow   // by agent
	callers  map[string]call.SiteCaller // by call
	claims   map[string]call.SiteClaim  // by agent
	rests    map[string]written[call.SiteRest]
	shifts   map[string]written[call.Shift]
	places   map[string]call.SitePlace // by queue and number
	regulars map[string]call.SiteRegular

	log    []noted    // the last of them, up to entry n
	n      uint64     // how many there were
	branch uint64     // tells logs apart that went different ways from one state on
	before site.Place // the place before log[0]
	made   int        // how many books there were
}

// member is a node in the book.
type member struct {
	site.Node
	until time.Time
}

// noted is an entry of the log, with the instant when it was written.
type noted struct {
	site.Entry
	at time.Time
}

// written is a fact of an agent, with the instant when it was written.
type written[T any] struct {
	fact T
	at   time.Time
}

// NewBook returns a book that nobody has entered. clock is the book's own clock; bounds must not be the zero value.
func NewBook(clock func() time.Time, bounds site.Bounds) *Book {
	return &Book{clock: clock, bounds: bounds, more: make(chan struct{}), bookState: emptyBook(0, 1)}
}

// emptyBook is a state with nothing in it but what tells it from those before.
func emptyBook(made int, branch uint64) bookState {
	return bookState{
		nodes: make(map[call.NodeID]member), flows: make(map[string]call.SiteFlow),
		callers: make(map[string]call.SiteCaller), claims: make(map[string]call.SiteClaim),
		rests: make(map[string]written[call.SiteRest]), shifts: make(map[string]written[call.Shift]),
		places: make(map[string]call.SitePlace), regulars: make(map[string]call.SiteRegular),
		made: made, branch: branch,
	}
}

// Clone returns a book that is as this one is now and goes its own way from there, by another clock. It costs a copy of
// the maps; facts and log are shared, since they never change.
func (b *Book) Clone(clock func() time.Time) *Book {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Book{clock: clock, bounds: b.bounds, more: make(chan struct{}), bookState: b.clone()}
}

func (s *bookState) clone() bookState {
	c := *s
	c.nodes, c.flows, c.callers, c.claims = maps.Clone(s.nodes), maps.Clone(s.flows), maps.Clone(s.callers), maps.Clone(s.claims)
	c.rests, c.shifts = maps.Clone(s.rests), maps.Clone(s.shifts)
	c.places, c.regulars = maps.Clone(s.places), maps.Clone(s.regulars)
	c.log, s.log = slices.Clip(s.log), slices.Clip(s.log) // neither appends into what the other sees
	return c
}

// Empty has the book lose all that it holds, as a server does that is started again without its data.
func (b *Book) Empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bookState = emptyBook(b.made, b.branch+1)
	b.tell()
}

// Forget has the book go back to an earlier state of its own (a Clone), as a server does that failed over to a replica
// which had not got the last writes.
func (b *Book) Forget(to *Book) {
	to.mu.Lock()
	state := to.clone()
	to.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	state.made = max(b.made, state.made)
	state.branch = max(b.branch, state.branch) + 1 // what is written from here on is not what was written before
	b.bookState = state
	b.tell()
}

// tell wakes those who follow the log.
func (b *Book) tell() {
	close(b.more)
	b.more = make(chan struct{})
}

// note writes an entry into the log.
func (b *Book) note(e site.Entry) {
	b.n++
	e.At = site.Place(fmt.Sprintf("%d.%d", b.branch, b.n))
	b.log = append(b.log, noted{e, b.now})
	if over := len(b.log) - b.bounds.Log; over >= b.bounds.Log {
		b.cut(over) // now and then, so that little is copied
	}
	b.tell()
}

// cut takes the first entries out of the log.
func (s *bookState) cut(n int) {
	if n > 0 {
		s.before = s.log[n-1].At
		s.log = slices.Clone(s.log[n:])
	}
}

// lastPlace is the place of the last entry.
func (s *bookState) lastPlace() site.Place {
	if len(s.log) == 0 {
		return s.before
	}
	return s.log[len(s.log)-1].At
}

// begin takes the book for one step.
func (b *Book) begin() (end func()) {
	b.mu.Lock()
	b.now = b.clock().Truncate(time.Microsecond).UTC()
	return b.mu.Unlock
}

// alive reports whether a node lives.
func (b *Book) alive(id call.NodeID) bool {
	n, ok := b.nodes[id]
	return ok && n.until.After(b.now)
}

// sweep declares the nodes dead whose leases are over, in the order of their ids.
func (b *Book) sweep() {
	for _, id := range slices.Sorted(maps.Keys(b.nodes)) {
		if !b.alive(id) {
			b.bury(id)
		}
	}
}

// bury takes out all that is a node's own.
func (b *Book) bury(id call.NodeID) {
	delete(b.nodes, id)
	maps.DeleteFunc(b.flows, func(_ string, f call.SiteFlow) bool { return f.Edge == id })
	maps.DeleteFunc(b.callers, func(_ string, c call.SiteCaller) bool { return c.Owner == id })
	for agent, c := range b.claims {
		if c.Owner == id {
			c.Orphan = true
			b.claims[agent] = c
		}
	}
	b.note(site.Entry{Dead: id})
}

// Enter implements site.Book.
func (b *Book) Enter(_ context.Context, n site.Node, last site.Lease) (site.Lease, error) {
	if err := n.Check(); err != nil {
		return site.Lease{}, err
	}
	if last.Epoch >= site.MaxToken {
		return site.Lease{}, fmt.Errorf("enter after epoch %d: %w", last.Epoch, site.ErrRange)
	}
	defer b.begin()()
	b.sweep()
	if _, ok := b.nodes[n.ID]; ok {
		return site.Lease{}, fmt.Errorf("enter as node %s: %w", n.ID, site.ErrTaken)
	}
	begun := b.id == ""
	if begun {
		b.made++
		b.id = "memory" + strconv.Itoa(b.made)
	}
	if begun || b.last.Epoch < last.Epoch || b.last.Epoch == last.Epoch && b.id != last.Book {
		b.last = call.Token{Epoch: last.Epoch + 1}
	}
	b.nodes[n.ID] = member{Node: n, until: b.now.Add(n.Lease)}
	b.note(site.Entry{Node: &n})
	return b.lease(n.ID), nil
}

func (b *Book) lease(id call.NodeID) site.Lease {
	return site.Lease{Now: b.now, Until: b.nodes[id].until, Book: b.id, Epoch: b.last.Epoch}
}

// Renew implements site.Book.
func (b *Book) Renew(_ context.Context, id call.NodeID) (site.Lease, error) {
	defer b.begin()()
	b.sweep()
	b.purge()
	n, ok := b.nodes[id]
	if !ok {
		return site.Lease{}, fmt.Errorf("renew the lease of node %s: %w", id, site.ErrDead)
	}
	n.until = b.now.Add(n.Lease)
	b.nodes[id] = n
	return b.lease(id), nil
}

// Leave implements site.Book.
func (b *Book) Leave(_ context.Context, id call.NodeID) error {
	defer b.begin()()
	if !b.alive(id) {
		return fmt.Errorf("leave as node %s: %w", id, site.ErrDead)
	}
	b.bury(id)
	return nil
}

// Read implements site.Book.
func (b *Book) Read(context.Context) (site.View, error) {
	defer b.begin()()
	v := site.View{At: b.lastPlace(), Now: b.now, Epoch: b.last.Epoch}
	for _, id := range slices.Sorted(maps.Keys(b.nodes)) {
		v.Nodes = append(v.Nodes, b.nodes[id].Node)
	}
	collect(&v, b.flows, func(f call.SiteFlow) call.SiteFact { return call.SiteFact{Flow: &f} })
	collect(&v, b.callers, func(c call.SiteCaller) call.SiteFact { return call.SiteFact{Caller: &c} })
	collect(&v, b.claims, func(c call.SiteClaim) call.SiteFact { return call.SiteFact{Claim: &c} })
	collect(&v, b.rests, func(r written[call.SiteRest]) call.SiteFact { return call.SiteFact{Rest: &r.fact} })
	collect(&v, b.shifts, func(s written[call.Shift]) call.SiteFact { return call.SiteFact{Shift: &s.fact} })
	b.purge()
	collect(&v, b.places, func(p call.SitePlace) call.SiteFact { return call.SiteFact{Place: &p} })
	collect(&v, b.regulars, func(r call.SiteRegular) call.SiteFact { return call.SiteFact{Regular: &r} })
	return v, nil
}

// collect adds the facts of one kind to a view, in the order of their keys.
func collect[T any](v *site.View, all map[string]T, fact func(T) call.SiteFact) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		v.Facts = append(v.Facts, fact(all[key]))
	}
}

// followFor is for how long Follow waits for something to return.
const followFor = 500 * time.Millisecond

// Follow implements site.Book.
func (b *Book) Follow(ctx context.Context, after site.Place) ([]site.Entry, error) {
	limit := time.NewTimer(followFor)
	defer limit.Stop()
	for {
		b.mu.Lock()
		more := b.more
		b.mu.Unlock()
		entries, err := b.Since(after)
		if err != nil || len(entries) > 0 {
			return entries, err
		}
		select {
		case <-more:
		case <-limit.C:
			return nil, nil
		case <-ctx.Done():
			return nil, fmt.Errorf("follow the book's log: %w", context.Cause(ctx))
		}
	}
}

// Since is Follow that does not wait. Errors: site.ErrGap.
func (b *Book) Since(after site.Place) ([]site.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, text, _ := strings.Cut(string(after), ".")
	n, err := strconv.ParseUint(text, 10, 64)
	if after != "" && err != nil {
		return nil, errors.Join(fmt.Errorf("follow from %q: %w", after, site.ErrGap), err)
	}
	first := b.n - uint64(len(b.log)) // the number of the entry before log[0]
	switch known := n >= first && n <= b.n && b.id != ""; {
	case !known, n > first && b.log[n-first-1].At != after, n == first && n > 0 && b.before != after:
		return nil, fmt.Errorf("follow from %q: %w", after, site.ErrGap)
	}
	entries := make([]site.Entry, 0, b.n-n)
	for _, e := range b.log[n-first:] {
		entries = append(entries, e.Entry)
	}
	return entries, nil
}
