package sip

import (
	"net/netip"
	"slices"

	"hotline/call"
)

// reach is where a user leads that an agent's phone dials or refers somebody to: a colleague's phone, a
// queue by its name, a feature code, a number of a trunk as for that trunk's callers, a number outside that a dial rule
// allows; in that order. Otherwise it returns why it leads nowhere: CauseBusy for the agent's own phone, which
// is on the line, CauseNotFound for all else.
func (u *UA) reach(agent string, from netip.Addr, user string) (call.Next, call.Cause) {
	switch {
	case user == "":
		return call.Next{}, call.CauseNotFound
	case user == agent:
		return call.Next{}, call.CauseBusy
	case u.registrar.knows(user):
		return call.Next{Kind: call.Wait, Agent: user, Once: true}, call.CauseNone
	case slices.Contains(u.plan().queues, user):
		return call.Next{Kind: call.Wait, Queue: user}, call.CauseNone
	}
	if at, ok := u.code(user); ok {
		return at, call.CauseNone
	}
	if at, ok := u.agentRoute(from, user); ok {
		return at, call.CauseNone
	}
	if u.plan().dials.find(user) != nil {
		return call.Next{Kind: call.Dial, Number: user}, call.CauseNone
	}
	return call.Next{}, call.CauseNotFound
}

// knows tells whether an agent has that id.
func (r *registrar) knows(id string) bool {
	_, ok := r.directory.Load().accounts[id]
	return ok
}
