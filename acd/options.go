package acd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
)

// Options of a [Center].
type Options struct {
	Queues []Queue
	Agents []Agent
	// Phones rings agents' phones. Required.
	Phones Phones
	// Rings is how many whole rings an offer may last, from its own first 18x; 0 means 3.
	Rings int
	// Ring is the cadence; zero means 1 s on and 4 s off.
	Ring Ring
	// Ladder is what is done for alarms; its zero value is nothing.
	Ladder Ladder
	// Dialer calls the ladder's duty numbers; nil where there are none.
	Dialer call.Dialer
	// OnAlarm is told each step of each alarm as it begins, on the desk's goroutine; it must not block. It may be
	// nil.
	OnAlarm func(AlarmStep)
	// Ageing is the waiting that weighs as much as one point of a queue's priority; 0 means that no waiting
	// makes up for priority. Up to 1 h.
	Ageing time.Duration
	// Location is where days begin, for the figures of a day; nil means UTC.
	Location *time.Location
	// Random draws lots, for the strategies that do; nil means a source seeded by chance. The desk's goroutine
	// alone uses it.
	Random *rand.Rand
	// Claims decide which call an agent is for; nil means that this desk shares its agents with nobody.
	Claims Claims
	// NoProgress is how long a phone may give no 18x before it counts as unreachable; 0 means 2 s.
	NoProgress time.Duration
	// Open reports whether a queue takes callers at an instant. It is asked on the desk's goroutine and must not
	// block; nil means always.
	Open func(queue string, at time.Time) bool
	// Site is told what the other nodes of the site must know, and [Center.Learn] takes in what they say; nil means that
	// there are no others.
	Site Site
	// OnAlarmElsewhere is told each step of alarms whose calls other nodes have, as OnAlarm is of this node's own: it is
	// for the agents who talk here. It may be nil.
	OnAlarmElsewhere func(AlarmStep)
	// Codes are what agents' phones dial, see Center.Do.
	Codes Codes
	// Shifts are what agents chose before a restart. OnShift is told of each change, to be kept; it may be nil.
	Shifts  []call.Shift
	OnShift func(call.Shift)
	// OnCode is told that an agent gave a talk of a call a code, on the goroutine that asked for it. May be nil.
	OnCode func(callID, agent string, code call.WrapUpCode)
	// OnEvent is told what can still be acted on. May be nil. Like OnShift it is called on the desk's goroutine and
	// must not block.
	OnEvent func(call.Event)
	// Logger may be nil: silent.
	Logger *zap.Logger
	// Registry may be nil: no metrics.
	Registry prometheus.Registerer
	// OnPanic is told of a panic that was contained, from the goroutine that had it. It may be nil.
	OnPanic func(where string, v any)

	// now and outside are of the process, or of a [Sim].
	now     func() time.Time
	outside outside
}

// Queue is one queue's settings. Each delay is how long an agent is passed over after an offer of
// this queue that ended so; less than a second counts as one second, so that a phone which refuses
// at once is not rung in a tight loop.
type Queue struct {
	Name string
	// Priority: callers of the queue with the higher one go first.
	Priority int
	// Alarm: callers of this queue go before all others.
	Alarm bool
	// Strategy is one of the constants of this package, such as [RoundRobin]; empty means LongestIdle.
	Strategy string
	// Level is the least level of the queue's skill that an agent needs at first; Widen are the steps at which
	// less will do, the earliest first.
	Level int
	Widen []Widening
	// Progress is after how long [RingProgressively] has another phone join in; 0 means 10 s.
	Progress time.Duration
	// WrapUp is how long an agent is left alone after a talk of this queue; 0 means not at all.
	WrapUp time.Duration
	// WrapUpMax is how long after a talk its wrap-up may last that the agent makes longer; 0 means that none
	// may.
	WrapUpMax time.Duration
	// Codes are what a talk may be given, each with what it means.
	Codes map[string]string
	// Digits name the queue after a phone's code; empty: it can only be meant with all others.
	Digits string
	// AutoPause is after how many offers in a row left unanswered an agent is paused; 0 means never.
	AutoPause int
	// LastAgent is what those get who call again.
	LastAgent LastAgent
	// AfterReject, after the person declined.
	AfterReject time.Duration
	// AfterBusy, after the phone said it was busy.
	AfterBusy time.Duration
	// AfterNoAnswer, after the phone rang to its limit.
	AfterNoAnswer time.Duration
	// Unreachable, after the phone gave no sign, or an error.
	Unreachable time.Duration
	Limits
	// Rejoin is how long a caller who left while waiting may take the old place up again; 0 means not at all.
	Rejoin time.Duration
}

// LastAgent has a caller who calls again wait for the agent who talked to them last.
type LastAgent struct {
	// Within is how long ago that talk may have ended; 0 means that everybody is as good.
	Within time.Duration
	// Wait is how long that agent is waited for who is not ready; 0 means not at all.
	Wait time.Duration
}

// Agent is one agent's settings.
type Agent struct {
	// ID is the 工号, as registered.
	ID   string
	Name string
	// Skills are the queues served, with the level in each: higher goes first. A skill that names no
	// queue means nothing.
	Skills map[string]int
	// Weight is the agent's share of the calls where the strategy is [Weighted]; 0 means 1.
	Weight int
	// Supervisor: no alarm rings this phone either, only a colleague who asks for it.
	Supervisor bool
}

// Ring is the cadence of one ring.
type Ring struct{ On, Off time.Duration }

// Cycle is the length of one ring.
func (r Ring) Cycle() time.Duration { return r.On + r.Off }

// Phones rings agents' phones. Package sip.
type Phones interface {
	// Ring rings one agent's phone until it answers, fails, or ctx is cancelled. Cancelled with a
	// [call.CancelCause], it withdraws for that reason and returns once the phone is free again (its
	// final response, or the flow lost, or a bounded time): until then the desk keeps the agent
	// reserved. An answer that crosses is hung up by Ring, or else returned, and then by the desk.
	// The error is a [*call.RingError]; any other counts as unreachable. The leg's Answer returns the
	// instant its 200 arrived, as Answer on an answered leg does.
	Ring(ctx context.Context, r call.RingRequest) (call.Leg, error)
}

// Errors of this package that a caller tells apart.
var (
	// ErrNoAgent: the ticket wants an agent that does not exist.
	ErrNoAgent = call.ErrNoAgent
	// ErrAlarmQueue: another queue cannot become that of the alarms while the desk runs: an alarm that climbs the
	// ladder would have none.
	ErrAlarmQueue = errors.New("the alarm queue changes at a restart alone")
	// ErrStopped: the desk is closed.
	ErrStopped = errors.New("the desk is stopped")
	// ErrRunning: Run was called twice.
	ErrRunning = errors.New("the desk was already started")
)

// defaultProgress is Queue.Progress where it is 0.
const defaultProgress = 10 * time.Second

// minDelay is the shortest time an agent is passed over after an offer that failed.
const minDelay = time.Second

// Longest is for how long an offer's phone may be rung at most: the time for its first 18x, and its rings from there on.
func (o *Options) Longest() time.Duration {
	filled := *o
	filled.fill()
	return filled.NoProgress + time.Duration(filled.Rings)*filled.Ring.Cycle()
}

// fill fills in what an offer lasts.
func (o *Options) fill() {
	o.Rings = cmp.Or(o.Rings, 3)
	o.Ring = cmp.Or(o.Ring, Ring{On: time.Second, Off: 4 * time.Second})
	o.NoProgress = cmp.Or(o.NoProgress, 2*time.Second)
}

// complete fills in the defaults and returns every problem at once.
func (o *Options) complete() error {
	o.fill()
	if o.now == nil {
		o.now, o.outside = time.Now, goroutines{}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Random == nil {
		o.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // lots for work, not for secrets
	}
	if o.Claims == nil {
		o.Claims = NewMemoryClaims(uint64(o.now().Unix())) //nolint:gosec // positive since 1970
	}
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
	if o.OnAlarm == nil {
		o.OnAlarm = func(AlarmStep) {}
	}
	if o.OnAlarmElsewhere == nil {
		o.OnAlarmElsewhere = func(AlarmStep) {}
	}
	if o.OnShift == nil {
		o.OnShift = func(call.Shift) {}
	}
	if o.OnCode == nil {
		o.OnCode = func(string, string, call.WrapUpCode) {}
	}
	if o.OnEvent == nil {
		o.OnEvent = func(call.Event) {}
	}
	var problems []error
	if o.Phones == nil {
		problems = append(problems, errors.New("no phones to ring"))
	}
	if o.Rings < 0 || o.Ring.Cycle() <= 0 || o.NoProgress < 0 {
		problems = append(problems, errors.New("rings, ring and no-progress must be positive"))
	}
	if o.Ageing < 0 || o.Ageing > time.Hour {
		problems = append(problems, errors.New("ageing must be from 0 to 1 h"))
	}
	return errors.Join(append(problems, o.checkNames()...)...)
}

func (o *Options) checkNames() (problems []error) {
	queues, agents := map[string]bool{}, map[string]bool{}
	for _, q := range o.Queues {
		if q.Name == "" || queues[q.Name] {
			problems = append(problems, fmt.Errorf("queue %q: no name, or twice", q.Name))
		}
		if _, ok := strategies[cmp.Or(q.Strategy, LongestIdle)]; !ok {
			problems = append(problems, fmt.Errorf("queue %q: unknown strategy %q", q.Name, q.Strategy))
		}
		if !q.widens() {
			problems = append(problems, fmt.Errorf("queue %q: each widening is later than the last, and to a lower level", q.Name))
		}
		queues[q.Name] = true
	}
	for _, a := range o.Agents {
		if a.ID == "" || agents[a.ID] {
			problems = append(problems, fmt.Errorf("agent %q: no id, or twice", a.ID))
		}
		agents[a.ID] = true
	}
	return append(problems, o.checkLadder(queues)...)
}
