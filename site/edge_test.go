package site_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"hotline/call"
	"hotline/call/calltest"
)

// edge is a node's, with the real gates. Its wire to other edges and to phones takes a millisecond.
type edge struct {
	w     *world
	n     *node
	mu    sync.Mutex
	gates map[string]*call.Gate
	flows map[string]call.SiteFlow
	ended []string // agents whose orphans' legs were ended
	// mute: phones here do not answer a BYE.
	mute bool
	// dead: its process was killed.
	dead bool
	// before runs between a claim and its INVITE.
	before func()
	claims []call.RingClaim
}

func (e *edge) register(agent string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.gates[agent]
	if g == nil {
		g = &call.Gate{}
		e.gates[agent] = g
	}
	if _, here := e.flows[agent]; !here {
		g.Hold()
	}
	e.flows[agent] = call.SiteFlow{Agent: agent, Since: time.Now()}
}

func (e *edge) flow(agent string) call.SiteFlow {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.flows[agent]
}

func (e *edge) has(agent string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, has := e.flows[agent]
	return has
}

// open reports whether an INVITE would be admitted.
func (e *edge) open(agent string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.gates[agent]
	if _, here := e.flows[agent]; !here || g == nil {
		return false
	}
	copied := *g
	_, ok := copied.Next(call.Token{})
	return ok
}

func (e *edge) highest(agent string) call.Token {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.gates[agent].Highest()
}

// rung is the last claim by which this node rang a phone.
func (e *edge) rung() call.RingClaim {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.claims[len(e.claims)-1]
}

func wireTime() { time.Sleep(time.Millisecond) }

// Ring sends an INVITE through the edge that the claim names.
func (e *edge) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	e.mu.Lock()
	before := e.before
	e.claims = append(e.claims, *r.Claim)
	e.mu.Unlock()
	if before != nil {
		before()
	}
	e.n.desk.thawed()
	at := e
	e.w.mu.Lock()
	for _, n := range e.w.nodes {
		if r.Claim.Via == n.name+":5060" {
			at = n.edge
		}
	}
	e.w.n++
	dialog := fmt.Sprintf("dialog-%d", e.w.n)
	e.w.mu.Unlock()
	if e.apart(at) {
		time.Sleep(2 * time.Second)
		return nil, errUnsure
	}
	wireTime()
	return at.invite(ctx, r, dialog, e)
}

var errUnsure = &call.RingError{Why: call.CauseUnreachable, Unsure: true}

// apart reports whether nothing gets from one node to the other.
func (e *edge) apart(from *edge) bool {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	return e.dead || from.dead || from != e && (e.w.unheard[e.n.name] || e.w.unheard[from.n.name])
}

// lonely is after how long a person hangs up whom nobody hears; 200s without ACK end as soon.
const lonely = 20 * time.Second

// strand notes that a phone talks with nobody.
func (w *world) strand(hangup func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stranded = append(w.stranded, hangup)
	time.AfterFunc(lonely, hangup)
}

// console has the persons hang up who talked with nobody when it was called last.
func (w *world) console() {
	w.mu.Lock()
	before := w.consoled
	w.consoled, w.stranded = w.stranded, nil
	w.mu.Unlock()
	for _, hangup := range before {
		hangup()
	}
}

func (e *edge) invite(ctx context.Context, r call.RingRequest, dialog string, from *edge) (call.Leg, error) {
	if from != e && !time.Now().Before(e.n.Lease()) {
		return nil, &call.RingError{Why: call.CauseUnreachable, Code: 430}
	}
	e.mu.Lock()
	g := e.gates[r.Agent]
	if g == nil {
		e.mu.Unlock()
		return nil, &call.RingError{Why: call.CauseUnreachable, Code: 430}
	}
	leg := call.GateLeg{Agent: r.Agent, Dialog: dialog, Call: r.CallID, Owner: r.Claim.Owner, Token: r.Claim.Token}
	switch v := g.Admit(leg, 1, r.Claim.Until, time.Now()); v {
	case call.GateOpen:
	case call.GateLate, call.GateGone:
		e.mu.Unlock()
		return nil, &call.RingError{Why: call.CauseUnreachable, Code: 430}
	case call.GateHeld, call.GateStale, call.GateBusy:
		above := g.Highest()
		e.mu.Unlock()
		return nil, &call.RingError{Why: call.CauseTaken, Code: 486, Above: above}
	}
	e.mu.Unlock()
	e.w.rang(r.Agent, dialog, fmt.Sprintf("%s for call %s of %s through %s", r.Claim.Token, r.CallID, from.n.name, e.n.name))
	wireTime()
	if !e.apart(from) {
		r.Progress(180, time.Now())
	}
	e.mu.Lock()
	g.Rung(dialog, time.Now())
	e.mu.Unlock()
	after, answers := e.w.answerAfter, true
	if after < 0 || after > e.w.expires {
		after, answers = e.w.expires, false
	}
	deadline := time.Now().Add(after)
	select {
	case <-ctx.Done():
		wireTime()
		if e.apart(from) { // CANCEL does not get there
			time.AfterFunc(time.Until(deadline), func() { e.over(r.Agent, dialog) })
			return nil, errUnsure
		}
		e.over(r.Agent, dialog)
		return nil, &call.RingError{Why: call.CauseWithdrawn, Code: 487}
	case <-time.After(after):
	}
	if !answers {
		e.over(r.Agent, dialog)
	} else {
		e.mu.Lock()
		g.Answered(dialog, time.Now())
		e.mu.Unlock()
	}
	switch {
	case e.apart(from):
		e.w.strand(func() { e.over(r.Agent, dialog) })
		<-ctx.Done()
		return nil, errUnsure
	case !answers:
		return nil, &call.RingError{Why: call.CauseNoAnswer, Code: 487}
	}
	l := &settledLeg{Leg: calltest.NewLeg(dialog), settled: make(chan struct{}), at: e, from: from, leg: leg}
	if _, err := l.Answer(); err != nil {
		return nil, err
	}
	context.AfterFunc(l.Context(), func() { //nolint:contextcheck // the leg's own life // BYE, which the phone answers in its own time
		time.Sleep(30 * time.Millisecond)
		if e.apart(from) {
			e.w.strand(func() { e.over(r.Agent, dialog) })
		}
		l.farewell()
	})
	return l, nil
}

// over: the phone is free of a leg.
func (e *edge) over(agent, dialog string) {
	e.w.mu.Lock()
	delete(e.w.legs[agent], dialog)
	e.w.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gates[agent].Over(dialog)
}

// rang: an INVITE has reached a phone.
func (w *world) rang(agent, dialog, how string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.legs[agent] == nil {
		w.legs[agent] = map[string]string{}
	}
	if len(w.legs[agent]) > 0 {
		w.t.Logf("%s: %s is rung by %s beside %v", time.Now().Format(time.TimeOnly), agent, how, w.legs[agent])
	}
	w.legs[agent][dialog] = how
	w.rings[agent]++
	w.most[agent] = max(w.most[agent], len(w.legs[agent]))
}

// busy is how many legs a phone has.
func (w *world) busy(agent string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.legs[agent])
}

// at has a phone that is registered here be at an address.
func (e *edge) at(agent string, at netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.flows[agent]
	f.At = at
	e.flows[agent] = f
}

func (e *edge) Flows() []call.SiteFlow {
	e.n.blows("Flows")
	e.mu.Lock()
	defer e.mu.Unlock()
	flows := make([]call.SiteFlow, 0, len(e.flows))
	for _, f := range e.flows {
		flows = append(flows, f)
	}
	return flows
}

func (e *edge) Next(agent string, least call.Token) (call.Token, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.gates[agent]
	if _, here := e.flows[agent]; !here || g == nil {
		return call.Token{}, false
	}
	return g.Next(least)
}

func (e *edge) Past(agent string) (call.GatePast, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.gates[agent]
	if g == nil {
		return call.GatePast{}, false
	}
	return g.Past(agent), true
}

func (e *edge) Yield(agent string) call.GatePast {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.flows, agent)
	g := e.gates[agent]
	if g == nil {
		g = &call.Gate{}
		e.gates[agent] = g
	}
	return g.Yield(agent)
}

func (e *edge) Hold(agent string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gates[agent].Hold()
}

func (e *edge) Seed(past call.GatePast) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if g := e.gates[past.Agent]; g != nil {
		g.Seed(past)
	}
}

func (e *edge) Free(agent, dialog string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gates[agent].Free(dialog)
}

func (e *edge) Refuse(agent string, t call.Token) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.gates[agent]
	if g == nil {
		g = &call.Gate{}
		e.gates[agent] = g
	}
	return g.Refuse(t)
}

func (e *edge) End(_ context.Context, agent string, t call.Token) error {
	e.n.blows("End")
	e.mu.Lock()
	g := e.gates[agent]
	leg := g.Leg()
	e.mu.Unlock()
	if leg == nil || leg.Token != t {
		return nil
	}
	time.Sleep(30 * time.Millisecond)
	e.over(agent, leg.Dialog)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = append(e.ended, agent)
	return nil
}

func (e *edge) Legs() []call.GateLeg {
	e.mu.Lock()
	defer e.mu.Unlock()
	var legs []call.GateLeg
	for agent, g := range e.gates {
		for _, l := range g.Legs() {
			l.Agent = agent
			legs = append(legs, l)
		}
	}
	return legs
}

func (e *edge) endedLegOf(agent string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.ended, agent)
}

// dialled: the phone makes a call of its own.
func (e *edge) dialled(agent, dialog string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.gates[agent].Dialled(call.GateLeg{Dialog: dialog, Since: time.Now()})
}
