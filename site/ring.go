package site

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"hotline/call"
)

// hold is a claim of this node's, see the package comment. It is under the member's lock.
type hold struct {
	agent, call string
	phase       phase
	token       call.Token
	edge        call.NodeID
	since       time.Time
	rung        time.Time
	answered    time.Time
	ended       time.Time
	// unsure: the phone may ring or talk yet, the claim was abandoned.
	unsure bool
	// local: the gate handed the token out, and the book does not know of the claim yet.
	local bool
	leg   call.Leg // once it talks
	// rest is what the desk gave the claim back with, before its leg's end.
	rest *call.SiteRest
	// given: it was given back without the desk, whose rest may come yet.
	given bool
	// settled is closed once the leg's BYE was answered; nil: the leg does not tell.
	settled <-chan struct{}
	// via is the way of a leg that can be rerouted; its leg is nil for any other.
	via passage
	// unwatch ends waiting for the leg's end.
	unwatch func()
}

type holdKey struct{ agent, call string }

type phase int

const (
	claiming phase = iota
	ringing
	talking
	ended
)

// lives: the phone rings, or talks, by it.
func (h *hold) lives() bool { return h.phase == ringing || h.phase == talking }

func (h *hold) claim(self call.NodeID) call.SiteClaim {
	return call.SiteClaim{
		Agent: h.agent, Call: h.call, Owner: self, Edge: h.edge, Token: h.token, Since: h.since,
		Rung: h.rung, Answered: h.answered,
	}
}

// Ring implements acd.Phones: it claims the agent, and rings the phone through its edge. Where another node was first, the
// phone's edge refuses, or the claim cannot be had now, the error is a [*call.RingError] with [call.CauseTaken]: that is not
// the agent's doing.
func (m *Member) Ring(ctx context.Context, r call.RingRequest) (leg call.Leg, err error) {
	h, claim, err := m.claim(ctx, r)
	if err != nil {
		return nil, err
	}
	progress := r.Progress
	r.Claim = &claim
	r.Progress = func(code int, at time.Time) {
		m.rung(h, code, at)
		if progress != nil {
			progress(code, at)
		}
	}
	returned := false
	defer func() { //nolint:contextcheck // a leg's context is its own life
		if !returned { // it panicked
			m.rang(h, nil, errors.New("a panic while ringing"))
		}
	}()
	leg, err = m.o.Edge.Ring(ctx, r)
	if err == nil && leg == nil {
		err = errors.New("answered without a leg")
	}
	returned = true
	m.rang(h, leg, err) //nolint:contextcheck // a leg's context is its own life
	return leg, err
}

func taken() *call.RingError { return &call.RingError{Why: call.CauseTaken, At: time.Now()} }

// refuse counts why a ring got no claim.
func (m *Member) refuse(result string) *call.RingError {
	m.figures.claims.WithLabelValues(result).Inc()
	return taken()
}

// claim gets a ring its claim: from the book, or while that is silent from the gate of a phone that is here.
func (m *Member) claim(ctx context.Context, r call.RingRequest) (*hold, call.RingClaim, error) {
	h, alone, err := m.begin(r)
	if err != nil {
		return nil, call.RingClaim{}, err
	}
	var claim call.RingClaim
	settled := false
	defer func() {
		if !settled { // it panicked: the book may have granted it, of which the log will tell
			m.under(func() {
				m.drop(h)
				h.phase, h.ended = ended, time.Now()
			})
		}
	}()
	if alone {
		claim, err = m.claimAlone(h)
	} else {
		claim, err = m.claimBook(ctx, h)
	}
	settled = true
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if h.token == (call.Token{}) { // else it is the desk's to give back
			m.drop(h)
		}
		h.phase, h.ended = ended, time.Now()
		return nil, claim, err
	}
	h.phase = ringing
	return h, claim, nil
}

// drop forgets a hold. It needs mu.
func (m *Member) drop(h *hold) {
	key := holdKey{h.agent, h.call}
	if m.holds[key] == h {
		delete(m.holds, key)
	}
}

// begin notes that an agent is being claimed, and says whether by the gate alone.
func (m *Member) begin(r call.RingRequest) (h *hold, alone bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := holdKey{r.Agent, r.CallID}
	if was := m.holds[key]; was != nil {
		if was.phase != ended {
			return nil, false, m.refuse(resultBusy)
		}
		m.give(was, call.SiteRest{Agent: was.agent, How: howStray})
	}
	_, here := m.own.flows[r.Agent]
	switch {
	case m.left:
		return nil, false, errStopped
	case (m.state == call.SiteFading || m.state == call.SiteJoining) && !here:
		return nil, false, m.refuse(resultMargin)
	}
	h = &hold{agent: r.Agent, call: r.CallID, since: time.Now(), unwatch: func() {}}
	m.holds[key] = h
	return h, m.state == call.SiteCut, nil
}

// claimAlone has the gate hand a token out.
func (m *Member) claimAlone(h *hold) (call.RingClaim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.o.Edge.Next(h.agent, m.highest)
	if !ok {
		return call.RingClaim{}, m.refuse(resultGate)
	}
	m.see(t)
	if t.Compare(m.handed) > 0 {
		m.handed = t
	}
	h.token, h.edge, h.local = t, m.node.ID, true
	m.figures.claims.WithLabelValues(resultAlone).Inc()
	return call.RingClaim{Token: t, Owner: m.node.ID, Edge: m.node.ID, Until: time.Now().Add(m.o.Deliver)}, nil
}

func (m *Member) see(t call.Token) {
	if t.Compare(m.highest) > 0 {
		m.highest = t
	}
}

// claimBook claims an agent in the book. What the desk withdraws meanwhile is claimed to the end all the same, which is a
// quarter of a second at most: then it is known what is to be given back.
func (m *Member) claimBook(ctx context.Context, h *hold) (call.RingClaim, error) {
	limited, stop := context.WithTimeout(context.WithoutCancel(ctx), m.o.ClaimWithin)
	defer stop()
	id, err := m.toClaim(limited, h.agent)
	// The deadline counts from here, not from the grant: whoever sees the phone's edge die waits for as long from then on, and
	// no claim that names that edge is asked for after its death. Between here and the INVITE this node may have slept.
	asked := time.Now()
	var g Grant
	if err == nil {
		g, err = m.o.Book.Claim(limited, id, h.agent, h.call)
	}
	switch {
	case errors.Is(err, ErrTaken):
		return call.RingClaim{}, m.refuse(resultTaken)
	case errors.Is(err, ErrNoFlow):
		wake(m.wakeCheck)
		return call.RingClaim{}, m.refuse(resultNoFlow)
	case errors.Is(err, ErrDead):
		m.died(id)
		return call.RingClaim{}, m.refuse(resultDead)
	case err != nil: // it may have been granted: the log will tell
		m.complain(ctx, "claim an agent in the site's book", err)
		return call.RingClaim{}, m.refuse(resultLate)
	}
	m.mu.Lock()
	h.token, h.edge = g.Token, g.Edge
	m.see(g.Token)
	m.mu.Unlock()
	if cause := context.Cause(ctx); cause != nil {
		return call.RingClaim{}, withdrawn(cause)
	}
	edge, known := m.edgeOf(limited, g.Edge)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	until := asked.Add(m.o.Deliver)
	if m.leaseEnd.Before(until) {
		until = m.leaseEnd
	}
	c := call.RingClaim{Token: g.Token, Owner: id, Edge: g.Edge, Until: until}
	left := m.leaseEnd.Sub(now)
	switch {
	case m.self(g.Edge) && now.Before(until):
	case m.self(g.Edge) || left < m.o.Margin || !now.Before(until):
		return c, m.refuse(resultMargin)
	case !known:
		return c, m.refuse(resultNoFlow)
	default:
		c.Via, c.Phone = edge.SIP, m.phoneAt(h.agent, g.Edge)
	}
	m.figures.claims.WithLabelValues(resultGranted).Inc()
	return c, nil
}

// phoneAt is where an edge sees a phone; the zero value where it has not told, or another holds the phone now. It needs mu.
func (m *Member) phoneAt(agent string, edge call.NodeID) netip.Addr {
	if f := m.view.flows[agent]; f.Edge == edge {
		return f.At
	}
	return netip.Addr{}
}

func withdrawn(cause error) *call.RingError {
	why := call.CauseWithdrawn
	if c, ok := errors.AsType[call.CancelCause](cause); ok {
		why = c.Why
	}
	return &call.RingError{Why: why, At: time.Now()}
}

// toClaim waits for what this node has yet to write of an agent, such as the release of the claim before, and for claims to
// be made again after the book was begun anew. It returns as which run the agent is to be claimed.
func (m *Member) toClaim(ctx context.Context, agent string) (call.NodeID, error) {
	for {
		m.mu.Lock()
		busy, changed, id, dead, settled := m.out.busy(agent) || m.out.awaits("flow\x00"+agent), m.changed, m.node.ID, m.dead, m.settled
		m.mu.Unlock()
		if wait := time.Until(settled); !dead && !busy && wait <= 0 {
			return id, nil
		} else if wait > 0 && !pause(ctx, wait) {
			return id, ctx.Err()
		} else if wait > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return id, fmt.Errorf("wait for what is to be written of agent %s: %w", agent, context.Cause(ctx))
		case <-changed:
		}
	}
}

// edgeOf is the node of a grant; the log may be about to tell of it.
func (m *Member) edgeOf(ctx context.Context, id call.NodeID) (Node, bool) {
	for {
		m.mu.Lock()
		n, known := m.view.nodes[id]
		changed := m.changed
		m.mu.Unlock()
		if known || m.self(id) {
			return n, true
		}
		select {
		case <-ctx.Done():
			return n, false
		case <-changed:
		}
	}
}
