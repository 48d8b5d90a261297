package sip

import (
	"net/netip"
	"sync"

	"hotline/call"
)

// legTable finds a leg by its dialog, and knows the INVITEs under way. Its lock is a leaf.
type legTable struct {
	mu      sync.Mutex
	legs    map[string]*leg
	invites map[string]struct{}
}

func newLegTable() *legTable {
	return &legTable{legs: make(map[string]*leg), invites: make(map[string]struct{})}
}

func (t *legTable) add(l *leg) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.legs[l.key] = l
}

func (t *legTable) remove(l *leg) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.legs, l.key)
}

// find returns the leg whose dialog a received request belongs to, or nil.
func (t *legTable) find(x *exchange) *leg {
	remote, _ := x.req.From().Params.Get("tag")
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.legs[dialogID(x.req.CallID().Value(), x.localTag, remote)]
}

// claim enters an INVITE outside a dialog; false means that it is there already, having come another way
// (RFC 3261 section 8.2.2.2). unclaim forgets it.
func (t *legTable) claim(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.invites[key]; there {
		return false
	}
	t.invites[key] = struct{}{}
	return true
}

func (t *legTable) unclaim(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.invites, key)
}

func (t *legTable) all() []*leg {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*leg, 0, len(t.legs))
	for _, l := range t.legs {
		out = append(out, l)
	}
	return out
}

// hangupAll ends every leg, for a UA that closes.
func (t *legTable) hangupAll() {
	for _, l := range t.all() {
		l.Hangup(call.CauseShutdown)
	}
}

// connClosed ends the legs that are not answered yet and can be answered over that connection only.
func (t *legTable) connClosed(peer netip.AddrPort) {
	for _, l := range t.all() {
		l.connClosed(peer)
	}
}
