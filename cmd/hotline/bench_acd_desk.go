package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hotline/acd"
	"hotline/call"
)

// deskFigures are the times of one size of desk.
type deskFigures struct{ free, digit, scanFree, scanDigit []time.Duration }

// The queues of a measured desk: callers wait in the one, whose agents have just become free; callers join the
// other, whose agents are ready.
const (
	busyQueue = "busy"
	idleQueue = "idle"
	absent    = "absent" // an agent who is never there
)

// measureDesk runs a desk of this size.
func measureDesk(agents, waiting, rounds int) (f deskFigures, err error) {
	rung := &rungAt{began: make(chan ringBegan, 1), ended: make(chan struct{}, 1)}
	o := acd.Options{
		Phones: rung, Ageing: 6 * time.Second,
		Queues: []acd.Queue{{Name: busyQueue, Priority: 20}, {Name: idleQueue, Priority: 10}},
	}
	o.Agents = append(o.Agents, acd.Agent{ID: absent})
	for i := range agents {
		o.Agents = append(o.Agents,
			acd.Agent{ID: fmt.Sprint("b", i), Skills: map[string]int{busyQueue: 1 + i%9}},
			acd.Agent{ID: fmt.Sprint("i", i), Skills: map[string]int{idleQueue: 1 + i%9}})
	}
	center, err := acd.New(o)
	if err != nil {
		return f, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- center.Run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-ran)
	}()
	d := &benchDesk{center: center, rung: rung, ctx: ctx, seats: map[string]call.Seat{}}
	for _, a := range o.Agents[1:] {
		if a.Skills[busyQueue] > 0 {
			if err := center.Pause(a.ID, ""); err != nil {
				return f, err
			}
		}
		center.Flow(a.ID, true)
	}
	for range waiting {
		if err := d.join(busyQueue); err != nil {
			return f, err
		}
	}
	if err := d.rest(); err != nil {
		return f, err
	}
	for i := range rounds {
		free, err := d.free(fmt.Sprint("b", i%agents))
		if err != nil {
			return f, err
		}
		digit, err := d.digit()
		if err != nil {
			return f, err
		}
		f.free, f.digit = append(f.free, free), append(f.digit, digit)
	}
	scan := newScan(agents, waiting)
	for range max(20, rounds/20) {
		f.scanFree = append(f.scanFree, timed(scan.firstCaller))
		f.scanDigit = append(f.scanDigit, timed(scan.firstAgent))
	}
	return f, nil
}

// benchDesk is a desk that is measured.
type benchDesk struct {
	center *acd.Center
	rung   *rungAt
	ctx    context.Context //nolint:containedctx // of the measuring, for every seat
	seats  map[string]call.Seat
	joined int
}

// join seats a caller.
func (d *benchDesk) join(queue string) error {
	d.joined++
	id := fmt.Sprint(d.joined)
	seat, err := d.center.Join(d.ctx, call.Ticket{CallID: id, Queue: queue})
	d.seats[id] = seat
	return err
}

// leave has a caller leave, whose phone then rings no more.
func (d *benchDesk) leave(id string) {
	d.seats[id].Leave(call.CauseCancel)
	delete(d.seats, id)
	<-d.rung.ended
}

// rest returns when the desk has taken in all that it was told: it then says that nobody is there to be asked.
func (d *benchDesk) rest() error {
	seat, err := d.center.Join(d.ctx, call.Ticket{Agent: absent, Once: true})
	if err == nil {
		<-seat.Failed()
	}
	return err
}

// free measures from an agent's becoming free. The agent is then busy again, the caller leaves, and another comes.
func (d *benchDesk) free(agent string) (time.Duration, error) {
	began := time.Now()
	if err := d.center.Ready(agent); err != nil {
		return 0, err
	}
	r := <-d.rung.began
	err := d.center.Pause(agent, "")
	d.leave(r.call)
	return r.at.Sub(began), errors.Join(err, d.join(busyQueue), d.rest())
}

// digit measures from a caller's joining, who then leaves.
func (d *benchDesk) digit() (time.Duration, error) {
	began := time.Now()
	if err := d.join(idleQueue); err != nil {
		return 0, err
	}
	r := <-d.rung.began
	d.leave(r.call)
	return r.at.Sub(began), d.rest()
}

// rungAt are phones that tell when they were to be rung, and ring until they are withdrawn; one rings at a time.
type rungAt struct {
	began chan ringBegan
	ended chan struct{}
}

type ringBegan struct {
	call string
	at   time.Time
}

// Ring implements acd.Phones.
func (r *rungAt) Ring(ctx context.Context, request call.RingRequest) (call.Leg, error) {
	r.began <- ringBegan{request.CallID, time.Now()}
	<-ctx.Done()
	select {
	case r.ended <- struct{}{}:
	default: // the bench is over
	}
	return nil, &call.RingError{Why: call.CauseWithdrawn, At: time.Now()}
}

// scan is a desk that keeps no order: who goes first is found by looking at all.
type scan struct {
	callers []scanned
	agents  []scanned
}

// scanned is one in a list: the first of them is the one with the least keys, in order.
type scanned struct{ first, second, third int }

func newScan(agents, waiting int) *scan {
	s := &scan{}
	for i := range waiting {
		s.callers = append(s.callers, scanned{i % 2, i * 7919 % waiting, i})
	}
	for i := range agents {
		s.agents = append(s.agents, scanned{-(i % 9), i * 7919 % agents, i})
	}
	return s
}

func (s *scan) firstCaller() int { return least(s.callers) }
func (s *scan) firstAgent() int  { return least(s.agents) }

func least(all []scanned) (at int) {
	for i, x := range all {
		y := all[at]
		if x.first < y.first || x.first == y.first && (x.second < y.second || x.second == y.second && x.third < y.third) {
			at = i
		}
	}
	return at
}

func timed(do func() int) time.Duration {
	began := time.Now()
	if do() < 0 {
		return 0 // never; but what is used is not optimised away
	}
	return time.Since(began)
}
