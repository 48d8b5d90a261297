package acd_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/call"
	"hotline/call/calltest"
)

// lab is a desk with phones and callers that a test drives, inside a synctest bubble. What happens is
// written down as events, each with its time since the start.
type lab struct {
	t      *testing.T
	center *acd.Center
	phones *phones
	start  time.Time
	cancel context.CancelFunc
	ran    chan error

	seats map[string]call.Seat
	names []string // of callers, in the order of joining

	mu     sync.Mutex
	events []event
	legs   map[string]*calltest.Leg // the newest of each agent
	got    map[string]call.Answer
	failed map[string]call.Cause
	turned map[string]call.Overflow
}

type event struct {
	at   time.Duration
	what string
}

func newLab(t *testing.T, o acd.Options) *lab {
	t.Helper()
	l := &lab{
		t: t, start: time.Now(), ran: make(chan error, 1),
		seats: map[string]call.Seat{}, legs: map[string]*calltest.Leg{}, got: map[string]call.Answer{},
		failed: map[string]call.Cause{}, turned: map[string]call.Overflow{},
	}
	l.phones = &phones{lab: l, bells: map[string]*bell{}, crossing: map[string]bool{}}
	if o.Phones == nil {
		o.Phones = l.phones
	}
	if o.Dialer == nil {
		o.Dialer = l.phones
	}
	if o.OnAlarm == nil {
		o.OnAlarm = func(s acd.AlarmStep) {
			talking := ""
			for _, a := range s.Talking {
				talking += " " + a.Agent + "/" + a.Call
			}
			l.logf("alarm %s %s waited %s, talking:%s", s.Call, s.Step, s.Waited, talking)
		}
	}
	if o.OnPanic == nil {
		o.OnPanic = func(where string, v any) { l.logf("PANIC %s: %v", where, v) }
	}
	if o.OnEvent == nil {
		o.OnEvent = func(e call.Event) { l.logf("event %s %s %s %s", e.Kind, e.Agent, e.Queue, e.Call) }
	}
	if o.OnCode == nil {
		o.OnCode = func(id, agent string, code call.WrapUpCode) {
			l.logf("code %s %s %s %s", id, agent, code.Code, code.Text)
		}
	}
	center, err := acd.New(o)
	require.NoError(t, err)
	l.center = center
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	go func() { l.ran <- center.Run(ctx) }()
	synctest.Wait()
	return l
}

// stop ends the desk and waits for it.
func (l *lab) stop() {
	l.t.Helper()
	l.cancel()
	require.NoError(l.t, <-l.ran)
	synctest.Wait()
}

func (l *lab) logf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event{time.Since(l.start), fmt.Sprintf(format, args...)})
}

// log is every event so far; those of one instant are sorted, since goroutines have no order in it.
func (l *lab) log() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := slices.Clone(l.events)
	slices.SortStableFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.what, b.what))
	})
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = e.at.String() + " " + e.what
	}
	return lines
}

// since returns the events after the first n, as they came.
func (l *lab) since(n int) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events[n:])
}

// join seats a caller and writes its answer down.
func (l *lab) join(t call.Ticket) call.Seat {
	l.t.Helper()
	seat, err := l.center.Join(l.t.Context(), t)
	require.NoError(l.t, err)
	l.seats[t.CallID] = seat
	l.names = append(l.names, t.CallID)
	go func() {
		select {
		case a := <-seat.Answered():
			l.mu.Lock()
			l.got[t.CallID] = a
			l.mu.Unlock()
			l.logf("answered %s %s", t.CallID, a.Agent+a.Number)
		case why := <-seat.Failed():
			l.mu.Lock()
			l.failed[t.CallID] = why
			l.mu.Unlock()
			l.logf("failed %s %s", t.CallID, why)
		case why := <-seat.Turned():
			l.mu.Lock()
			l.turned[t.CallID] = why
			l.mu.Unlock()
			l.logf("turned %s %s", t.CallID, why)
		case <-l.t.Context().Done():
		}
	}()
	return seat
}

// leg is the newest leg of an agent.
func (l *lab) leg(agent string) *calltest.Leg {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.legs[agent]
}

func (l *lab) newLeg(agent string) *calltest.Leg {
	l.mu.Lock()
	leg := calltest.NewLeg(agent)
	l.legs[agent] = leg
	l.mu.Unlock()
	context.AfterFunc(leg.Context(), func() {
		end, _ := call.EndOf(leg)
		l.logf("ended %s %s %s", agent, end.By, end.Why)
	})
	return leg
}

func (l *lab) state(agent string) call.AgentState { return l.agent(agent).State }

func (l *lab) agent(id string) call.AgentView {
	for _, a := range acd.Must(l.center.Agents()) {
		if a.ID == id {
			return a
		}
	}
	l.t.Fatalf("no agent %s", id)
	return call.AgentView{}
}

func (l *lab) queue(name string) call.QueueView {
	for _, q := range acd.Must(l.center.Queues()) {
		if q.Name == name {
			return q
		}
	}
	l.t.Fatalf("no queue %s", name)
	return call.QueueView{}
}

// phones are agents' phones that do what the test says.
type phones struct {
	lab *lab

	mu    sync.Mutex
	bells map[string]*bell
	// crossing are the agents whose 200 crosses a withdrawal, each once.
	crossing map[string]bool
}

// bell is one phone that rings.
type bell struct {
	request call.RingRequest
	result  chan error // nil: answers
}

// Ring implements acd.Phones.
func (p *phones) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	b := &bell{request: r, result: make(chan error, 1)}
	p.mu.Lock()
	if p.bells[r.Agent] != nil {
		p.lab.logf("RUNG TWICE %s", r.Agent)
	}
	p.bells[r.Agent] = b
	p.mu.Unlock()
	p.lab.logf("ring %s %s%s", r.Agent, r.CallID, map[bool]string{true: " private"}[r.Private])
	select {
	case err := <-b.result:
		p.forget(b)
		if err != nil {
			return nil, err
		}
		return p.lab.newLeg(r.Agent), nil //nolint:contextcheck // the leg outlives the ringing
	case <-ctx.Done():
		var asked call.CancelCause
		require.ErrorAs(p.lab.t, context.Cause(ctx), &asked)
		why := asked.Why
		p.lab.logf("cancel %s %s %s", r.Agent, r.CallID, why)
		if p.forget(b) {
			return p.lab.newLeg(r.Agent), nil //nolint:contextcheck // the leg outlives the ringing
		}
		return nil, &call.RingError{Why: why, Code: 487, At: time.Now()}
	}
}

// Dial implements call.Dialer: a number outside is one more phone.
func (p *phones) Dial(ctx context.Context, r call.DialRequest) (call.Leg, error) {
	return p.Ring(ctx, call.RingRequest{Agent: r.Number, CallID: r.CallID, Progress: r.Progress})
}

// forget takes a bell away, and reports whether the phone answers all the same.
func (p *phones) forget(b *bell) (crosses bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bells[b.request.Agent] == b {
		delete(p.bells, b.request.Agent)
	}
	crosses = p.crossing[b.request.Agent]
	delete(p.crossing, b.request.Agent)
	return crosses
}

// bell is the agent's phone that rings now, nil if it does not.
func (p *phones) bell(agent string) *bell {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bells[agent]
}

func (p *phones) progress(agent string, code int) bool {
	b := p.bell(agent)
	if b != nil {
		b.request.Progress(code, time.Now())
	}
	return b != nil
}

// end ends the ringing: with a failure, or answered when why is empty.
func (p *phones) end(agent string, why call.Cause) bool {
	b := p.bell(agent)
	if b == nil {
		return false
	}
	var err error
	if why != "" {
		err = &call.RingError{Why: why, At: time.Now()}
	}
	select {
	case b.result <- err:
		return true
	default:
		return false
	}
}

func (p *phones) cross(agent string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crossing[agent] = true
}

func (p *phones) uncross(agent string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.crossing, agent)
}
