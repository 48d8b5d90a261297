package sip

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// recountEvery is how often it is looked at most whose connections are no stranger's any more, where they have no room.
const recountEvery = time.Second

// strangeConns are the connections of those who were strangers when they made them, and have proved nothing since. Such a
// connection ends when its time is up, whatever is said over it: else whoever has some dozen addresses could hold for ever
// what all strangers may have, and no phone could come from a new address. The lock of conns guards it.
type strangeConns struct {
	open      int
	networks  map[netip.Prefix]int // of IPv6; see ipv6SiteOf
	recounted time.Time
}

func (s *strangeConns) enterLocked(t *trackedConn) {
	t.strange.Store(true)
	s.open++
	if network, ok := ipv6SiteOf(t.peer.Addr()); ok {
		if s.networks == nil {
			s.networks = make(map[netip.Prefix]int)
		}
		s.networks[network]++
	}
}

// leaveLocked is told that a connection is none of these any more. It may be told twice, and of others.
func (s *strangeConns) leaveLocked(t *trackedConn) {
	if !t.strange.CompareAndSwap(true, false) {
		return
	}
	s.open--
	if network, ok := ipv6SiteOf(t.peer.Addr()); ok {
		if s.networks[network]--; s.networks[network] <= 0 {
			delete(s.networks, network)
		}
	}
}

// crowded tells whether strangers have no room for a connection more of one of them.
func (c *conns) crowded(t *trackedConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crowdedLocked(t)
}

func (c *conns) crowdedLocked(t *trackedConn) bool {
	most := c.l.conns - c.l.reserved
	if c.strangers.open >= most {
		return true
	}
	network, ok := ipv6SiteOf(t.peer.Addr())
	return ok && c.strangers.networks[network] >= max(c.l.perHost, most/networkShare)
}

// recount finds those who have been proved since.
func (c *conns) recount(now time.Time) {
	c.mu.Lock()
	early := now.Sub(c.strangers.recounted) < recountEvery
	if !early {
		c.strangers.recounted = now
	}
	c.mu.Unlock()
	if early {
		return
	}
	for _, t := range c.all() {
		if t.strange.Load() && t.known() {
			c.proved(t)
		}
	}
}

// proved notes that a connection is no stranger's.
func (c *conns) proved(t *trackedConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strangers.leaveLocked(t)
}

// bound changes how many connections strangers may have.
func (c *conns) bound(l limits) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.l.perHost, c.l.reserved = l.perHost, l.reserved
}

// ends is until when the connection is read from, in nanoseconds after accepted.
func (t *trackedConn) ends() int64 {
	until := t.until.Load()
	if t.strange.Load() {
		until = min(until, int64(t.conns.l.strange))
	}
	return until
}

// lasts gives a connection whose time is up more of it, where somebody needs it or its stranger is none any more; else it
// fails.
func (t *trackedConn) lasts() error {
	if !t.conns.kept(t.transport, t.peer) && (!t.strange.Load() || !t.known()) {
		t.conns.dropped(dropIdle)
		return fmt.Errorf("idle too long, or a stranger's: %w", net.ErrClosed)
	}
	t.conns.proved(t)
	t.endures(t.conns.l.idle)
	return nil
}

// awaitsTurn returns when what has come may be served. It fails when the time of the connection is up before that.
func (t *trackedConn) awaitsTurn() error {
	for passed := false; !passed && !t.known(); {
		var wait time.Duration
		if wait, passed = t.conns.gate.turn(t.peer.Addr(), time.Now()); wait == 0 {
			continue
		}
		if !pause(wait, t.gone) {
			return nil
		}
		if t.strange.Load() && time.Since(t.accepted) >= t.conns.l.strange {
			if err := t.lasts(); err != nil {
				return err
			}
		}
	}
	return nil
}
