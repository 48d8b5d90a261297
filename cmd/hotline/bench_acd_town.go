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
			return fmt.Errorf("of %d agents %d talked after %s; %s", len(w.order), w.talking(), siteStart, w.idler())
		}
	}
}

// idler is what each node thinks of the first agent who does not talk.
func (w *benchTown) idler() string {
	id := ""
	w.mu.Lock()
	for _, p := range w.order {
		if p.leg == nil && id == "" {
			id = p.id
		}
	}
	w.mu.Unlock()
	var said strings.Builder
	said.WriteString("agent " + id)
	for i, n := range w.nodes {
		views, err := n.desk.Agents()
		if err != nil {
			return err.Error()
		}
		for _, v := range views {
			if v.ID == id {
				fmt.Fprintf(&said, "; at node %d %s, edge %q, owner %q, call %q, orphan %t", i, v.State, v.Edge, v.Owner, v.Call, v.Orphan)
			}
		}
	}
	return said.String()
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
