package site

import (
	"cmp"
	"time"

	"hotline/call"
)

// face is what others may ask at any time, whatever locks they hold.
type face struct {
	self   call.NodeID
	lease  time.Time
	others int
}

// publish brings the face up to date. It needs mu.
func (m *Member) publish() {
	m.face.Store(&face{self: m.node.ID, lease: m.leaseEnd, others: len(m.others())})
}

// Self is this node's id now, PROCESS.0 before it entered the book for the first time. It takes no lock.
func (m *Member) Self() call.NodeID { return m.face.Load().self }

// Lease is until when this node's lease lasts, by its own monotonic clock; zero where it has none. It takes no lock. INVITEs
// of other nodes are to be admitted only before: a node that was stopped for longer may hold flows of phones that are
// registered elsewhere by now.
func (m *Member) Lease() time.Time { return m.face.Load().lease }

// Others is how many other nodes live, as far as is known, those that drain among them. It takes no lock.
func (m *Member) Others() int { return m.face.Load().others }

// MovesOn reports whether there is another node to which phones may go; whether it takes calls, only that node says. It takes no
// lock.
func (m *Member) MovesOn() bool { return m.Others() > 0 }

// Status is how this node stands to its site, for those who run it. It has no telephone numbers.
type Status struct {
	State call.SiteState `json:"state"`
	Since time.Time      `json:"since"`
	Self  call.NodeID    `json:"self"`
	Epoch uint64         `json:"epoch"`
	// Nodes are those that live as far as is known, this one among them, by name.
	Nodes []Node `json:"nodes"`
	// Unheard are those that live and do not answer this one, Namesakes those that have its name, and since when: both for
	// more than 10 s.
	Unheard   map[call.NodeID]time.Time `json:"unheard,omitempty"`
	Namesakes map[call.NodeID]time.Time `json:"namesakes,omitempty"`
	// Heard is when the book last answered, LeaseUntil when the lease ends, Clock by how much the book's instants may be
	// wrong here, at most.
	Heard      time.Time     `json:"heard"`
	LeaseUntil time.Time     `json:"lease_until,omitzero"`
	Clock      time.Duration `json:"clock_ns"`
	// Pending is how much is to be written into the book yet.
	Pending int `json:"pending"`
	// Held are phones here that are not rung yet, since other nodes are still to tell of them; Doubts those that were
	// rung without all having told; Abandoned the claims given up without being sure that the phone was free.
	Held      int    `json:"held"`
	Doubts    uint64 `json:"doubts"`
	Abandoned uint64 `json:"abandoned"`
	// Flows, Claims, Orphans and Callers are what the whole site has.
	Flows   int `json:"flows"`
	Claims  int `json:"claims"`
	Orphans int `json:"orphans"`
	Callers int `json:"callers"`
}

// Status is a snapshot.
func (m *Member) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	return Status{
		Unheard: m.troubled(m.troubles.unheard, now), Namesakes: m.troubled(m.troubles.namesakes, now),
		State: m.shown(), Since: m.since, Self: m.node.ID, Epoch: m.lease.Epoch, Nodes: sortedNodes(m.view.nodes),
		Heard: m.heard, LeaseUntil: m.leaseEnd, Clock: m.clock.margin(), Pending: m.out.size(),
		Held: len(m.arrivals.held), Doubts: m.doubts, Abandoned: m.abandoned,
		Flows: len(m.view.flows), Claims: len(m.view.claims), Orphans: len(m.view.orphans), Callers: len(m.view.callers),
	}
}

// shown is the state as people are told it. It needs mu.
func (m *Member) shown() call.SiteState {
	if m.state == call.SiteJoined && len(m.others()) == 0 {
		return call.SiteSole
	}
	return m.state
}

func compareNodes(a, b Node) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) }
