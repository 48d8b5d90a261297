package acd

import (
	"sync"

	"hotline/call"
)

// Claims decides which call an agent is for: the strategy proposes, the claims dispose. Everything that shares
// the agents shares them. The desk's goroutine calls them and waits, so they answer within a millisecond or so
// from what they hold; every implementation passes package acd/claimtest.
type Claims interface {
	// Claim takes an agent for a call, and returns a token greater than any before; false when the agent is
	// taken, for the same call too: an agent has one phone.
	Claim(agent, call string) (call.Token, bool)
	// Release gives an agent back who was taken with this token; with any other it does nothing.
	Release(agent string, t call.Token)
}

// MemoryClaims are claims for a node that shares its agents with nobody. They may be used from any goroutine.
type MemoryClaims struct {
	mu    sync.Mutex
	last  call.Token
	taken map[string]call.Token // by agent; one entry for each who is rung or talks
}

var _ Claims = (*MemoryClaims)(nil)

// NewMemoryClaims makes claims of an epoch, of which nobody is taken.
func NewMemoryClaims(epoch uint64) *MemoryClaims {
	return &MemoryClaims{last: call.Token{Epoch: epoch}, taken: map[string]call.Token{}}
}

// Claim implements [Claims].
func (m *MemoryClaims) Claim(agent, _ string) (call.Token, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.taken[agent]; taken {
		return call.Token{}, false
	}
	m.last.N++
	m.taken[agent] = m.last
	return m.last, true
}

// Release implements [Claims].
func (m *MemoryClaims) Release(agent string, t call.Token) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.taken[agent] == t {
		delete(m.taken, agent)
	}
}

// claim takes an agent for a caller. One who is taken elsewhere is passed over for a while, and the match goes
// on with whoever is next; a caller who has but one try has had it.
func (d *desk) claim(c *caller, a *agent) bool {
	token, ok := d.o.Claims.Claim(a.ID, c.CallID)
	if !ok {
		rest := d.now.Add(minDelay)
		a.restUntil = later(a.restUntil, rest)
		if c.climb != nil { // which passes over other rests, and is to try again after this one
			a.alarmRest = later(a.alarmRest, rest)
		}
		d.giveUp(c, call.CauseBusy)
		d.refresh(a)
		return false
	}
	a.claim = token
	a.forCall = c.CallID
	return true
}

// letGo gives the claim on an agent back once nothing rings and nobody talks any more: like what the agent is
// doing, it follows from the facts.
func (d *desk) letGo(a *agent) {
	if a.claim != (call.Token{}) && (a.offer == nil || a.offer.remote()) && len(a.legs) == 0 {
		d.o.Claims.Release(a.ID, a.claim)
		a.claim = call.Token{}
		d.sayRelease(a)
	}
}
