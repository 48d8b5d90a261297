package sip

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// missesLost is how many pings in a row must go unanswered for a flow to count as lost.
const missesLost = 2

// idle is how long run sleeps when nothing is due.
const idle = time.Hour

// run expires registrations, pings flows and tells onFlow, until ctx is done; then it waits for the
// pings under way, and returns nil.
func (r *registrar) run(ctx context.Context) error {
	var pings sync.WaitGroup
	defer pings.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		due, next := r.sweep()
		for _, p := range due {
			pings.Go(func() { r.pingOne(ctx, p) })
		}
		r.tell()
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// pingJob is one ping to be sent.
type pingJob struct {
	agent string
	flow  flow
}

// sweep removes what has expired and picks the pings that are due, as many as may be under way,
// and tells when it has to be called again. It looks at every binding: with a thousand agents that
// is some tens of microseconds, a few dozen times a second.
func (r *registrar) sweep() (due []pingJob, next time.Time) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	next = now.Add(idle)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	var waiting []*binding
	look := func(b *binding) {
		if !b.expires.After(now) {
			r.expireLocked(b)
			return
		}
		sooner(b.expires)
		switch {
		case r.o.ping == nil || b.pinging:
		case b.nextPing.After(now):
			sooner(b.nextPing)
		default:
			waiting = append(waiting, b)
		}
	}
	for _, flows := range r.bindings.byAgent {
		if len(flows) == 1 {
			look(flows[0])
			continue
		}
		for _, b := range slices.Clone(flows) { // what has expired is taken out of it
			look(b)
		}
	}
	// The longest overdue go first; those for whom there is no room come when a ping returns.
	slices.SortFunc(waiting, func(a, b *binding) int { return a.nextPing.Compare(b.nextPing) })
	for _, b := range waiting[:min(len(waiting), r.o.pingsAtOnce-r.pinging)] {
		b.pinging = true
		due = append(due, pingJob{agent: b.agent, flow: b.flow})
	}
	r.pinging += len(due)
	return due, next
}

// expireLocked removes a registration that was not refreshed in time.
func (r *registrar) expireLocked(b *binding) {
	r.bindings.remove(b)
	r.o.logger.Info("agent's registration expired", zap.String("agent", b.agent))
	r.changedLocked(b.agent)
}

// pingOne sends one ping and enters what became of it.
func (r *registrar) pingOne(ctx context.Context, p pingJob) {
	ctx, cancel := context.WithTimeout(ctx, r.o.pingTimeout)
	defer cancel()
	err := r.o.ping(ctx, p.flow)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pinging--
	r.wakeUp()
	b := r.bindings.flow(p.agent, p.flow.serial)
	if b == nil {
		return // the phone has registered anew meanwhile, or is gone
	}
	b.pinging = false
	r.pongLocked(b, err == nil)
}

// pongLocked counts a ping answered or missed. After a first miss the next ping follows at once, so
// that a dead phone is known after the interval and two timeouts.
func (r *registrar) pongLocked(b *binding, answered bool) {
	now := time.Now()
	b.nextPing = now.Add(r.o.pingEvery)
	if answered {
		b.misses = 0
		if b.lost {
			r.backLocked(b, now)
		}
		return
	}
	b.misses++
	if b.misses < missesLost {
		b.nextPing = now
	} else if !b.lost {
		r.dropLocked(b, "pings unanswered")
	}
}

// backLocked enters that a flow is there that was lost.
func (r *registrar) backLocked(b *binding, now time.Time) {
	if other, here := r.bindings.get(b.agent, now); here && !other.lost {
		b.lost, b.since = false, other.since // the phone was reached by it meanwhile
		return
	}
	b.lost, b.since = false, now
	r.holdLocked(b.agent) // it may have been at another node
	r.o.logger.Info("agent's phone is back", zap.String("agent", b.agent))
	r.changedLocked(b.agent)
}

// tell reports to onFlow what changed, agent by agent in the order of change. What counts is the
// state at the moment of telling: a flow that came and went in between is not told, so what waits is bounded by
// the number of agents. With a site a flow that went and came is told as both: it is another one, whose gate is held.
func (r *registrar) tell() {
	for {
		r.mu.Lock()
		if len(r.changed) == 0 {
			r.changed = nil
			r.mu.Unlock()
			return
		}
		agent := r.changed[0]
		r.changed = r.changed[1:]
		delete(r.pending, agent)
		_, up := r.lookupLocked(agent)
		anew := r.anew[agent]
		delete(r.anew, agent)
		r.mu.Unlock()
		if up && anew && r.told[agent] {
			r.told[agent] = false
			r.o.onFlow(agent, false)
		}
		if up != r.told[agent] {
			if r.told[agent] = up; !up {
				delete(r.told, agent) // it may be nobody's id any more
			}
			r.o.onFlow(agent, up)
		}
	}
}
