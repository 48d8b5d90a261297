package sip

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// The edge's proxy (RFC 3261 section 16) between other nodes, who come to the site's door, and the phones registered here. It
// keeps the state of each leg, for the gate and so that it can end one whose owner is dead; and of transactions so much:
// between two sides over UDP each end repeats what is lost, and every repetition passes, so that there is no timer here that
// could differ from theirs, and no response but the phone's own. Where the phone is behind TCP, which repeats nothing, the
// proxy does it in its place.
//
//	leg       | begins with                       | and ends with
//	offered   | an INVITE that the gate admits    | its final response
//	talking   | its 2xx, or when it is adopted    | the phone's BYE, the answer to the owner's, or 64·T1 after that
//	ending    | [UA.End], or no answer in time    | the answer to the CANCEL's INVITE, or to the BYE, or 64·T1
//	over      | any of those ends                 | 64·T1, and until its owner has answered the phone's BYE, or 600·T1: what
//	          |                                   | is repeated meanwhile is still passed
//
// Messages for it are known by the user of a Route, or the branch of a Via, that it has given out for the leg alone: a
// random key, which nobody has but those on the way. They are taken before sipgo sees them, on the goroutine that
// reads the socket, so they pass in order.

// relayMark begins what the proxy's messages are known by.
const relayMark = "hlr-"

// relays are the legs that pass through here. Lock order: relays.mu, relay.mu, registrar.mu.
type relays struct {
	u    *UA
	live atomic.Int64 // how many are in the tables

	mu     sync.Mutex
	byKey  map[string]*relay
	byCall map[string]*relay // by Call-ID
}

func newRelays(u *UA) *relays {
	return &relays{u: u, byKey: make(map[string]*relay), byCall: make(map[string]*relay)}
}

// way is how a message is sent, or came: like a flow, without a contact.
type way struct {
	transport  string
	peer, ours netip.AddrPort
}

func wayOf(f flow) way { return way{transport: f.transport, peer: f.source, ours: f.local} }

func (w way) hop() hop { return hop{transport: w.transport, dest: w.peer.String(), ours: w.ours} }

// put sends a message as it is. Errors: the socket's; net.ErrClosed when there is none.
func (u *UA) put(w way, data []byte) error {
	if reliable(w.transport) {
		c := u.conns.of(w.transport, w.peer)
		if c == nil {
			return fmt.Errorf("send to %s: %w", w.peer, net.ErrClosed)
		}
		return c.writeSoon(data)
	}
	for _, l := range u.listeners {
		if l.packet != nil && l.bound == w.ours {
			u.ladder.passed(crossing{data: data, at: time.Now(), transport: transportUDP, local: w.ours, remote: w.peer})
			_, err := l.packet.WriteTo(data, net.UDPAddrFromAddrPort(w.peer))
			return err
		}
	}
	return fmt.Errorf("send from %s: %w", w.ours, net.ErrClosed)
}

// relay is one leg between an owner and a phone.
type relay struct {
	rs            *relays
	key           string
	agent, dialog string         // dialog is the Call-ID
	owner         netip.AddrPort // where its node is
	from, to      string         // of the INVITE; from with its tag, to without
	adopted       bool           // it began at another edge, which is dead

	mu     sync.Mutex // guards what follows
	phone  way        // where the phone was last known to be
	until  time.Time  // from when on the INVITE may not leave
	invite *relayTx   // the INVITE that offers the leg; nil once it has its final response
	asked  *relayTx   // that, also afterwards
	// What the 2xx told, for the requests that the edge makes by itself.
	answered bool
	tag      string   // the phone's
	routes   []string // from here to the phone, as they stand in Route headers
	at       [2]string
	seq      [2]uint32 // the highest CSeq that passed, by direction
	ending   bool
	byed     bool // the edge's own BYE went to the phone
	over     bool
	txs      map[string]*relayTx
	limit    *time.Timer // of what is under way: an offer without an answer, a BYE without one, or the memory of a leg that is over
}

// The directions in which requests pass.
const (
	toPhone = iota
	toOwner
)

// relayTx is one transaction that passes, or that the edge itself has with one side.
type relayTx struct {
	method string
	seq    uint32
	to     int
	branch string
	target string // Request-URI as it went on
	via    string // ours
	out    []byte // the request, as it went on
	sent   bool
	back   way    // where its responses go
	last   []byte // the last of them; nil before the first
	heard  bool   // some response came
	final  bool
	began  time.Time
	// own, if not nil, is given the final response instead: the request is the edge's. It is called with relay.mu.
	own func(status int)
	// answer is what the edge answers by itself, should the far end not.
	answer []byte
	stop   chan struct{} // closed when nothing is to be repeated any more; nil when nothing is
}

func (x *relayTx) stopped() {
	if x.stop != nil {
		close(x.stop)
		x.stop = nil
	}
}

// takes takes a message that is for the proxy; false for any other, which is then left as it is.
func (rs *relays) takes(data []byte, from way) (taken bool) {
	nodes := from.ours == rs.u.site.door.bound && !reliable(from.transport)
	if !nodes && (rs.live.Load() == 0 || !bytes.Contains(data, []byte(relayMark))) {
		return false
	}
	defer rs.u.contain("relay", func() { taken = true })
	p, ok := packetOf(string(data))
	if !ok {
		return false
	}
	method, status := p.method()
	if status != 0 {
		branch := paramIn(p.get(nameVia), "branch")
		key, ours := strings.CutPrefix(branch, sipmsg.RFC3261BranchMagicCookie+"-"+relayMark)
		if !ours {
			return false
		}
		key, _, _ = strings.Cut(key, "-")
		if r := rs.of(key); r != nil {
			r.response(p, branch, method, status, from, nodes)
		} else {
			rs.u.metrics.drop(dropStray)
		}
		return true
	}
	if key, ours := p.routedBy(); ours {
		rs.routed(p, key, method, from, nodes)
		return true
	}
	if nodes && p.index(strings.ToLower(headerLeg)) >= 0 {
		rs.adopted(p, method, from)
		return true
	}
	return nodes && rs.offered(p, method, from)
}

func (rs *relays) of(key string) *relay {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.byKey[key]
}

// with finds the leg of a Call-ID.
func (rs *relays) with(dialog string) *relay {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.byCall[dialog]
}

// routedBy takes the routes off a request that lead through here, and returns the key that they bear. A phone that
// routes strictly has put ours in the Request-URI, and its target behind the others (RFC 3261 section 16.4).
func (p *packet) routedBy() (key string, ours bool) {
	if key, ours = strings.CutPrefix(userIn(p.target()), relayMark); ours {
		last := -1
		for i, h := range p.headers {
			if h.key == nameRoute {
				last = i
			}
		}
		if last < 0 {
			return key, true
		}
		p.retarget(uriIn(p.headers[last].value))
		p.headers = append(p.headers[:last], p.headers[last+1:]...)
	}
	for {
		k, leads := strings.CutPrefix(userIn(uriIn(p.get(nameRoute))), relayMark)
		if !leads || ours && k != key {
			return key, ours
		}
		key, ours = k, true
		p.pop(nameRoute)
	}
}

func (rs *relays) digest(parts ...string) string {
	sum := sha256.Sum256([]byte(string(rs.u.tagKey[:]) + strings.Join(parts, "\x00")))
	const length = 10 // octets
	return hex.EncodeToString(sum[:length])
}

// branchOf is the branch that a request of others goes on with: the same for all its repetitions, its CANCEL, and the
// ACK of its refusal (RFC 3261 section 16.11).
func (r *relay) branchOf(p *packet) string {
	via := p.get(nameVia)
	branch := paramIn(via, "branch")
	seq, _ := p.cseq()
	return sipmsg.RFC3261BranchMagicCookie + "-" + relayMark + r.key + "-" + r.rs.digest(branch, sentBy(via), fmt.Sprint(seq))
}

// sentBy is the host:port of a Via.
func sentBy(via string) string {
	via, _, _ = strings.Cut(via, ";")
	parts := strings.Fields(via)
	if len(parts) < 2 { //nolint:mnd // sketch has judged it
		return ""
	}
	return strings.Join(parts[1:], "")
}

// passed tells whether an INVITE has passed before.
func (r *relay) passed(p *packet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.txs[r.branchOf(p)+" "+string(sipmsg.INVITE)] != nil
}

// forget takes a leg that is over out of the tables.
func (rs *relays) forget(r *relay) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over || rs.byKey[r.key] != r {
		return // it was offered again meanwhile
	}
	for _, x := range r.txs {
		if x.answer != nil && x.stop != nil { // its owner is still being told that it is over
			r.forgetLater()
			return
		}
	}
	for _, x := range r.txs {
		x.stopped()
	}
	delete(rs.byKey, r.key)
	delete(rs.byCall, r.dialog)
	rs.live.Add(-1)
}

// close stops what waits.
func (rs *relays) close() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.byKey {
		r.mu.Lock()
		if r.limit != nil {
			r.limit.Stop()
		}
		for _, x := range r.txs {
			x.stopped()
		}
		r.mu.Unlock()
	}
}

// relayedDatagram takes a datagram that is for the proxy.
func (u *UA) relayedDatagram(data []byte, src netip.AddrPort, local net.Addr) bool {
	ours, _ := addrPortOf(local)
	return u.relayed(data, way{transport: transportUDP, peer: unmap(src), ours: ours})
}
