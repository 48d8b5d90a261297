package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"hotline/call"
	"hotline/site"
)

// Enter implements site.Book.
func (b *Book) Enter(ctx context.Context, n site.Node, last site.Lease) (site.Lease, error) {
	if err := n.Check(); err != nil {
		return site.Lease{}, err
	}
	if last.Epoch >= site.MaxToken {
		return site.Lease{}, fmt.Errorf("enter after epoch %d: %w", last.Epoch, site.ErrRange)
	}
	text, err := json.Marshal(n)
	if err != nil {
		return site.Lease{}, fmt.Errorf("enter as node %s: %w", n.ID, err)
	}
	got, err := b.do(ctx, scriptEnter, string(n.ID), strconv.FormatInt(n.Lease.Microseconds(), 10), text,
		decimal(last.Epoch), last.Book, uuid.NewString())
	if err != nil {
		return site.Lease{}, fmt.Errorf("enter as node %s: %w", n.ID, err)
	}
	return unpackLease(got)
}

// unpackLease reads now, until, book, epoch.
func unpackLease(got answer) (site.Lease, error) {
	r := &reader{fields: got}
	l := site.Lease{Now: r.instant(), Until: r.instant(), Book: r.text(), Epoch: r.number()}
	if r.err != nil {
		return site.Lease{}, fmt.Errorf("read a lease: %w", r.err)
	}
	return l, nil
}

// Renew implements site.Book.
func (b *Book) Renew(ctx context.Context, id call.NodeID) (site.Lease, error) {
	got, err := b.do(ctx, scriptRenew, string(id), strconv.FormatInt(b.bounds.RegularsFor.Microseconds(), 10),
		strconv.FormatInt(b.bounds.LogFor.Microseconds(), 10))
	if err != nil {
		return site.Lease{}, fmt.Errorf("renew the lease of node %s: %w", id, err)
	}
	return unpackLease(got)
}

// Leave implements site.Book.
func (b *Book) Leave(ctx context.Context, id call.NodeID) error {
	if _, err := b.do(ctx, scriptLeave, string(id)); err != nil {
		return fmt.Errorf("leave as node %s: %w", id, err)
	}
	return nil
}

// Say implements site.Book.
func (b *Book) Say(ctx context.Context, id call.NodeID, facts ...call.SiteFact) error {
	facts, err := site.Said(id, facts)
	if err != nil {
		return fmt.Errorf("say facts of node %s: %w", id, err)
	}
	args := []any{
		string(id), b.bounds.Agents, b.bounds.Places, b.bounds.Regulars,
		strconv.FormatInt(b.bounds.RegularsFor.Microseconds(), 10),
	}
	for _, f := range facts {
		packed, err := packFact(f)
		if err != nil {
			return fmt.Errorf("say facts of node %s: %w", id, err)
		}
		args = append(args, packed...)
	}
	if _, err := b.do(ctx, scriptSay, args...); err != nil {
		return fmt.Errorf("say facts of node %s: %w", id, err)
	}
	return nil
}

// Claim implements site.Book.
func (b *Book) Claim(ctx context.Context, id call.NodeID, agent, callID string) (site.Grant, error) {
	got, err := b.do(ctx, scriptClaim, string(id), esc(agent), esc(callID), decimal(site.MaxToken))
	if err != nil {
		return site.Grant{}, fmt.Errorf("claim agent %s for node %s: %w", agent, id, err)
	}
	r := &reader{fields: got}
	g := site.Grant{Token: r.token(), Edge: call.NodeID(r.text()), Now: r.instant(), Until: r.instant()}
	g.Epoch = g.Token.Epoch
	if r.err != nil {
		return site.Grant{}, fmt.Errorf("claim agent %s for node %s: read the grant: %w", agent, id, r.err)
	}
	return g, nil
}

// Mark implements site.Book.
func (b *Book) Mark(ctx context.Context, c call.SiteClaim) error {
	_, err := b.do(ctx, scriptMark, string(c.Owner), esc(c.Agent), decimal(c.Token.Epoch), decimal(c.Token.N),
		instant(c.Rung), instant(c.Answered))
	return onClaim("mark", c.Agent, c.Token, err)
}

// onClaim says which deed on which claim failed.
func onClaim(what, agent string, t call.Token, err error) error {
	if err != nil {
		return fmt.Errorf("%s the claim %s on agent %s: %w", what, t, agent, err)
	}
	return nil
}

// Release implements site.Book.
func (b *Book) Release(ctx context.Context, id call.NodeID, r call.SiteRest) error {
	r = site.RestUTC(r)
	r.By = id
	text, err := json.Marshal(r)
	if err != nil {
		return onClaim("release", r.Agent, r.Token, err)
	}
	_, err = b.do(ctx, scriptRelease, string(id), esc(r.Agent), decimal(r.Token.Epoch), decimal(r.Token.N), packRest(r),
		text, b.bounds.Agents, esc(r.Call))
	return onClaim("release", r.Agent, r.Token, err)
}

// Abandon implements site.Book.
func (b *Book) Abandon(ctx context.Context, id call.NodeID, agent string, t call.Token) error {
	_, err := b.do(ctx, scriptAbandon, string(id), esc(agent), decimal(t.Epoch), decimal(t.N))
	return onClaim("abandon", agent, t, err)
}

// Clear implements site.Book.
func (b *Book) Clear(ctx context.Context, agent string, t call.Token) error {
	_, err := b.do(ctx, scriptClear, esc(agent), decimal(t.Epoch), decimal(t.N))
	return onClaim("clear", agent, t, err)
}

// Raise implements site.Book.
func (b *Book) Raise(ctx context.Context, t call.Token) error {
	err := inRange(t)
	if err == nil {
		_, err = b.do(ctx, scriptRaise, decimal(t.Epoch), decimal(t.N))
	}
	if err != nil {
		return fmt.Errorf("raise the tokens above %s: %w", t, err)
	}
	return nil
}

// inRange refuses what scripts would take for another token.
func inRange(t call.Token) error {
	if t.Epoch > site.MaxToken || t.N > site.MaxToken {
		return site.ErrRange
	}
	return nil
}

// Resume implements site.Book.
func (b *Book) Resume(ctx context.Context, c call.SiteClaim) error {
	err := inRange(c.Token)
	if err == nil {
		c = site.ClaimUTC(c)
		c.Orphan = false
		_, err = b.do(ctx, scriptResume, string(c.Owner), esc(c.Agent), decimal(c.Token.Epoch), decimal(c.Token.N), packClaim(c))
	}
	return onClaim("resume", c.Agent, c.Token, err)
}

// now is the instant of the book's clock, from the server's answer to TIME where the book has none of its own.
func (b *Book) now(server time.Time) time.Time {
	if b.clock != nil {
		server = b.clock()
	}
	return server.Truncate(time.Microsecond).UTC()
}
