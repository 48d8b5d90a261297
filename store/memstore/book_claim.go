package memstore

import (
	"context"
	"fmt"
	"time"

	"hotline/call"
	"hotline/site"
)

// Claim implements site.Book.
func (b *Book) Claim(_ context.Context, id call.NodeID, agent, callID string) (site.Grant, error) {
	defer b.begin()()
	flow, registered := b.flows[agent]
	_, claimed := b.claims[agent]
	why := error(nil)
	switch {
	case !b.alive(id):
		why = site.ErrDead
	case claimed:
		why = site.ErrTaken
	case !registered || !b.alive(flow.Edge):
		why = site.ErrNoFlow
	case b.last.N >= site.MaxToken:
		why = site.ErrRange
	}
	if why != nil {
		return site.Grant{}, fmt.Errorf("claim agent %s for node %s: %w", agent, id, why)
	}
	b.last.N++
	c := call.SiteClaim{Agent: agent, Call: callID, Owner: id, Edge: flow.Edge, Token: b.last, Since: b.now}
	b.setClaim(c)
	return site.Grant{Token: c.Token, Edge: c.Edge, Now: b.now, Until: b.nodes[id].until, Epoch: b.last.Epoch}, nil
}

// setClaim writes a claim, and says so.
func (b *Book) setClaim(c call.SiteClaim) {
	b.claims[c.Agent] = c
	b.note(site.Entry{Facts: []call.SiteFact{{Claim: &c}}})
}

// own is a process's claim on an agent by a token. After a failover two owners may have claims by the same one.
func (b *Book) own(id call.NodeID, agent string, t call.Token) (call.SiteClaim, bool) {
	c, ok := b.claims[agent]
	return c, ok && c.Token == t && c.Owner.Process() == id.Process()
}

// Mark implements site.Book.
func (b *Book) Mark(_ context.Context, m call.SiteClaim) error {
	defer b.begin()()
	c, ok := b.own(m.Owner, m.Agent, m.Token)
	if !ok {
		return nil
	}
	was := c
	m = site.ClaimUTC(m)
	mark := func(t *time.Time, at time.Time) {
		if !at.IsZero() {
			*t = at
		}
	}
	mark(&c.Rung, m.Rung)
	mark(&c.Answered, m.Answered)
	if c != was {
		b.setClaim(c)
	}
	return nil
}

// Release implements site.Book.
func (b *Book) Release(_ context.Context, id call.NodeID, r call.SiteRest) error {
	defer b.begin()()
	if c, ok := b.own(id, r.Agent, r.Token); !ok || r.Call != "" && r.Call != c.Call {
		return nil
	}
	delete(b.claims, r.Agent)
	r = site.RestUTC(r)
	r.By = id
	b.setRest(r)
	b.note(site.Entry{Facts: []call.SiteFact{{Rest: &r}}})
	return nil
}

// Abandon implements site.Book.
func (b *Book) Abandon(_ context.Context, id call.NodeID, agent string, t call.Token) error {
	defer b.begin()()
	if c, ok := b.own(id, agent, t); ok && !c.Orphan {
		c.Orphan = true
		b.setClaim(c)
	}
	return nil
}

// Clear implements site.Book.
func (b *Book) Clear(_ context.Context, agent string, t call.Token) error {
	defer b.begin()()
	if c, ok := b.claims[agent]; ok && c.Token == t && c.Orphan {
		delete(b.claims, agent)
		b.note(site.Entry{Cleared: &c})
	}
	return nil
}

// Raise implements site.Book.
func (b *Book) Raise(_ context.Context, t call.Token) error {
	if !inRange(t) {
		return fmt.Errorf("raise the tokens above %s: %w", t, site.ErrRange)
	}
	defer b.begin()()
	b.raise(t)
	return nil
}

func (b *Book) raise(t call.Token) {
	if b.id != "" && t.Compare(b.last) > 0 {
		b.last = t
	}
}

func inRange(t call.Token) bool { return t.Epoch <= site.MaxToken && t.N <= site.MaxToken }

// Resume implements site.Book.
func (b *Book) Resume(_ context.Context, c call.SiteClaim) error {
	if !inRange(c.Token) {
		return fmt.Errorf("resume the claim %s on agent %s: %w", c.Token, c.Agent, site.ErrRange)
	}
	defer b.begin()()
	if !b.alive(c.Owner) {
		return fmt.Errorf("resume the claim %s on agent %s for node %s: %w", c.Token, c.Agent, c.Owner, site.ErrDead)
	}
	was, claimed := b.claims[c.Agent]
	same := was.Token == c.Token && was.Owner.Process() == c.Owner.Process()
	if claimed && !was.Orphan && was.Token.Compare(c.Token) >= 0 && !same {
		return fmt.Errorf("resume the claim %s on agent %s for node %s: %w", c.Token, c.Agent, c.Owner, site.ErrTaken)
	}
	b.raise(c.Token)
	c = site.ClaimUTC(c)
	c.Orphan = false
	if !claimed || was != c {
		b.setClaim(c)
	}
	return nil
}
