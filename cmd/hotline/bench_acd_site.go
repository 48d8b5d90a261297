package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// benchSite measures desks that share their agents and callers by a Redis: from an agent's becoming free at one node to
// the wish of whichever node it is to ring that agent's phone for the caller who is first in the whole. The nodes are
// memberships and desks of this process, each with connections of its own; their phones are in memory, so what is left out
// is the INVITE's way to another node's edge.
type benchSite struct {
	Nodes  []int
	Agents int
	Wait   int // callers
	For    time.Duration
	Rate   float64 // offers a second, in the first of each pair of rounds
	Flying int     // agents in a circle without a pause, in the second
}

// Bounds of what is wanted.
const (
	siteTarget = 5 * time.Millisecond
	siteRate   = 200
	siteFlying = 64
	// siteWarm is how long a round goes on before it counts.
	siteWarm = time.Second
	// siteStart bounds how long the nodes take to find each other and to seat everybody.
	siteStart = 2 * time.Minute
)

// siteRound is what came of a round.
type siteRound struct {
	offers  int
	took    time.Duration
	times   []time.Duration // from free to offer
	redis   time.Duration   // CPU of the server
	asked   bool            // it is known
	process time.Duration   // CPU of this process: all nodes
	failed  int             // offers that another node's claim, or the book, prevented
	doubled int             // rings at a phone that was in talk: never
}

// perOffer is a share of what was used.
func (r *siteRound) perOffer(used time.Duration) time.Duration {
	return used / time.Duration(max(1, r.offers))
}

// run measures with so many nodes each, and prints a table.
func (b *benchSite) run(ctx context.Context, con *console, redis *benchRedis) error {
	con.say("%d agents, %d callers waiting, shared by nodes on one Redis: from an agent's becoming free, at whichever node, to\n"+
		"the node's wish to ring that agent for the first caller of all. \"%.0f/s\" is offered, \"most\" is %d agents in a\n"+
		"circle without a pause; %s each. CPU is per offer; 0 nodes is a desk alone.\n\n%s\n",
		b.Agents, b.Wait, b.Rate, b.Flying, b.For,
		cells("nodes", 7, "load", 8, "offers/s", 10, "p50 ms", 8, "p99 ms", 8, "Redis %", 9, "Redis us", 10, "nodes us", 10, "x 1 node", 10, "taken", 7))
	kept, doubled, one := true, 0, map[bool]time.Duration{}
	for _, nodes := range append([]int{0}, b.Nodes...) {
		for _, most := range []bool{false, true} {
			r, err := b.round(ctx, redis, nodes, most)
			if err != nil {
				return fmt.Errorf("bench acd: %d nodes: %w", nodes, err)
			}
			if one[most] == 0 && nodes > 0 {
				one[most] = r.perOffer(r.process)
			}
			b.line(con, nodes, most, r, one[most])
			doubled += r.doubled
			kept = kept && (nodes == 0 || most || quantile(r.times, 0.99) < siteTarget)
		}
	}
	con.say("\nWanted: p99 below %s at %.0f offers/s: %s. Rings at a phone in talk: %d.\n", siteTarget, b.Rate, verdictOf(kept), doubled)
	return siteVerdict(kept, doubled)
}

// errSite is that the wanted p99 was not kept.
var errSite = errors.New("bench acd: not kept: offers within the wanted time")

// siteVerdict is nil when all that is wanted was kept.
func siteVerdict(kept bool, doubled int) error {
	if doubled > 0 {
		return fmt.Errorf("bench acd: %d rings at a phone in talk", doubled)
	}
	if !kept {
		return errSite
	}
	return nil
}

// line prints a round. one is what an offer costs all nodes' process with one node.
func (b *benchSite) line(con *console, nodes int, most bool, r *siteRound, one time.Duration) {
	load, share, perOffer, times := fmt.Sprintf("%.0f/s", b.Rate), "-", "-", "-"
	if most {
		load = "most"
	}
	if r.asked && nodes > 0 {
		share, perOffer = fmt.Sprintf("%.1f", 100*r.redis.Seconds()/r.took.Seconds()), micros(r.perOffer(r.redis))
	}
	if one > 0 {
		times = fmt.Sprintf("%.2f", float64(r.perOffer(r.process))/float64(one))
	}
	con.say("%s\n", cells(nodes, 7, load, 8, fmt.Sprintf("%.0f", float64(r.offers)/r.took.Seconds()), 10, millis(quantile(r.times, 0.5)), 8,
		millis(quantile(r.times, 0.99)), 8, share, 9, perOffer, 10, micros(r.perOffer(r.process)), 10, times, 10, r.failed, 7))
}

func millis(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// round has a site of its own, in the same Redis.
func (b *benchSite) round(ctx context.Context, redis *benchRedis, nodes int, most bool) (r *siteRound, err error) {
	w, err := newBenchTown(ctx, redis, nodes, b.Agents, b.Wait)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.fill(); err != nil {
		return nil, err
	}
	w.pace(siteWarm, b.Rate, b.Flying, most)
	w.reset()
	r = &siteRound{}
	server, known := redis.cpu(ctx)
	before, err := cpuTime()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	w.pace(b.For, b.Rate, b.Flying, most)
	r.took = time.Since(began)
	after, err := cpuTime()
	if err != nil {
		return nil, err
	}
	server2, known2 := redis.cpu(ctx)
	r.asked, r.redis, r.process = known && known2, server2-server, after-before
	r.times, r.failed, r.doubled = w.figures()
	r.offers = len(r.times)
	if r.offers == 0 {
		return nil, errors.Join(errors.New("nobody was offered a call"), context.Cause(ctx))
	}
	slices.Sort(r.times)
	return r, nil
}
