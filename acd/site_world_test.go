package acd_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/acd"
	"hotline/call"
)

// world is the desks of one or several nodes in simulated time, on one log, with phones that do what the test says. The log
// and the claims are the book's rules in short; what must hold is judged by the phones.
type world struct {
	t     testing.TB
	start time.Time
	now   time.Time
	nodes []*worldNode
	// delay is how long a word takes to the book, or from it.
	delay  func() time.Duration
	events []worldEvent
	seq    int

	flows map[string]*call.SiteFlow
	// callers, rests and shifts are what the book holds besides.
	callers map[string]*call.SiteCaller
	rests   map[string]*call.SiteRest
	shifts  map[string]*call.Shift
	places  map[string]*call.SitePlace
	claims  map[string]*call.SiteClaim
	n       uint64
	phones  map[string]*worldPhone
	calls   map[string]*worldCall
	names   []string
	engage  map[string]*acd.SimLeg
	home    map[string]int // the node at which the phone is, -1: none
	// broken: a node has died or was cut off, so that the book does not know all.
	broken bool

	lines   []worldLine
	refused int // claims
	// refusedAt is when.
	refusedAt map[time.Duration]bool
	lapsed    int // expectations
	faults    []string
	trace     []string // all of it, for whoever reads a failure
}

type worldEvent struct {
	at  time.Time
	seq int
	do  func()
}

// worldNode is one node: its desk, and what stands for its membership.
type worldNode struct {
	w    *world
	id   call.NodeID
	runs int
	sim  *acd.Sim
	// up and down are until when words on the way to the book, and from it, take: neither overtakes another.
	up, down  time.Time
	dead, cut bool
	reckoned  int64 // how often it was asked what the clock of the site says
	// said are its callers who wait, which it says again in another run.
	said map[string]*call.SiteCaller
}

// worldPhone rings, or talks.
type worldPhone struct {
	agent, call string
	node        *worldNode
	token       call.Token
	progress    func(int, time.Time)
	tell        func(call.Leg, *call.RingError)
	leg         *acd.SimLeg
	since       time.Time
}

type worldCall struct {
	call.Ticket
	node *worldNode
	seat call.Seat
	over bool
}

func newWorld(tb testing.TB, nodes int, o acd.Options) *world {
	tb.Helper()
	w := &world{
		t: tb, start: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), delay: func() time.Duration { return 0 },
		callers: map[string]*call.SiteCaller{}, rests: map[string]*call.SiteRest{}, shifts: map[string]*call.Shift{}, places: map[string]*call.SitePlace{},
		flows: map[string]*call.SiteFlow{}, claims: map[string]*call.SiteClaim{}, phones: map[string]*worldPhone{},
		calls: map[string]*worldCall{}, engage: map[string]*acd.SimLeg{}, home: map[string]int{}, refusedAt: map[time.Duration]bool{},
	}
	w.now = w.start
	for i := range nodes {
		n := &worldNode{w: w, said: map[string]*call.SiteCaller{}, id: call.NodeID(fmt.Sprintf("n%d.1", i)), runs: 1}
		o := o
		if nodes > 1 {
			o.Site = n
		}
		o.Logger = zap.New(newLapses(w))
		o.Random = rand.New(rand.NewPCG(1, uint64(i)))
		o.OnPanic = func(where string, v any) { w.fault("%s: panic: %v\n%s", where, v, debug.Stack()) }
		o.OnAlarm = func(s acd.AlarmStep) { w.line("alarm %s %s", s.Call, s.Step) }
		sim, err := acd.NewSim(o, n, w.now)
		require.NoError(tb, err)
		n.sim = sim
		w.nodes = append(w.nodes, n)
	}
	if nodes > 1 {
		for _, n := range w.nodes {
			n.learn(call.SiteNews{Self: n.id, State: call.SiteJoined, Whole: true})
		}
	}
	w.settle()
	return w
}

func (w *world) line(format string, args ...any) {
	w.lines = append(w.lines, worldLine{w.now.Sub(w.start), fmt.Sprintf(format, args...)})
	w.traced(format, args...)
}

func (w *world) fault(format string, args ...any) {
	w.faults = append(w.faults, worldLine{w.now.Sub(w.start), fmt.Sprintf(format, args...)}.String())
}

func (w *world) traced(format string, args ...any) {
	w.trace = append(w.trace, w.now.Sub(w.start).String()+" "+fmt.Sprintf(format, args...))
}

type worldLine struct {
	at   time.Duration
	what string
}

func (l worldLine) String() string { return l.at.String() + " " + l.what }

// log is what happened; what happened in one instant has no order.
func (w *world) log() []string {
	lines := slices.Clone(w.lines)
	slices.SortStableFunc(lines, func(a, b worldLine) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what))
	})
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.String()
	}
	return texts
}

// later does something once a word has had its way, after all that was sent before it on the same way.
func (w *world) later(way *time.Time, do func()) {
	at := w.now.Add(w.delay())
	if at.Before(*way) {
		at = *way
	}
	*way = at
	w.at(at, do)
}

func (w *world) at(at time.Time, do func()) {
	w.seq++
	w.events = append(w.events, worldEvent{at, w.seq, do})
}

// next is the first event that has come.
func (w *world) due() (worldEvent, bool) {
	best := -1
	for i, e := range w.events {
		if !e.at.After(w.now) && (best < 0 || e.at.Before(w.events[best].at) ||
			e.at.Equal(w.events[best].at) && e.seq < w.events[best].seq) {
			best = i
		}
	}
	if best < 0 {
		return worldEvent{}, false
	}
	e := w.events[best]
	w.events = slices.Delete(w.events, best, best+1)
	return e, true
}

// settle has everything happen that is to at this instant.
func (w *world) settle() {
	for again := true; again; {
		again = false
		for _, n := range w.nodes {
			if !n.dead {
				n.sim.Set(w.now)
				n.sim.Work()
			}
		}
		for e, ok := w.due(); ok; e, ok = w.due() {
			e.do()
			again = true
		}
		for _, n := range w.nodes {
			if at, ok := n.sim.Next(); ok && !n.dead && !at.After(w.now) {
				again = true
			}
		}
	}
	w.look()
}

// pass lets time go by, with everything that happens in it.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := end
		for _, e := range w.events {
			if e.at.Before(next) {
				next = e.at
			}
		}
		for _, n := range w.nodes {
			if at, ok := n.sim.Next(); ok && !n.dead && at.Before(next) {
				next = at
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		w.settle()
		if !w.now.Before(end) {
			return
		}
	}
}

// look takes in what callers were told.
func (w *world) look() {
	for _, name := range w.names {
		c := w.calls[name]
		if c.over || c.node.dead {
			continue
		}
		select {
		case a := <-c.seat.Answered():
			w.line("answered %s by %s", name, a.Agent)
			c.over = true
		case why := <-c.seat.Failed():
			w.line("failed %s %s", name, why)
			c.over = true
		case why := <-c.seat.Turned():
			w.line("turned %s %s", name, why)
			c.over = true
		default:
		}
	}
}

// append writes into the log: every node that follows it hears of it.
func (w *world) append(news call.SiteNews) {
	for _, n := range w.nodes {
		if n.dead || n.cut {
			continue
		}
		id := n.id
		w.later(&n.down, func() {
			if !n.dead && !n.cut && n.id == id {
				news.Self, news.State = n.id, call.SiteJoined
				n.learn(news)
			}
		})
	}
}

func (n *worldNode) learn(news call.SiteNews) { n.sim.Center().Learn(news) }
