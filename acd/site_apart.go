package acd

import (
	"go.uber.org/zap"

	"hotline/call"
)

// maxApart is how many facts are kept at most of agents and queues that this node does not know: those beyond are lost
// to it until the site is read whole again.
const maxApart = 20_000

// apartKey is what a fact set apart is known by: its kind, whose it is, and of what.
type apartKey struct{ kind, owner, of string }

// setApart keeps a fact of an agent or a queue that this node does not know, for a reload may make it known: nodes are not
// given their settings all in one instant.
func (s *siteDesk) setApart(f call.SiteFact) {
	var key apartKey
	switch {
	case f.Flow != nil:
		key = apartKey{"flow", "", f.Flow.Agent}
	case f.Caller != nil:
		key = apartKey{"caller", f.Caller.Owner.Process(), f.Caller.Call}
	case f.Claim != nil:
		key = apartKey{"claim", "", f.Claim.Agent}
		claim := *f.Claim
		f.Claim = &claim
	case f.Shift != nil:
		key = apartKey{"shift", "", f.Shift.Agent}
	default:
		return
	}
	if _, there := s.apart[key]; there || len(s.apart) < maxApart {
		s.apart[key] = f
	}
}

// flowGoneApart, restApart, clearApart and buryApart keep what was set apart true.
func (s *siteDesk) flowGoneApart(f *call.SiteFlow) {
	key := apartKey{"flow", "", f.Agent}
	if kept, there := s.apart[key]; there && kept.Flow.Edge.Process() == f.Edge.Process() {
		delete(s.apart, key)
	}
}

func (s *siteDesk) restApart(r *call.SiteRest) {
	s.clearApart(&call.SiteClaim{Agent: r.Agent, Token: r.Token})
}

func (s *siteDesk) clearApart(f *call.SiteClaim) {
	key := apartKey{"claim", "", f.Agent}
	if kept, there := s.apart[key]; there && kept.Claim.Token.Compare(f.Token) <= 0 {
		delete(s.apart, key)
	}
}

func (s *siteDesk) buryApart(id call.NodeID) {
	for key, f := range s.apart {
		switch {
		case f.Flow != nil && f.Flow.Edge == id, f.Caller != nil && f.Caller.Owner == id:
			delete(s.apart, key)
		case f.Claim != nil && f.Claim.Owner == id:
			f.Claim.Orphan = true
		}
	}
}

// retryApart takes in what was set apart, after other agents and queues are known; what still cannot be is kept.
func (d *desk) retryApart() {
	if d.site == nil || len(d.site.apart) == 0 {
		return
	}
	apart := d.site.apart
	d.site.apart = make(map[apartKey]call.SiteFact, len(apart))
	for _, f := range apart {
		d.learnFact(&f, nil)
	}
	d.o.Logger.Info("facts of the site that this node did not know of before",
		zap.Int("known now", len(apart)-len(d.site.apart)), zap.Int("unknown still", len(d.site.apart)))
}
