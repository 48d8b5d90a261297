package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"hotline/call"
)

// SiteOptions make a user agent the edge of its phones for the other nodes of a site (docs/cluster.md), and have it ring
// phones at other edges. All functions are called from any goroutine and must not block.
type SiteOptions struct {
	// Listen is where INVITEs of other nodes are taken, by UDP; port 0 takes a free one, see [UA.SiteAddr].
	Listen netip.AddrPort
	// Advertise is where other nodes reach that, as in [Listener].
	Advertise netip.AddrPort
	// Secret is common to the site's nodes: at least 32 octets.
	Secret []byte
	// Self is this node's id now.
	Self func() call.NodeID
	// Lease is until when this node's lease lasts, as it reckons itself; zero when it has none. INVITEs of other nodes are
	// admitted only before that: one that waited while this node slept is late.
	Lease func() time.Time
	// MovesOn reports whether there is another node that takes phones. While this one drains, phones then get 503
	// when they register, and go there.
	MovesOn func() bool
	// Expires is how long an offer may ring a phone if nobody takes it back (RFC 3261 section 13.2.1); default 3 min, in whole
	// seconds.
	Expires time.Duration
}

const (
	secretLeast        = 32
	defaultRingExpires = 3 * time.Minute
)

func (o *SiteOptions) check() error {
	switch {
	case len(o.Secret) < secretLeast:
		return fmt.Errorf("the nodes' secret has %d octets: it must have %d or more", len(o.Secret), secretLeast)
	case o.Self == nil || o.Lease == nil || o.MovesOn == nil:
		return errors.New("sip: a site without Self, Lease or MovesOn")
	}
	return nil
}

// site is what a user agent has for the other nodes; nil where there are none.
type site struct {
	o    SiteOptions
	door *listener
	// reading is closed when the door is being read: before that sipgo would send by another socket.
	reading chan struct{}
	relays  *relays
	peers   peers
}

// openSite opens the door for other nodes.
func (u *UA) openSite(o SiteOptions) (*site, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Expires < time.Second {
		o.Expires = defaultRingExpires
	}
	door, err := bind(Listener{Network: networkUDP, Address: o.Listen, Advertise: o.Advertise}, u.conns, nil)
	if err != nil {
		return nil, fmt.Errorf("listen for other nodes on udp %s: %w", o.Listen, err)
	}
	s := &site{
		o: o, door: door, relays: newRelays(u), peers: peers{until: make(map[netip.Addr]time.Time)}, reading: make(chan struct{}),
	}
	door.packet = &firstRead{PacketConn: door.packet, begun: sync.OnceFunc(func() { close(s.reading) })}
	return s, nil
}

// SiteAddr is what is bound for INVITEs of other nodes; the zero value without Options.Site.
func (u *UA) SiteAddr() netip.AddrPort {
	if u.site == nil {
		return netip.AddrPort{}
	}
	return u.site.door.bound
}

// peers are the hosts that were lately shown to be nodes of the site: they are no strangers. It may be used from any
// goroutine; its lock is a leaf.
type peers struct {
	mu    sync.Mutex
	until map[netip.Addr]time.Time
}

const (
	peerFor   = 24 * time.Hour // far longer than a talk lasts in which nothing is said between the two
	peersMost = 1024           // far more than a site has nodes
)

func (p *peers) met(host netip.Addr) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.until[host]; !there && len(p.until) >= peersMost {
		clear(p.until)
	}
	p.until[host] = now.Add(peerFor)
}

func (p *peers) know(host netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.until[host]
	return ok && time.Now().Before(until)
}
