package claims

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/call"
)

// search goes through every world that can be reached, the nearest first.
type search struct {
	env      *env
	seen     map[key]int32
	came     []step
	buf      []byte
	happened [kinds]int
	doubted  int             // schedules that ended so
	good     [3]map[key]bool // worlds from which every phone comes free
	limit    int             // of worlds
	full     bool            // the limit was not met
	calmed   []event         // what happened once faults had stopped, where that went wrong
}

// step is how a world was reached first.
type step struct {
	from  int32
	event event
}

func newSearch(e *env, limit int) *search {
	s := &search{env: e, seen: make(map[key]int32), limit: limit}
	for i := range s.good {
		s.good[i] = make(map[key]bool)
	}
	return s
}

// start is the world in which two nodes have joined, and the phones are registered: the first at the first.
func (e *env) start() *world {
	w := &world{env: e, bookUp: true, left: e.size.budget}
	w.book = newLedger(e)
	for n := range uint8(nodes) {
		w.nodes[n] = node{up: true, entered: never, newBook: -leaseFor}
		w.nodes[n].strangers()
		w.callers[n].claims = e.size.claims[n]
		w.enter(n)
	}
	for n := range uint8(nodes) {
		w.nodes[n].view = w.book.view
		w.act(n)
	}
	for a := range uint8(e.size.agents) {
		w.registers(a, a%nodes)
		w.asked(ask{from: a % nodes, to: 1 - a%nodes, agent: a, since: w.phones[a].count})
	}
	w.before = nil
	fine := *e
	e.brisk = true
	w.left = budget{faults: 9, moves: 9, restarts: 1}
	for _, x := range e.prelude {
		if !w.possible(x) {
			panic(fmt.Sprintf("the beginning cannot be: %s", x))
		}
		w.do(x)
	}
	e.brisk, w.left = fine.brisk, e.size.budget
	return w
}

// run returns the shortest schedule that breaks a rule, and the rule.
func (s *search) run() (schedule []event, broken string) {
	w := s.env.start()
	frontier := []*world{w}
	s.add(w, step{from: -1})
	var events []event
	for len(frontier) > 0 {
		var next []*world
		for _, w := range frontier {
			from := s.seen[s.key(w)]
			events = w.events(events[:0])
			for _, e := range events {
				x := *w
				x.do(e)
				s.happened[e.kind]++
				if x.doubted && s.env.doubts {
					s.doubted++
					continue
				}
				if !s.add(&x, step{from, e}) {
					continue
				}
				s.calmed = s.calmed[:0]
				if x.broken == "" && e.kind == tick {
					x.broken = s.settles(&x)
				}
				if x.broken != "" {
					return s.schedule(int32(len(s.came) - 1)), x.broken
				}
				next = append(next, &x)
			}
			if len(s.came) > s.limit {
				return nil, ""
			}
		}
		frontier = next
	}
	s.full = true
	return nil, ""
}

func (s *search) key(w *world) key {
	var k key
	k, s.buf = w.key(s.buf)
	return k
}

// add reports whether a world is new.
func (s *search) add(w *world, from step) bool {
	k := s.key(w)
	if _, ok := s.seen[k]; ok && w.broken == "" {
		return false
	}
	s.seen[k] = int32(len(s.came))
	s.came = append(s.came, from)
	return true
}

// events are what may happen next. A second goes by when nothing is left that happens by itself.
func (w *world) events(out []event) []event {
	out = w.urgent(out)
	if e, ok := w.first(out); ok {
		out = append(out[:0], e)
		if e.kind == act && w.env.can(sleep) && w.left.faults > 0 {
			out = append(out, event{kind: sleep, n: e.n})
		}
		return out
	}
	if len(out) == 0 {
		out = append(out, event{kind: tick})
	}
	return w.may(w.free(out))
}

// possible reports whether something may happen now. Faults always may.
func (w *world) possible(e event) bool {
	now := w.urgent(nil)
	if e.kind == tick {
		return len(now) == 0
	}
	return e.kind >= crash && e.kind < restart || slices.Contains(w.free(now), e)
}

// first is what takes no time in a brisk world: nothing comes before it, but that a node is stopped.
func (w *world) first(urgent []event) (event, bool) {
	if w.env.brisk {
		for _, e := range urgent {
			switch {
			case e.kind == act, e.kind == tell, e.kind == queryFar, e.kind == query && !w.env.can(lateQuery):
				return e, true
			}
		}
	}
	return event{}, false
}

func (s *search) schedule(i int32) []event {
	var out []event
	for ; s.came[i].from >= 0; i = s.came[i].from {
		out = append([]event{s.came[i].event}, out...)
	}
	return out
}

// tell writes a schedule for people.
func (s *search) tell(schedule []event, broken string) string {
	var b strings.Builder
	for _, x := range s.env.prelude {
		fmt.Fprintf(&b, "      %s\n", x)
	}
	w := s.env.start()
	for _, x := range schedule {
		fmt.Fprintf(&b, "%2d s  %s\n", w.now, x)
		w.do(x)
		for i := range w.legs {
			if l := &w.legs[i]; l.used && x.l == uint8(i) && x.kind >= reach {
				fmt.Fprintf(&b, "          leg %d: agent %d, caller %c, token %s, at the phone %d, at the edge %c %d, at the owner %d\n",
					i, l.agent+1, 'A'+l.caller, l.token, l.phone, 'A'+l.edge, l.edgeHas, l.ownerHas)
			}
		}
	}
	for _, x := range s.calmed {
		fmt.Fprintf(&b, "calm  %s\n", x)
	}
	fmt.Fprintf(&b, "%2d s  BROKEN: %s\n", w.now, broken)
	return b.String()
}

// The ways in which faults stop.
const (
	allMend     = iota // everything is as it was, but for who was killed
	sleepersDie        // who was stopped is killed
	alone              // the book stays away
)

// settles returns what is wrong if, once faults stop and callers hang up, a phone does not come free within [settled].
func (s *search) settles(w *world) string {
	for way := range s.good {
		x := *w
		if bad := s.settle(&x, way); bad != "" {
			return bad
		}
	}
	return ""
}

func (s *search) settle(w *world, way int) string {
	w.calm(way)
	var path []key
	s.calmed = s.calmed[:0]
	var events []event
	for end := w.now + settled; ; {
		k := s.key(w)
		if s.good[way][k] || w.ready(way) {
			path = append(path, k)
			break
		}
		path = append(path, k)
		if w.now > end {
			return fmt.Sprintf("way %d: a phone does not come free: %s", way, w.stuck())
		}
		events = w.urgent(events[:0])
		if x, ok := w.goesHome(); ok {
			events = append(events, x)
		}
		e := event{kind: tick}
		if len(events) > 0 {
			e = events[0]
		}
		w.do(e)
		s.calmed = append(s.calmed, e)
		if w.broken != "" {
			return fmt.Sprintf("way %d, after all was calm: %s", way, w.broken)
		}
	}
	for _, k := range path {
		s.good[way][k] = true
	}
	s.calmed = s.calmed[:0]
	return ""
}

// calm ends all faults, and has the callers hang up.
func (w *world) calm(way int) {
	w.left = budget{}
	w.bookUp, w.lonely = way != alone, way == alone
	w.before = nil
	up := 0
	for n := range uint8(nodes) {
		nd := &w.nodes[n]
		if nd.asleep && way == sleepersDie {
			w.crashes(n)
		}
		nd.asleep, nd.cutBook, nd.cutPeers = false, false, false
		if nd.up {
			up++
		}
	}
	if up == 0 {
		w.left.restarts = 1
		n := uint8(0)
		if w.nodes[0].gen+1 >= generations {
			n = 1
		}
		w.do(event{kind: restart, n: n})
	}
	for c := range uint8(callers) {
		if w.callers[c].stands != gone {
			w.hangUp(c)
		}
	}
	for i := range w.legs {
		if l := &w.legs[i]; l.invite == late {
			l.invite = flying
		}
	}
}

// goesHome is the next phone that registers because its edge is dead or does not have it.
func (w *world) goesHome() (event, bool) {
	for a := range uint8(w.env.size.agents) {
		p := &w.phones[a]
		if w.is(p.at, p.gen) && w.nodes[p.at].phones[a].here {
			continue
		}
		for n := range uint8(nodes) {
			if w.running(n) {
				return event{kind: move, n: n, a: a}, true
			}
		}
	}
	return event{}, false
}

// ready reports whether every phone is free, and would be rung.
func (w *world) ready(way int) bool {
	for i := range w.legs {
		if l := &w.legs[i]; l.used && (way != alone || l.phone == ringing || l.phone == talking) {
			return false
		}
	}
	for a := range uint8(w.env.size.agents) {
		if w.book.view.claims[a].Agent != "" && way != alone {
			return false
		}
		if p := &w.phones[a]; !w.is(p.at, p.gen) || !w.nodes[p.at].phones[a].here {
			return false
		}
		for n := range uint8(nodes) {
			if w.nodes[n].up && !w.rings(n, a, way) {
				return false
			}
		}
	}
	return true
}

// rings reports whether an offer of a node to an agent would reach the phone. In a world where the book is gone only
// that of its own edge can.
func (w *world) rings(n, a uint8, way int) bool {
	p := &w.phones[a]
	nd := &w.nodes[n]
	if way == alone {
		if n != p.at {
			return true
		}
		_, ok := nd.phones[a].gate.Next(call.Token{Epoch: max(nd.lease.Epoch, 1)})
		return ok && nd.stands == cut
	}
	if nd.stands != joined {
		return false
	}
	w.env.clock = at(w.now)
	b := w.book.book.Clone(func() time.Time { return w.env.clock })
	gate := w.nodes[p.at].phones[a].gate
	for range 2 { // what a gate answers to one that is not above the highest raises the tokens
		g, err := b.Claim(background, w.id(n), agentIDs[a], "probe")
		if err != nil || g.Edge != w.id(p.at) {
			return false
		}
		v := gate.Admit(call.GateLeg{Dialog: "probe", Call: "probe", Token: g.Token}, 1, at(w.now+1), at(w.now))
		if v != call.GateStale || w.env.without == noRaise || w.env.without == noEpoch {
			return v == call.GateOpen
		}
		must(b.Release(background, w.id(n), call.SiteRest{Agent: agentIDs[a], Token: g.Token, How: "taken"}))
		must(b.Raise(background, gate.Highest()))
	}
	return false
}

// stuck tells of what is not as it should be.
func (w *world) stuck() string {
	var b strings.Builder
	for a := range w.env.size.agents {
		c := w.book.view.claims[a]
		fmt.Fprintf(&b, "agent %d at %c, claim %s of %s (orphan %t); ", a+1, 'A'+w.phones[a].at, c.Token, c.Owner, c.Orphan)
		for n := range w.nodes {
			e := &w.nodes[n].phones[a]
			fmt.Fprintf(&b, "gate at %c (stands %d): here %t, held %t, highest %s, leg %v; ", 'A'+n, w.nodes[n].stands, e.here, e.gate.Held(), e.gate.Highest(), e.gate.Leg())
		}
	}
	for i := range w.legs {
		if l := &w.legs[i]; l.used {
			fmt.Fprintf(&b, "leg %d %+v; ", i, *l)
		}
	}
	return b.String()
}
