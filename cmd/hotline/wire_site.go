package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
	"hotline/sip"
	"hotline/site"
	"hotline/store/redisstore"
	"hotline/web"
	"hotline/web/peer"
)

// several reports whether this is one node of several, which are one hotline.
func several(cfg *config.Config) bool { return cfg.State.Reveal() != "" }

// others is what a node of several has for the others; all nil where it is alone.
type others struct {
	peer   *peer.Peer
	told   string // where they ask, HOST:PORT
	member *site.Member
	errand sync.WaitGroup // errands at other nodes that nobody waits for
	full   atomic.Bool    // this node drains, and no other takes calls
}

// How long what is asked of other nodes may take where nobody waits, and a goodbye to them.
const (
	errandWithin  = 2 * time.Second
	readyWithin   = 500 * time.Millisecond
	goodbyeWithin = 3 * time.Second
)

// checkState judges where nodes meet, without asking there.
func checkState(c *config.Config) []config.Finding {
	if !several(c) {
		return nil
	}
	err := redisstore.Check(c.State.Reveal(), c.Node.CA)
	if err == nil {
		return nil
	}
	return []config.Finding{{
		Path: "state", Found: err.Error(),
		Want: "redis://USER:PASSWORD@HOST:PORT/DB, redis+sentinel://…/MASTER/DB or redis+cluster://…; rediss… with TLS",
	}}
}

// openPeers opens the way to other nodes by HTTP; nil where there are none.
func (a *app) openPeers() (*web.Site, error) {
	if !several(a.cfg) {
		return nil, nil //nolint:nilnil // there is none, and that is no error
	}
	n := a.cfg.Node
	a.others.peer = peer.New(peer.Options{Node: n.Name, Secret: n.Secret.Reveal()})
	a.steps.add("connections to other nodes", a.others.peer.Close)
	s := &web.Site{
		Name: n.Name, Peer: a.others.peer, Status: a.siteStatus, Others: a.otherNodes,
		Yield:    func(agents []string) []call.GatePast { return a.others.member.Yield(agents) },
		Holds:    func(calls []string) []string { return a.others.member.Held(calls) },
		Annotate: func(id, agent string, code call.WrapUpCode) bool { return a.exchange.AnnotateLive(id, agent, code) },
	}
	at := a.http
	if n.HTTP.Address != a.cfg.HTTP.Listen {
		var lc net.ListenConfig
		l, err := lc.Listen(context.Background(), "tcp", n.HTTP.Address.String())
		if err != nil {
			return nil, fmt.Errorf("node.http: %w", err)
		}
		a.steps.add("HTTP socket for other nodes", func() error { return closed(l.Close()) })
		at, s.Listener = l, l
	}
	a.others.told = toldAs(n.HTTP, netip.MustParseAddrPort(at.Addr().String())).String()
	return s, nil
}

// toldAs is what others are told of a listener, once it is bound: a port that was free is known then.
func toldAs(l config.Listener, bound netip.AddrPort) netip.AddrPort {
	if l.Advertise.Port() == 0 {
		return netip.AddrPortFrom(l.Advertise.Addr(), bound.Port())
	}
	return l.Advertise
}

// siteOfSIP makes the user agent one of several nodes; nil where it is alone.
func (a *app) siteOfSIP() *sip.SiteOptions {
	if !several(a.cfg) {
		return nil
	}
	n := a.cfg.Node
	var advertise netip.AddrPort
	if n.SIP.Advertise != n.SIP.Address { // else as it is bound, of whatever port
		advertise = n.SIP.Advertise
	}
	return &sip.SiteOptions{
		Listen: n.SIP.Address, Advertise: advertise, Secret: []byte(n.Secret.Reveal()), Expires: longestOffer(a.cfg),
		// The membership is wired after the user agent, and before it runs.
		Self:    func() call.NodeID { return a.others.member.Self() },
		Lease:   func() time.Time { return a.others.member.Lease() },
		MovesOn: func() bool { return a.others.member.MovesOn() && !a.others.full.Load() },
	}
}

// longestOffer is for how long a phone may ring if nobody takes the ring back, in whole seconds: a little longer than any
// that is taken back lasts. So long is a phone out that a node rang through another, when both have died.
func longestOffer(cfg *config.Config) time.Duration {
	const spare = 3 * time.Second // what taking back takes, also where something of it is lost
	o := deskOptions(cfg)
	return (max(o.Longest(), call.SuperviseRing) + spare + time.Second - 1).Truncate(time.Second)
}

// openSite wires the membership: between the user agent, whose phones it speaks for, and the desk, which is not there yet.
func (a *app) openSite() error {
	if !several(a.cfg) {
		return nil
	}
	n := a.cfg.Node
	book, err := redisstore.Open(redisstore.Options{
		URL: a.cfg.State.Reveal(), CA: n.CA, Site: n.Site, Registry: a.registry,
	})
	if err != nil {
		return err
	}
	a.steps.add("connections to Redis", book.Close)
	a.others.member, err = site.New(site.Options{
		Book: book, Edge: a.ua, Desk: lateDesk{a}, Peers: peers{a.others.peer},
		Name: n.Name, SIP: toldAs(n.SIP, a.ua.SiteAddr()).String(), HTTP: a.others.told, Rings: longestOffer(a.cfg),
		OnPanic: a.panicked, Logger: a.log.Named("site"), Registry: a.registry,
	})
	return err
}

// runSite begins the membership. It is stopped once the desk has given everything back: then it says goodbye, and what it
// has written is there.
func (a *app) runSite(fail func(error)) {
	if a.others.member == nil {
		return
	}
	a.steps.background("site", fail, a.others.member.Run)
	a.steps.add("goodbye to other nodes", func() error {
		a.others.errand.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), goodbyeWithin)
		defer cancel()
		if err := a.others.member.Leave(ctx); err != nil { // the end of its lease tells them
			a.log.Warn("no goodbye to the other nodes: they see it when this node's lease ends", zap.Error(err))
		}
		return nil
	})
}

// watchOthers learns, while this node drains, whether another one takes calls: phones are sent there then, and stay here
// otherwise, since alarms are taken to the end.
func (a *app) watchOthers(ctx context.Context) {
	if a.others.member == nil {
		return
	}
	ask := func() {
		ctx, cancel := context.WithTimeout(ctx, readyWithin)
		defer cancel()
		var ready atomic.Bool
		var wg sync.WaitGroup
		for _, n := range a.otherNodes() {
			wg.Go(func() {
				if is, err := web.AskReady(ctx, a.others.peer, n.HTTP); err == nil && is {
					ready.Store(true)
				}
			})
		}
		wg.Wait()
		a.others.full.Store(!ready.Load())
	}
	ask()
	a.others.errand.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				ask()
			}
		}
	})
}

// lateDesk is the desk, which is wired after the membership.
type lateDesk struct{ a *app }

func (d lateDesk) Learn(n call.SiteNews) { d.a.center.Learn(n) }

// peers asks other nodes by HTTP.
type peers struct{ *peer.Peer }

func (p peers) Yield(ctx context.Context, n site.Node, agents []string) ([]call.GatePast, error) {
	return web.AskYield(ctx, p.Peer, n.HTTP, n.ID, agents)
}

func (p peers) Holds(ctx context.Context, n site.Node, calls []string) ([]string, error) {
	return web.AskHolds(ctx, p.Peer, n.HTTP, n.ID, calls)
}

// siteOfDesk has the desk share its agents, and ring by claims, where there are several nodes.
func (a *app) siteOfDesk(o *acd.Options) {
	if a.others.member == nil {
		return
	}
	o.Site, o.Phones = a.others.member, a.others.member
	o.OnAlarmElsewhere = func(s acd.AlarmStep) { a.alarmedElsewhere(s) }
}

// supervisors rings the phones of supervisors, which no queue rings: who rings one gives its claim back.
type supervisors struct{ *site.Member }

func (s supervisors) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	leg, err := s.Member.Ring(ctx, r)
	back := func(how string) { s.Release(r.Agent, r.CallID, call.SiteRest{Agent: r.Agent, How: how}) } //nolint:contextcheck // a leg's end is read from its own context
	if err != nil {
		back("withdrawn")
		return nil, err
	}
	context.AfterFunc(leg.Context(), func() { back("answered") }) //nolint:contextcheck // the leg outlives the ring
	return leg, nil
}

// phones rings those of supervisors.
func (a *app) phones() call.Phones {
	if a.others.member == nil {
		return a.ua
	}
	return supervisors{a.others.member}
}

// annotate gives a talk its code: at the node whose call it is, while it goes on there, else in its record.
func (a *app) annotate(id, agent string, code call.WrapUpCode) {
	if a.others.member == nil {
		a.exchange.Annotate(id, agent, code)
		return
	}
	if a.exchange.AnnotateLive(id, agent, code) {
		return
	}
	a.others.errand.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), errandWithin)
		defer cancel()
		for _, n := range a.otherNodes() {
			there, err := web.AskAnnotate(ctx, a.others.peer, n.HTTP, id, agent, code)
			if err != nil {
				a.log.Debug("a node does not say whether a call is there", zap.String("node", n.Name), zap.Error(err))
			}
			if there {
				return
			}
		}
		a.exchange.Annotate(id, agent, code)
	})
}

// siteStatus is how this node stands to the others, as the pages have it.
func (a *app) siteStatus() web.SiteStatus {
	s := a.others.member.Status()
	now := time.Now()
	out := web.SiteStatus{
		ID: s.Self, State: s.State, Since: s.Since, Epoch: s.Epoch, Lease: max(0, s.LeaseUntil.Sub(now)),
		Lag: max(0, now.Sub(s.Heard)), Margin: s.Clock, Pending: s.Pending, Held: s.Held, Doubts: s.Doubts,
		Abandoned: s.Abandoned, Flows: s.Flows, Claims: s.Claims, Orphans: s.Orphans, Callers: s.Callers,
	}
	for _, n := range s.Nodes {
		_, namesake := s.Namesakes[n.ID]
		out.Nodes = append(out.Nodes, web.SiteNode{ID: n.ID, Name: n.Name, SIP: n.SIP, HTTP: n.HTTP, Unheard: s.Unheard[n.ID], Namesake: namesake})
	}
	return out
}

// otherNodes are those that live, without this one.
func (a *app) otherNodes() []web.Node {
	s := a.others.member.Status()
	var nodes []web.Node
	for _, n := range s.Nodes {
		if n.ID.Process() != s.Self.Process() {
			nodes = append(nodes, web.Node{Name: n.Name, HTTP: n.HTTP})
		}
	}
	return slices.Clip(nodes)
}
