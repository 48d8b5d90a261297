package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/acd"
	"hotline/call"
	"hotline/media"
	"hotline/site"
	"hotline/store/redisstore"
)

// benchTown is nodes that share a site, with agents who talk until they are freed, and callers who wait. A phone answers
// in the instant in which it is rung, and a caller who was answered is followed by another, so that as many wait.
type benchTown struct {
	ctx     context.Context //nolint:containedctx // of the whole round, for every seat
	cancel  context.CancelFunc
	running sync.WaitGroup
	nodes   []*benchNode
	site    string

	mu     sync.Mutex
	phones map[string]*benchPhone
	order  []*benchPhone
	times  []time.Duration
	failed int // claims that were not granted, when it was reset
	double int
	calls  int
	errs   []error
	moved  chan struct{} // has a token when a phone began to talk
}

// benchPhone is an agent's phone. leg is nil while it is free.
type benchPhone struct {
	id    string
	node  *benchNode
	leg   *benchLeg
	freed time.Time // zero: it was not freed by the bench
}

// benchNode is one node: its desk, its membership, and the edge of its phones.
type benchNode struct {
	town   *benchTown
	desk   *acd.Center
	member *site.Member // nil: a desk alone
	book   *redisstore.Book
	reg    *prometheus.Registry // of the membership
}

// newBenchTown starts nodes, or one desk alone where there are to be none.
func newBenchTown(ctx context.Context, redis *benchRedis, nodes, agents, waiting int) (w *benchTown, err error) {
	ctx, cancel := context.WithCancel(ctx)
	w = &benchTown{
		ctx: ctx, cancel: cancel, phones: make(map[string]*benchPhone), moved: make(chan struct{}, 1),
		site: fmt.Sprintf("bench-%x", rand.Uint64()),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	o := acd.Options{Queues: []acd.Queue{{Name: busyQueue}}}
	for i := range agents {
		o.Agents = append(o.Agents, acd.Agent{ID: fmt.Sprint("b", i), Skills: map[string]int{busyQueue: 5}})
	}
	for range max(1, nodes) {
		w.nodes = append(w.nodes, &benchNode{town: w})
	}
	for i, a := range o.Agents {
		p := &benchPhone{id: a.ID, node: w.nodes[i%len(w.nodes)]}
		w.phones[a.ID] = p
		w.order = append(w.order, p)
	}
	for i, n := range w.nodes {
		if err := n.start(o, redis, i, nodes > 0); err != nil {
			return w, err
		}
	}
	for i := range waiting + agents {
		n := w.nodes[i%len(w.nodes)]
		if err := n.join(); err != nil {
			return w, err
		}
	}
	for _, p := range w.order {
		p.node.desk.Flow(p.id, true)
	}
	return w, nil
}

// start starts a node.
func (n *benchNode) start(o acd.Options, redis *benchRedis, i int, shared bool) (err error) {
	o.Phones = (*benchEdge)(n)
	if shared {
		if n.book, err = redisstore.Open(redisstore.Options{URL: redis.url, Site: n.town.site, Keep: 10 * time.Minute}); err != nil {
			return err
		}
		n.reg = prometheus.NewRegistry()
		n.member, err = site.New(site.Options{
			Registry: n.reg,
			Book:     n.book, Edge: (*benchEdge)(n), Desk: benchLearns{n}, Peers: benchPeers{n.town}, Name: fmt.Sprint("bench-", i),
			SIP: fmt.Sprintf("127.0.0.1:%d", 1+i), HTTP: fmt.Sprintf("127.0.0.1:%d", 1001+i),
		})
		if err != nil {
			return err
		}
		o.Phones, o.Site = n.member, n.member
	}
	if n.desk, err = acd.New(o); err != nil {
		return err
	}
	n.town.running.Go(func() { n.town.note(n.desk.Run(n.town.ctx)) })
	if n.member != nil {
		n.town.running.Go(func() { n.town.note(n.member.Run(n.town.ctx)) })
	}
	return nil
}

// note keeps an error.
func (w *benchTown) note(err error) {
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.errs = append(w.errs, err)
	}
}

// close ends everything.
func (w *benchTown) close() error {
	w.cancel()
	w.running.Wait()
	for _, n := range w.nodes {
		if n.book != nil {
			w.note(n.book.Close())
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.errs...)
}

// join seats a caller, and another when that one was answered.
func (n *benchNode) join() error {
	w := n.town
	w.mu.Lock()
	w.calls++
	id := fmt.Sprint("c", w.calls)
	w.mu.Unlock()
	seat, err := n.desk.Join(w.ctx, call.Ticket{CallID: id, Queue: busyQueue, Entered: time.Now()})
	if err != nil {
		return err
	}
	w.running.Go(func() {
		select {
		case <-seat.Answered():
			if err := n.join(); err != nil && w.ctx.Err() == nil {
				w.note(err)
			}
		case <-w.ctx.Done():
		}
	})
	return nil
}

// fill waits until every agent talks.
func (w *benchTown) fill() error {
	limit := time.NewTimer(siteStart)
	defer limit.Stop()
	for {
		if n := w.talking(); n == len(w.order) {
			return nil
		}
		select {
		case <-w.moved:
		case <-w.ctx.Done():
			return context.Cause(w.ctx)
		case <-limit.C:
			return fmt.Errorf("of %d agents %d talked after %s", len(w.order), w.talking(), siteStart)
		}
	}
}

func (w *benchTown) talking() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.order {
		if p.leg != nil {
			n++
		}
	}
	return n
}

// reset forgets what was measured.
func (w *benchTown) reset() {
	failed := w.refused()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times, w.failed, w.double = nil, failed, 0
}

func (w *benchTown) figures() (times []time.Duration, failed, doubled int) {
	failed = w.refused()
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]time.Duration(nil), w.times...), failed - w.failed, w.double
}

// refused counts the claims of all nodes that were not granted.
func (w *benchTown) refused() (n int) {
	for _, node := range w.nodes {
		if node.reg == nil {
			continue
		}
		families, err := node.reg.Gather()
		w.note(err)
		for _, f := range families {
			if f.GetName() != "hotline_site_claims_total" {
				continue
			}
			for _, m := range f.GetMetric() {
				if l := m.GetLabel(); len(l) != 1 || l[0].GetValue() != "granted" {
					n += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

// pace frees agents for a time: at a rate, evenly; or so many at once, each again as soon as it talks.
func (w *benchTown) pace(lasts time.Duration, rate float64, flying int, most bool) {
	end := time.NewTimer(lasts)
	defer end.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began, freed, at := time.Now(), 0, 0
	for {
		select {
		case <-end.C:
			return
		case <-w.ctx.Done():
			return
		case <-tick.C:
		case <-w.moved:
		}
		want := int(time.Since(began).Seconds()*rate) - freed
		if most {
			want = flying - (len(w.order) - w.talking())
		}
		for range want {
			p := w.order[at%len(w.order)]
			at++
			if w.free(p) {
				freed++
			}
		}
	}
}

// free ends an agent's talk; false when there is none.
func (w *benchTown) free(p *benchPhone) bool {
	w.mu.Lock()
	leg := p.leg
	if leg == nil {
		w.mu.Unlock()
		return false
	}
	p.leg, p.freed = nil, time.Now()
	w.mu.Unlock()
	leg.end(call.Far, call.CauseBye)
	return true
}

// benchEdge is a node's phones, and the way to the others'.
type benchEdge benchNode

// Ring implements [site.Edge] and, where a desk is alone, [acd.Phones].
func (e *benchEdge) Ring(_ context.Context, r call.RingRequest) (call.Leg, error) {
	now := time.Now()
	leg, err := e.town.answer(r.Agent, r.CallID, now)
	if err != nil {
		return nil, err
	}
	if r.Progress != nil { // not under the town's lock: the membership asks for phones under its own
		r.Progress(180, now)
	}
	return leg, nil
}

// answer has a phone that is rung answer at once.
func (w *benchTown) answer(agent, callID string, now time.Time) (*benchLeg, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.phones[agent]
	if p.leg != nil {
		w.double++
		return nil, &call.RingError{Why: call.CauseTaken, Code: 486, At: now}
	}
	if !p.freed.IsZero() {
		w.times = append(w.times, now.Sub(p.freed))
		p.freed = time.Time{}
	}
	p.leg = newBenchLeg(agent+"-"+callID, now)
	select {
	case w.moved <- struct{}{}:
	default:
	}
	return p.leg, nil
}

// mine are the node's own phones.
func (e *benchEdge) mine(f func(p *benchPhone)) {
	e.town.mu.Lock()
	defer e.town.mu.Unlock()
	for _, p := range e.town.order {
		if p.node == (*benchNode)(e) {
			f(p)
		}
	}
}

// Flows implements [site.Edge].
func (e *benchEdge) Flows() (flows []call.SiteFlow) {
	e.mine(func(p *benchPhone) { flows = append(flows, call.SiteFlow{Agent: p.id, Since: benchSince}) })
	return flows
}

// benchSince is when every phone registered.
var benchSince = time.Now()

// Next implements [site.Edge]: the book serves, or the bench has failed.
func (*benchEdge) Next(string, call.Token) (call.Token, bool) { return call.Token{}, false }

// Past implements [site.Edge].
func (*benchEdge) Past(agent string) (call.GatePast, bool) { return call.GatePast{Agent: agent}, true }

// Yield implements [site.Edge].
func (*benchEdge) Yield(agent string) call.GatePast { return call.GatePast{Agent: agent} }

// Hold implements [site.Edge].
func (*benchEdge) Hold(string) {}

// Seed implements [site.Edge].
func (*benchEdge) Seed(call.GatePast) {}

// Free implements [site.Edge].
func (*benchEdge) Free(string, string) {}

// Refuse implements [site.Edge].
func (*benchEdge) Refuse(string, call.Token) bool { return true }

// End implements [site.Edge].
func (*benchEdge) End(context.Context, string, call.Token) error { return nil }

// Legs implements [site.Edge]: what the desk and the book say of them is not to be doubted here.
func (*benchEdge) Legs() []call.GateLeg { return nil }

// benchLearns hands what the site tells to the node's desk, which is made after the membership.
type benchLearns struct{ n *benchNode }

// Learn implements [site.Desk].
func (l benchLearns) Learn(n call.SiteNews) { l.n.desk.Learn(n) }

// benchPeers asks the other nodes without a net.
type benchPeers struct{ w *benchTown }

// of finds the node that is asked.
func (p benchPeers) of(n site.Node) (*site.Member, error) {
	for i, at := range p.w.nodes {
		if n.Name == fmt.Sprint("bench-", i) && strings.HasSuffix(n.SIP, fmt.Sprint(":", 1+i)) {
			return at.member, nil
		}
	}
	return nil, fmt.Errorf("no node %s", n.Name)
}

// Yield implements [site.Peers].
func (p benchPeers) Yield(_ context.Context, n site.Node, agents []string) ([]call.GatePast, error) {
	m, err := p.of(n)
	if err != nil {
		return nil, err
	}
	return m.Yield(agents), nil
}

// Holds implements [site.Peers].
func (p benchPeers) Holds(_ context.Context, n site.Node, keys []string) ([]string, error) {
	m, err := p.of(n)
	if err != nil {
		return nil, err
	}
	return m.Held(keys), nil
}

// benchLeg is the leg of a phone that has answered: it lasts until it is ended, and neither speaks nor hears.
type benchLeg struct {
	id       call.LegID
	answered time.Time
	ctx      context.Context //nolint:containedctx // a leg is its context, see call.Leg
	cancel   context.CancelCauseFunc
	settled  chan struct{}
	once     sync.Once
}

func newBenchLeg(id string, at time.Time) *benchLeg {
	l := &benchLeg{id: call.LegID(id), answered: at, settled: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	return l
}

func (l *benchLeg) end(by call.Party, why call.Cause) {
	l.once.Do(func() {
		close(l.settled)
		l.cancel(&call.LegEnd{By: by, Why: why, At: time.Now()})
	})
}

// Settled is closed once nothing of the leg is under way any more.
func (l *benchLeg) Settled() <-chan struct{} { return l.settled }

// ID implements [call.Leg].
func (l *benchLeg) ID() call.LegID { return l.id }

// Context implements [call.Leg].
func (l *benchLeg) Context() context.Context { return l.ctx }

// Ring implements [call.Leg]: an agent's leg does not come in.
func (l *benchLeg) Ring() error { return fmt.Errorf("leg %s is not coming in", l.id) }

// Answer implements [call.Leg].
func (l *benchLeg) Answer() (time.Time, error) { return l.answered, nil }

// Hangup implements [call.Leg].
func (l *benchLeg) Hangup(why call.Cause) { l.end(call.System, why) }

// Ask implements [call.Leg].
func (*benchLeg) Ask() {}

// Mend implements [call.Leg].
func (*benchLeg) Mend() {}

// Belongs implements [call.Leg].
func (*benchLeg) Belongs(string) {}

// Audio implements [call.Leg]: there is none.
func (*benchLeg) Audio() media.Stream { return nil }

// Attach implements [call.Leg].
func (*benchLeg) Attach(func(call.Command) bool) {}
