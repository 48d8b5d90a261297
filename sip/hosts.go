package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// When the resolver fails, what a name meant before still holds most of the time (RFC 8767). lookUpWithin bounds a look-up;
// lookUpSoon is how long it is waited for where addresses are remembered, since somebody's ring time goes by meanwhile.
// After one that failed the name is not asked for again during lookUpRest, or lookUpRetry where it has never meant anything.
const (
	lookUpWithin = 5 * time.Second
	lookUpSoon   = time.Second
	lookUpRest   = 30 * time.Second
	lookUpRetry  = 5 * time.Second
)

// errNoAddress: a name is there, and has no address.
var errNoAddress = errors.New("sip: the name has no address")

// hostBook remembers of each host of a trunk what its name last meant, and which of its addresses is tried first: where
// somebody has answered. It has an entry for each name that was ever configured. It may be used from any goroutine.
type hostBook struct {
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// begin runs a look-up on a goroutine of its own; false: nothing is begun any more. life is what look-ups end with.
	begin func(f func()) bool
	life  func() context.Context

	mu    sync.Mutex
	hosts map[string]*hostEntry
}

type hostEntry struct {
	addrs  []netip.Addr  // what the name last meant; none: it never meant any
	first  netip.Addr    // of them, which is tried first
	failed error         // of the last look-up; nil: it succeeded
	rest   time.Time     // until when it is not asked for again
	since  time.Time     // when the look-up under way began
	asking chan struct{} // closed when that is over; nil: none is
}

// newHostBook returns a book whose look-ups are u's, and end when Close has no more patience.
func newHostBook(u *UA) *hostBook {
	return &hostBook{
		life: func() context.Context { return u.patience }, hosts: make(map[string]*hostEntry),
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		begin: func(f func()) bool { return u.background("look-up", f) },
	}
}

// lookUp is the addresses of a host, none of them written as IPv4 in IPv6, in the order in which they are to be tried; it is
// an address itself, or a name. Errors: ctx's; ErrClosed; the resolver's, where the name has never meant any.
func (b *hostBook) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	asking, wait := b.ask(host, time.Now()) //nolint:contextcheck // others wait for it too
	if asking != nil {
		late := time.NewTimer(wait)
		defer late.Stop()
		select {
		case <-asking:
		case <-late.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.hosts[host]
	if len(e.addrs) > 0 {
		return e.order(), nil
	}
	if e.failed == nil {
		return nil, ErrClosed // it was never asked for
	}
	return nil, e.failed
}

// lookUpOnce is lookUp for a host that is no trunk's: a stranger may have named it, and nothing is remembered of it.
func (b *hostBook) lookUpOnce(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookUpWithin)
	defer cancel()
	addrs, err := b.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	all := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		all[i] = a.Unmap()
	}
	return all, nil
}

// meant is what the name of a trunk's host last meant, nil where it is no trunk's, or was never found. It asks nobody.
func (b *hostBook) meant(host string) []netip.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.hosts[host]; e != nil && len(e.addrs) > 0 {
		return e.order()
	}
	return nil
}

// ask has a name looked up, unless it is being, or has just failed; and returns for how long to wait for what. nil: it is not
// asked for now.
func (b *hostBook) ask(host string, at time.Time) (asking <-chan struct{}, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.hosts[host]
	if e == nil {
		e = &hostEntry{}
		b.hosts[host] = e
	}
	if e.asking == nil {
		if at.Before(e.rest) {
			return nil, 0
		}
		done := make(chan struct{})
		if !b.begin(func() { b.find(host, done) }) {
			return nil, 0
		}
		e.asking, e.since = done, at
	}
	wait = 2 * lookUpWithin // it ends by itself
	if len(e.addrs) > 0 {
		wait = lookUpSoon - at.Sub(e.since)
	}
	return e.asking, wait
}

// find looks a name up, and notes what it means.
func (b *hostBook) find(host string, done chan struct{}) {
	ctx, cancel := context.WithTimeout(b.life(), lookUpWithin)
	defer cancel()
	addrs, err := b.resolve(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = fmt.Errorf("%s: %w", host, errNoAddress)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	defer close(done)
	e := b.hosts[host]
	e.asking, e.failed, e.rest = nil, err, time.Time{}
	switch {
	case err == nil:
		e.addrs = e.addrs[:0:0]
		for _, a := range addrs {
			e.addrs = append(e.addrs, a.Unmap())
		}
	case len(e.addrs) > 0:
		e.rest = time.Now().Add(lookUpRest)
	default:
		e.rest = time.Now().Add(lookUpRetry)
	}
}

// order is the addresses from the first on, and then those before it.
func (e *hostEntry) order() []netip.Addr {
	i := max(slices.Index(e.addrs, e.first), 0)
	return slices.Concat(e.addrs[i:], e.addrs[:i])
}

// answered notes that a host serves at an address: it is tried first from now on.
func (b *hostBook) answered(host string, a netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.hosts[host]; e != nil {
		e.first = a.Unmap()
	}
}

// silent notes that a host did not serve at an address: the one behind it is tried first from now on.
func (b *hostBook) silent(host string, a netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.hosts[host]
	if e == nil {
		return
	}
	if i := slices.Index(e.addrs, a.Unmap()); i >= 0 {
		e.first = e.addrs[(i+1)%len(e.addrs)]
	}
}
