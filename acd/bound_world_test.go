package acd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/call"
)

// The small world of the bound: three agents, two alarms and a lesser call, a desk without its goroutine, and a
// clock of whole seconds. What may happen in it is a list of acts; each takes effect, the desk works as
// Center.work does, and the rules are looked at (bound_rules_test.go).
const (
	worldSecond = time.Second
	// worldWrapUp, worldRest and worldTakeBack are in seconds: the wrap-up, the rest after an offer that failed, and
	// within which time a phone that is taken back has stopped ringing.
	worldWrapUp, worldRest, worldTakeBack = 6, 1, 1
)

// worldSteps are the seconds of the ladder's steps as the rules have them.
var worldSteps = [...]int{skilled: 0, allSkilled: 1, toEveryone: 2, toDuty: 3}

// The callers of the world; the first two are alarms.
const (
	alarmOne = iota
	alarmTwo
	lesserCall
	worldCallers
)

// act is one thing that happens: what, and to which agent or caller.
type act struct {
	what string
	who  int
}

func (a act) String() string { return fmt.Sprintf("%s %d", a.what, a.who) }

// tick is the passing of a second.
var tick = act{what: "tick"}

// wire is an agent's leg, of which only the end matters.
type wire struct {
	call.Leg
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (w *wire) Context() context.Context { return w.ctx }
func (w *wire) ID() call.LegID           { return "leg" }

func newWire() *wire {
	w := &wire{}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	return w
}

type world struct {
	d     *desk
	start time.Time
	now   int // seconds
	seats [worldCallers]*caller
	gone  [worldCallers]bool // left or answered
	// talking and rests are the agents' facts as the rules have them: whether they talk, until when they are
	// not rung because an alarm's offer failed, and whether they are logged out.
	talking []bool
	rests   []int
	out     []bool // logged out of everything
	// closed is since when each agent's phone is being taken back, -1: it is not.
	closed []int
	// without is since when an alarm has had no phone that rings, though there were enough; -1: it has.
	without [2]int
	told    [2][]int // when each step was told
	fault   func(w *world)
}

// newWorld makes a world in which every agent is there and nobody has called. A fault, if there is one, spoils the
// desk, so that what the rules are worth is seen.
func newWorld(f *figures, fault func(w *world)) *world {
	o := Options{
		Phones: silent{}, Rings: 1, Ring: Ring{On: 4 * worldSecond},
		Queues: []Queue{
			{Name: "gas", Priority: 100, Alarm: true, Strategy: RingAll, WrapUp: worldWrapUp * worldSecond, AutoPause: 1},
			{Name: "repair", WrapUp: worldWrapUp * worldSecond, AutoPause: 1},
		},
		Agents: []Agent{
			{ID: "1", Skills: map[string]int{"gas": 5, "repair": 5}},
			{ID: "2", Skills: map[string]int{"gas": 3}},
			{ID: "3", Skills: map[string]int{"repair": 3}},
		},
		Ladder: Ladder{
			Queue: "gas", AllSkilled: time.Duration(worldSteps[allSkilled]) * worldSecond,
			Everyone: time.Duration(worldSteps[toEveryone]) * worldSecond, Duty: time.Duration(worldSteps[toDuty]) * worldSecond,
		},
	}
	w := &world{start: time.Unix(1_000_000, 0), without: [2]int{-1, -1}, fault: fault}
	o.OnAlarm = func(s AlarmStep) {
		w.told[s.Call[1]-'1'] = append(w.told[s.Call[1]-'1'], w.now)
	}
	if err := o.complete(); err != nil {
		panic(err)
	}
	w.d = newDesk(&o, f, func(message) bool { return true })
	w.d.background = func(func()) {}
	w.d.now = w.start
	for _, a := range w.d.agents {
		w.talking, w.rests, w.closed = append(w.talking, false), append(w.rests, 0), append(w.closed, -1)
		w.out = append(w.out, false)
		a.idle = w.start
		w.d.setFlow(a, true)
	}
	if w.fault != nil {
		w.fault(w)
	}
	return w
}

// acts are what may happen next.
func (w *world) acts() (acts []act) {
	acts = append(acts, tick, act{what: "reload"})
	for i, c := range w.seats {
		if c == nil {
			acts = append(acts, act{"join", i})
		} else if !w.gone[i] {
			acts = append(acts, act{"leave", i})
		}
	}
	for i, a := range w.d.agents {
		acts = append(acts, act{"flow", i}, act{"pause", i}, act{"log", i})
		if w.talking[i] {
			acts = append(acts, act{"hang-up", i})
		}
		switch o := a.offer; {
		case o == nil:
		case !o.open:
			acts = append(acts, act{"freed", i}, act{"crossed", i})
		default:
			acts = append(acts, act{"answer", i}, act{"refuse", i})
			if o.rung.IsZero() {
				acts = append(acts, act{"progress", i})
			}
		}
	}
	return acts
}

// do has an act take effect, and the desk work.
func (w *world) do(x act) {
	switch x.what {
	case "tick":
		w.pass()
	case "join":
		w.join(x.who)
	case "reload":
		w.reload()
	case "leave":
		w.gone[x.who] = true
		if w.seats[x.who].seat.Leave(call.CauseBye) {
			w.d.left(w.seats[x.who])
		}
	default:
		w.agentDoes(x.what, x.who)
	}
	w.d.match()
	if w.fault != nil {
		w.fault(w)
	}
	w.note()
}

// pass lets a second pass: phones that have been taken back for long enough have stopped ringing, and deadlines fire.
func (w *world) pass() {
	w.now++
	w.d.now = w.start.Add(time.Duration(w.now) * worldSecond)
	for i, a := range w.d.agents {
		if w.closed[i] >= 0 && w.now-w.closed[i] >= worldTakeBack {
			w.d.rang(a.offer, nil, &call.RingError{Why: call.CauseWithdrawn}, w.d.now)
		}
	}
	for fire, ok := w.d.due(w.d.now); ok; fire, ok = w.d.due(w.d.now) {
		before := w.failing()
		fire()
		w.restAfter(before)
	}
}

// reload takes the alarms' skill from the second agent and gives another, or the other way round.
func (w *world) reload() {
	o := *w.d.o
	o.Agents = slices.Clone(o.Agents)
	if _, skill := o.Agents[1].Skills["gas"]; skill {
		o.Agents[1].Skills = map[string]int{"repair": 1}
	} else {
		o.Agents[1].Skills = map[string]int{"gas": 3}
	}
	w.d.reload(&o)
}

func (w *world) join(i int) {
	t := call.Ticket{CallID: fmt.Sprint("g", i+1), Queue: "gas", From: fmt.Sprint("138", i), Entered: w.d.now}
	if i == lesserCall {
		t.CallID, t.Queue = "r", "repair"
	}
	c := &caller{Ticket: t, queue: w.d.byQueue[t.Queue], seat: newSeat(t, worldSecond), unwatch: func() bool { return true }}
	c.seat.gone = func() {}
	w.seats[i] = c
	w.d.admit(c)
}

func (w *world) agentDoes(what string, i int) {
	a := w.d.agents[i]
	before := w.failing()
	switch what {
	case "flow":
		w.d.setFlow(a, !a.flow)
	case "pause":
		a.paused = !a.paused
		w.d.refresh(a)
	case "log":
		w.out[i] = !w.out[i]
		for _, s := range a.slots {
			s.away = w.out[i]
		}
		if w.out[i] {
			a.unpause()
		}
		w.d.refresh(a)
	case "hang-up":
		w.hangUp(i, call.Far)
	case "progress":
		w.d.progress(a.offer, 180, w.d.now)
	case "answer":
		for k, c := range w.seats {
			w.gone[k] = w.gone[k] || c == a.offer.caller
		}
		w.d.rang(a.offer, newWire(), nil, w.d.now)
		w.talking[i] = true
	case "crossed":
		w.d.rang(a.offer, newWire(), nil, w.d.now)
		w.hangUp(i, call.System)
	case "refuse":
		w.d.rang(a.offer, nil, &call.RingError{Why: call.CauseDeclined, At: w.d.now}, w.d.now)
	case "freed":
		w.d.rang(a.offer, nil, &call.RingError{Why: call.CauseWithdrawn}, w.d.now)
	}
	w.restAfter(before)
}

// hangUp ends an agent's leg.
func (w *world) hangUp(i int, by call.Party) {
	a := w.d.agents[i]
	b := a.legs[0]
	b.stop()
	b.leg.(*wire).cancel(&call.LegEnd{By: by, Why: call.CauseBye, At: w.d.now})
	w.d.legEnded(a, b)
	w.talking[i] = false
}

// failing are the agents whose phones ring for alarms.
func (w *world) failing() (ring []*offer) {
	for _, a := range w.d.agents {
		if a.offer != nil && a.offer.open && a.offer.caller.climb != nil {
			ring = append(ring, a.offer)
			continue
		}
		ring = append(ring, nil)
	}
	return ring
}

// restAfter takes in that an alarm's offer failed, and was not answered or taken back.
func (w *world) restAfter(before []*offer) {
	for i, o := range before {
		if o != nil && !o.open && o.caller.waits() && w.d.agents[i].booked == nil && !w.talking[i] {
			w.rests[i] = w.now + worldRest
		}
	}
}

// note takes in which phones are being taken back.
func (w *world) note() {
	for i, a := range w.d.agents {
		switch {
		case a.offer == nil || a.offer.open:
			w.closed[i] = -1
		case w.closed[i] < 0:
			w.closed[i] = w.now
		}
	}
}

// before is how many of the callers joined before one.
func (w *world) before(c *caller) (n int) {
	for _, x := range w.seats {
		if x != nil && x != c && x.goesBefore(c) {
			n++
		}
	}
	return n
}

// key is the state, as far as what may come of it goes: times are counted from now.
func (w *world) key() string {
	var b strings.Builder
	rel := func(t time.Time) int { return int(max(-9, t.Sub(w.d.now)/worldSecond)) }
	at := func(c *caller) int {
		for i := range w.seats {
			if w.seats[i] == c && c != nil {
				return i
			}
		}
		return -1
	}
	for i, a := range w.d.agents {
		fmt.Fprint(&b, a.flow, a.paused, w.out[i], a.missed, a.Skills, len(a.legs), at(a.booked), w.closed[i]-w.now,
			max(0, rel(a.wrapUntil)), max(0, rel(a.restUntil)), max(0, rel(a.alarmRest)), max(0, w.rests[i]-w.now), w.talking[i], ' ')
		if o := a.offer; o != nil {
			fmt.Fprint(&b, o.open, at(o.caller), o.rung.IsZero(), rel(o.alarm.at), o.why)
		}
		for _, x := range w.d.agents {
			fmt.Fprint(&b, a.idle.Compare(x.idle))
		}
		b.WriteByte('/')
	}
	for i, c := range w.seats {
		if c == nil || w.gone[i] {
			fmt.Fprint(&b, c == nil, '/')
			continue
		}
		fmt.Fprint(&b, rel(c.Entered), w.before(c), len(c.offers), ' ')
		for _, o := range c.offers {
			b.WriteString(o.agent.ID)
		}
		if c.climb != nil {
			fmt.Fprint(&b, c.climb.at, w.without[i]-w.now)
		}
		b.WriteByte('/')
	}
	return b.String()
}
