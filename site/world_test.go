package site_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/site"
	"hotline/store/memstore"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// bookBehind is by how much the book's clock is behind that of the nodes.
const bookBehind = 37 * time.Hour

// world is some nodes of one site, with the real book, real gates, and phones that know how many legs they have.
type world struct {
	t     *testing.T
	book  *memstore.Book
	mu    sync.Mutex
	nodes map[string]*node
	legs  map[string]map[string]string // dialogs that ring or talk at each phone
	most  map[string]int               // the most at once
	rings map[string]int
	n     int
	// answerAfter is how long phones ring; negative: for ever.
	answerAfter time.Duration
	// expires is for how long they ring at most.
	expires time.Duration
	// unheard: nodes that are stopped or cut off from the others (not from the book).
	unheard map[string]bool
	// stranded are the ends of talks with nobody; consoled those of before.
	stranded, consoled []func()
}

// inWorld runs a test in a bubble of its own time.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, nodes: map[string]*node{}, legs: map[string]map[string]string{}, most: map[string]int{},
			rings: map[string]int{}, unheard: map[string]bool{}, answerAfter: 3 * time.Second,
			expires: 3 * time.Minute,
			book:    memstore.NewBook(func() time.Time { return time.Now().Add(-bookBehind) }, site.DefaultBounds()),
		}
		defer func() {
			for _, n := range w.nodes {
				n.thaw()
				n.kill()
			}
			time.Sleep(2 * time.Hour) // whatever rings or waits ends
		}()
		f(w)
		for agent, most := range w.most {
			require.LessOrEqual(t, most, 1, "legs at once at the phone of agent %s", agent)
		}
	})
}

type node struct {
	*site.Member
	w        *world
	name     string
	link     *link
	desk     *desk
	edge     *edge
	registry *prometheus.Registry
	stop     context.CancelFunc
	done     chan struct{}
	mu       sync.Mutex
	bombs    map[string]bool // ports' methods, see blows
}

// bomb has the next call of a port's method at this node panic, and blows is that.
func (n *node) bomb(method string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bombs[method] = true
}

func (n *node) blows(method string) {
	n.mu.Lock()
	is := n.bombs[method]
	delete(n.bombs, method)
	n.mu.Unlock()
	if is {
		panic(method + " panics")
	}
}

func (w *world) node(name string, change ...func(*site.Options)) *node {
	n := &node{w: w, name: name, registry: prometheus.NewRegistry(), done: make(chan struct{}), bombs: map[string]bool{}}
	n.link = &link{Book: w.book, n: n}
	n.desk = &desk{n: n}
	n.edge = &edge{w: w, n: n, gates: map[string]*call.Gate{}, flows: map[string]call.SiteFlow{}}
	o := site.Options{
		Book: n.link, Edge: n.edge, Desk: n.desk, Peers: peers{w, n}, Name: name, SIP: name + ":5060", HTTP: name + ":8080",
		Logger: zaptest.NewLogger(w.t).Named(name), Registry: n.registry,
	}
	for _, c := range change {
		c(&o)
	}
	m, err := site.New(o)
	require.NoError(w.t, err)
	n.Member = m
	w.mu.Lock()
	w.nodes[name] = n
	delete(w.unheard, name) // another process of that name was
	w.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() {
		defer close(n.done)
		if err := m.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	return n
}

// kill has a node's process end: what is under way ends, and it answers nothing any more.
func (n *node) kill() {
	n.w.mu.Lock()
	n.edge.dead = true
	n.w.unheard[n.name] = true
	n.w.mu.Unlock()
	n.stop()
	<-n.done
}

// freeze stops the node, as far as its desk can: nothing that is to be told goes on. thaw has it go on.
func (n *node) freeze() {
	n.desk.mu.Lock()
	defer n.desk.mu.Unlock()
	n.desk.frozen = make(chan struct{})
	n.w.hear(n, false)
}

func (n *node) thaw() {
	n.desk.mu.Lock()
	defer n.desk.mu.Unlock()
	if n.desk.frozen != nil {
		close(n.desk.frozen)
		n.desk.frozen = nil
	}
}

// thawed waits for a node that is stopped to go on.
func (d *desk) thawed() {
	d.mu.Lock()
	frozen := d.frozen
	d.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// hear has a node be heard by the others, or not.
func (w *world) hear(n *node, is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unheard[n.name] = !is
}

func (n *node) state(s call.SiteState) func() bool { return func() bool { return n.desk.last() == s } }

// registers has a phone register at a node; it leaves whatever node it was at in its own time.
func (n *node) registers(agent string) {
	n.edge.register(agent)
	f := n.edge.flow(agent)
	n.Say(call.SiteFact{Flow: &f})
}

// ring rings an agent in the background.
func (n *node) ring(ctx context.Context, agent, callID string) *ringing {
	r := &ringing{done: make(chan struct{}), began: time.Now()}
	go func() {
		defer close(r.done)
		r.leg, r.err = n.Ring(ctx, call.RingRequest{Agent: agent, CallID: callID})
		r.took = time.Since(r.began)
	}()
	return r
}

type ringing struct {
	leg   call.Leg
	err   error
	done  chan struct{}
	began time.Time
	took  time.Duration
}

func (r *ringing) why(tb testing.TB) call.Cause {
	tb.Helper()
	<-r.done
	failed, told := errors.AsType[*call.RingError](r.err)
	require.True(tb, told, "%v", r.err)
	return failed.Why
}

// talk rings an agent until it answers.
func (n *node) talk(agent, callID string) call.Leg {
	r := n.ring(context.Background(), agent, callID)
	<-r.done
	require.NoError(n.w.t, r.err)
	return r.leg
}

// within waits for something to be so, and fails when it is not after d.
func within(tb testing.TB, d time.Duration, what string, so func() bool) time.Duration {
	tb.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > d {
			tb.Fatalf("not so after %v: %s", d, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// claims are the book's, by agent.
func (w *world) claims() map[string]call.SiteClaim {
	v, err := w.book.Read(context.Background())
	require.NoError(w.t, err)
	claims := map[string]call.SiteClaim{}
	for _, f := range v.Facts {
		if f.Claim != nil {
			claims[f.Claim.Agent] = *f.Claim
		}
	}
	return claims
}

func (w *world) facts(is func(f call.SiteFact) bool) (n int) {
	v, err := w.book.Read(context.Background())
	require.NoError(w.t, err)
	for _, f := range v.Facts {
		if is(f) {
			n++
		}
	}
	return n
}

// flowAt is the node at which the book has a phone.
func (w *world) flowAt(agent string) call.NodeID {
	v, err := w.book.Read(context.Background())
	require.NoError(w.t, err)
	for _, f := range v.Facts {
		if f.Flow != nil && f.Flow.Agent == agent {
			return f.Flow.Edge
		}
	}
	return ""
}

// desk is told, and believes what it is told.
type desk struct {
	n      *node
	mu     sync.Mutex
	news   []call.SiteNews
	flows  map[string]call.SiteFlow
	claims map[string]call.SiteClaim
	frozen chan struct{} // Learn waits for it to be closed, as in a process that is stopped
}

func (d *desk) Learn(n call.SiteNews) {
	d.thawed()
	d.n.blows("Learn")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.news = append(d.news, n)
	if n.Whole {
		d.flows, d.claims = map[string]call.SiteFlow{}, map[string]call.SiteClaim{}
	}
	for _, f := range n.Facts {
		switch {
		case f.Flow != nil:
			d.flows[f.Flow.Agent] = *f.Flow
		case f.FlowGone != nil && d.flows[f.FlowGone.Agent].Edge == f.FlowGone.Edge:
			delete(d.flows, f.FlowGone.Agent)
		case f.Claim != nil:
			d.claims[f.Claim.Agent] = *f.Claim
		case f.Rest != nil && d.claims[f.Rest.Agent].Token == f.Rest.Token:
			delete(d.claims, f.Rest.Agent)
		}
	}
	for _, id := range n.Dead {
		for agent, f := range d.flows {
			if f.Edge == id {
				delete(d.flows, agent)
			}
		}
		for agent, c := range d.claims {
			if c.Owner == id {
				c.Orphan = true
				d.claims[agent] = c
			}
		}
	}
	for _, c := range n.Cleared {
		delete(d.claims, c.Agent)
	}
}

func (d *desk) last() call.SiteState {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.news) == 0 {
		return ""
	}
	return d.news[len(d.news)-1].State
}

func (d *desk) told(is func(n call.SiteNews) bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.news, is)
}

func (d *desk) claim(agent string) call.SiteClaim {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.claims[agent]
}

func (d *desk) flow(agent string) call.SiteFlow {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flows[agent]
}

func (d *desk) knows(agent string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, is := d.flows[agent]
	return is
}

// peers ask the other nodes of the world.
type peers struct {
	w *world
	n *node
}

func (p peers) reach(ctx context.Context, n site.Node) (*node, error) {
	p.w.mu.Lock()
	to, away := p.w.nodes[n.Name], p.w.unheard[n.Name] || p.w.unheard[p.n.name]
	p.w.mu.Unlock()
	if away || to == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(time.Millisecond)
	if to.Self().Process() != n.ID.Process() {
		return nil, errLink
	}
	return to, nil
}

func (p peers) Yield(ctx context.Context, n site.Node, agents []string) ([]call.GatePast, error) {
	p.n.blows("Yield")
	to, err := p.reach(ctx, n)
	if err != nil {
		return nil, err
	}
	return to.Yield(agents), nil
}

func (p peers) Holds(ctx context.Context, n site.Node, keys []string) ([]string, error) {
	if len(keys) > 0 { // a probe has none
		p.n.blows("Holds")
	}
	to, err := p.reach(ctx, n)
	if err != nil {
		return nil, err
	}
	return to.Held(keys), nil
}
