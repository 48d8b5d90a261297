package site_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hotline/call"
	"hotline/site"
	"hotline/store/memstore"
)

// link is a node's way to the book, which may be shut.
type link struct {
	*memstore.Book
	n      *node
	mu     sync.Mutex
	shut   bool // nothing comes through, and no answer
	broken bool // an error comes at once
	lose   map[string]bool
	deny   string        // a method to which an error comes at once
	slow   time.Duration // of each answer
	did    []string      // the methods that were called, in order
	delay  map[string]time.Duration
	lag    time.Duration // how late the log comes
	// released are the tokens that this node released.
	released []call.Token
}

func (l *link) set(shut, broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut, l.broken = shut, broken
}

// denying has a method never reach the book.
func (l *link) denying(method string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deny = method
}

// losing has the answers to a method get lost, though the book does what it was asked to.
func (l *link) losing(method string, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose == nil {
		l.lose = map[string]bool{}
	}
	l.lose[method] = is
}

// delays has a method take a while to get to the book.
func (l *link) delays(method string, by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = map[string]time.Duration{method: by}
}

var errLink = errors.New("connection refused")

// pass lets a request through, as the link is.
func (l *link) pass(ctx context.Context, method string, f func()) error {
	l.n.blows(method)
	l.mu.Lock()
	delay := l.delay[method]
	l.mu.Unlock()
	time.Sleep(delay)
	for {
		l.mu.Lock()
		shut, broken, lose, slow, deny := l.shut, l.broken, l.lose[method], l.slow, l.deny
		l.mu.Unlock()
		switch {
		case broken, method == deny:
			return errLink
		case !shut:
			if ctx.Err() != nil { // of a process that is no more
				return ctx.Err()
			}
			f()
			l.mu.Lock()
			l.did = append(l.did, method)
			l.mu.Unlock()
			time.Sleep(slow)
			if !lose {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		select { // it is under way, and gets there if the link is open again in time
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func pass[T any](ctx context.Context, l *link, method string, f func() (T, error)) (v T, err error) {
	if failed := l.pass(ctx, method, func() { v, err = f() }); failed != nil {
		var none T
		return none, fmt.Errorf("%s: %w", method, failed)
	}
	return v, err
}

func passing(ctx context.Context, l *link, method string, f func() error) error {
	_, err := pass(ctx, l, method, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (l *link) Enter(ctx context.Context, n site.Node, last site.Lease) (site.Lease, error) {
	return pass(ctx, l, "Enter", func() (site.Lease, error) { return l.Book.Enter(ctx, n, last) })
}

func (l *link) Renew(ctx context.Context, id call.NodeID) (site.Lease, error) {
	return pass(ctx, l, "Renew", func() (site.Lease, error) { return l.Book.Renew(ctx, id) })
}

func (l *link) Leave(ctx context.Context, id call.NodeID) error {
	return passing(ctx, l, "Leave", func() error { return l.Book.Leave(ctx, id) })
}

func (l *link) Say(ctx context.Context, id call.NodeID, facts ...call.SiteFact) error {
	return passing(ctx, l, "Say", func() error { return l.Book.Say(ctx, id, facts...) })
}

func (l *link) Claim(ctx context.Context, id call.NodeID, agent, callID string) (site.Grant, error) {
	return pass(ctx, l, "Claim", func() (site.Grant, error) { return l.Book.Claim(ctx, id, agent, callID) })
}

func (l *link) Mark(ctx context.Context, c call.SiteClaim) error {
	return passing(ctx, l, "Mark", func() error { return l.Book.Mark(ctx, c) })
}

func (l *link) Release(ctx context.Context, id call.NodeID, r call.SiteRest) error {
	l.mu.Lock()
	l.released = append(l.released, r.Token)
	l.mu.Unlock()
	return passing(ctx, l, "Release", func() error { return l.Book.Release(ctx, id, r) })
}

func (l *link) Abandon(ctx context.Context, id call.NodeID, agent string, t call.Token) error {
	return passing(ctx, l, "Abandon", func() error { return l.Book.Abandon(ctx, id, agent, t) })
}

func (l *link) Clear(ctx context.Context, agent string, t call.Token) error {
	return passing(ctx, l, "Clear", func() error { return l.Book.Clear(ctx, agent, t) })
}

func (l *link) Raise(ctx context.Context, t call.Token) error {
	return passing(ctx, l, "Raise", func() error { return l.Book.Raise(ctx, t) })
}

func (l *link) Resume(ctx context.Context, c call.SiteClaim) error {
	return passing(ctx, l, "Resume", func() error { return l.Book.Resume(ctx, c) })
}

func (l *link) Read(ctx context.Context) (site.View, error) {
	return pass(ctx, l, "Read", func() (site.View, error) { return l.Book.Read(ctx) })
}

func (l *link) Follow(ctx context.Context, after site.Place) ([]site.Entry, error) {
	entries, err := l.Book.Follow(ctx, after)
	if failed := l.pass(ctx, "Follow", func() {}); failed != nil {
		return nil, failed
	}
	l.mu.Lock()
	lag := l.lag
	l.mu.Unlock()
	if len(entries) > 0 {
		time.Sleep(lag)
	}
	return entries, err
}
