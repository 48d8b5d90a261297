package sip

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// guards keep INVITEs that a claim was made for from leaving after its deadline, and those that were given up from leaving again:
// the repetitions are sipgo's, by itself, so the guards are asked where the sockets are written to.
type guards struct {
	n  atomic.Int64 // how many there are; most of the time none
	mu sync.Mutex
	on map[string]*guard // by branch
}

// guard is the deadline of one INVITE.
type guard struct {
	until time.Time
	sent  atomic.Bool // it has left
}

func newGuards() *guards { return &guards{on: make(map[string]*guard)} }

// put guards the INVITE of a branch until drop.
func (g *guards) put(branch string, until time.Time) *guard {
	g.mu.Lock()
	defer g.mu.Unlock()
	one := &guard{until: until}
	g.on[branch] = one
	g.n.Store(int64(len(g.on)))
	return one
}

func (g *guards) drop(branch string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.on, branch)
	g.n.Store(int64(len(g.on)))
}

// holds tells whether a message that is about to leave must not.
func (g *guards) holds(data []byte, now time.Time) bool {
	if g.n.Load() == 0 || !bytes.HasPrefix(data, []byte("INVITE ")) {
		return false
	}
	_, rest, _ := bytes.Cut(data, []byte("\r\nVia: ")) // as sipgo writes it; a Request-URI may have anything in it
	_, rest, _ = bytes.Cut(rest, []byte("branch="))
	end := bytes.IndexAny(rest, ";\r\n, ")
	if end < 0 {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.on[strings.TrimSpace(string(rest[:end]))]
	if one == nil {
		return false
	}
	if !now.Before(one.until) {
		return true
	}
	one.sent.Store(true)
	return false
}

// relayed takes a message of a connection that is for the proxy.
func (u *UA) relayed(message []byte, from way) bool {
	if u.site == nil {
		return false
	}
	at := time.Now() // it is passed on below
	if !u.site.relays.takes(message, from) {
		return false
	}
	u.ladder.passed(crossing{data: message, at: at, received: true, transport: from.transport, local: from.ours, remote: u.shownAt(from.transport, from.peer)})
	return true
}

// relayed is UA.relayed for this connection.
func (t *trackedConn) relayed(message []byte) bool {
	if t.conns.relayed == nil {
		return false
	}
	taken := t.conns.relayed(message, way{transport: t.transport, peer: t.peer, ours: t.ours})
	if taken {
		t.hears()
	}
	return taken
}
