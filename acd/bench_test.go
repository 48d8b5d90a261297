package acd

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hotline/call"
)

const (
	benchAgents = 1_000
	benchCalls  = 10_000
	benchQueues = 10
)

// bench is a desk without its goroutine: 1,000 agents of three queues each, all paused, and 10,000
// callers who wait.
func bench(tb testing.TB) *desk {
	tb.Helper()
	o := Options{Phones: silent{}}
	for i := range benchQueues {
		o.Queues = append(o.Queues, Queue{Name: fmt.Sprint("queue-", i), Priority: i % 3})
	}
	for i := range benchAgents {
		skills := map[string]int{}
		for k := range 3 {
			skills[fmt.Sprint("queue-", (i+3*k)%benchQueues)] = 1 + (i+k)%5
		}
		o.Agents = append(o.Agents, Agent{ID: fmt.Sprint(8000 + i), Skills: skills})
	}
	if err := o.complete(); err != nil {
		tb.Fatal(err)
	}
	d := newDesk(&o, newFigures(newLoad(time.Now())), func(message) bool { return true })
	start := d.now
	for i, a := range d.agents {
		a.flow, a.paused, a.idle = true, true, start.Add(time.Duration(i*7919%benchAgents)*time.Second)
		d.refresh(a)
	}
	for i := range benchCalls {
		q := d.queues[i*31%benchQueues]
		t := call.Ticket{CallID: fmt.Sprint(i), Queue: q.Name, Entered: start.Add(time.Duration(i*7919%benchCalls) * time.Second)}
		d.admit(&caller{Ticket: t, queue: q, seat: newSeat(t, time.Second), unwatch: func() bool { return true }})
	}
	d.match()
	return d
}

// naive looks at every caller for an agent who became ready: what the indexes are held against.
func (d *desk) naive(a *agent) (best *caller) {
	for _, q := range d.queues {
		if _, ok := a.Skills[q.Name]; !ok {
			continue
		}
		for _, c := range q.waiting.items {
			if len(c.offers) < c.fanOut(d.now) && (best == nil || c.goesBefore(best)) {
				best = c
			}
		}
	}
	return best
}

// BenchmarkMatch: an agent becomes ready, the first of 10,000 callers is found and taken out, and put
// back. It reports how many times longer a scan of all callers takes, in the same run.
func BenchmarkMatch(b *testing.B) {
	d := bench(b)
	pair := func(a *agent, find func() *caller) {
		a.paused = false
		d.refresh(a)
		c := find()
		c.want().remove(c)
		a.paused = true
		d.refresh(a)
		d.index(c)
		d.touched.clear()
	}
	indexed := func(a *agent) {
		pair(a, func() *caller { c, _ := d.touched.first(); return c })
	}
	scanned := func(a *agent) {
		pair(a, func() *caller { return d.naive(a) })
	}
	const rounds = 50
	began := time.Now()
	for i := range rounds {
		scanned(d.agents[i*13%benchAgents])
	}
	scan := float64(time.Since(began)) / rounds
	n := 0
	for b.Loop() {
		indexed(d.agents[n*13%benchAgents])
		n++
	}
	match := float64(b.Elapsed()) / float64(n)
	b.ReportMetric(scan/match, "times-faster-than-scan")
}

// BenchmarkDesk: a whole round through the desk's goroutine: a caller joins an idle desk of 1,000
// agents with 10,000 more waiting for others, the phone is rung, and the caller leaves.
func BenchmarkDesk(b *testing.B) {
	rung := make(chan struct{}, 1)
	o := Options{Phones: ringer(rung), Queues: []Queue{{Name: "busy"}, {Name: "idle"}}}
	for i := range benchAgents {
		o.Agents = append(o.Agents, Agent{ID: fmt.Sprint(8000 + i), Skills: map[string]int{"idle": 1 + i%5}})
	}
	c, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	join := func(queue string) call.Seat {
		seat, err := c.Join(ctx, call.Ticket{Queue: queue})
		if err != nil {
			b.Fatal(err)
		}
		return seat
	}
	for range benchCalls {
		join("busy")
	}
	for _, a := range o.Agents {
		c.Flow(a.ID, true)
	}
	_, _ = c.Queues() // all of it was taken in
	for b.Loop() {
		seat := join("idle")
		<-rung
		seat.Leave(call.CauseCancel)
	}
	cancel()
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
}

// ringer tells that a phone rings, and rings on until it is withdrawn.
type ringer chan struct{}

func (r ringer) Ring(ctx context.Context, _ call.RingRequest) (call.Leg, error) {
	r <- struct{}{}
	<-ctx.Done()
	return nil, &call.RingError{Why: call.CauseWithdrawn}
}
