package testkit

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Way is the direction in which a message passes a Relay.
type Way string

// The directions.
const (
	ToHotline Way = "to the hotline"
	ToPhone   Way = "to the phone"
)

// Rule says what a Relay does to messages.
type Rule struct {
	// Way and Kind pick messages; empty is any.
	Way  Way
	Kind Kind
	// Drop, if not nil, is asked for each copy of a message, from 1 on, whether it is lost. Copies are
	// what a retransmission repeats: the same request of one transaction, the same status to it.
	Drop func(copy int) bool
	// Twice sends each message a second time, right behind the first.
	Twice bool
	// Swap holds a message back until the next one in its direction has passed, at most for Hold.
	Swap bool
	Hold time.Duration
	// Delay, if not nil, is how long a message is on its way. It is asked by two goroutines.
	Delay func() time.Duration
}

// First loses the first n copies of each message.
func First(n int) func(copy int) bool { return func(copy int) bool { return copy <= n } }

// EverySecond loses the first copy, the third, and so on: the one that is sent for sure, and of those that
// follow it one of two.
func EverySecond(copy int) bool { return copy%2 == 1 }

// Relay is a bad network between one phone and a hotline: UDP datagrams, delivered, lost, late, doubled or
// out of order as its rules say. The phone sends to Inner, and gives Outer as its own address, which is
// what the hotline sees; so each phone with a relay is a host of its own to the hotline.
//
// Its methods may be called from any goroutine.
type Relay struct {
	outer, inner *net.UDPConn
	hotline      netip.AddrPort
	running      sync.WaitGroup
	closed       chan struct{}

	mu    sync.Mutex
	phone netip.AddrPort // where the last message from inside came from
	// settled: phone is known, and nobody else is it.
	settled bool
	rules   []Rule
	copies  map[string]int      // by way and message
	within  map[string]struct{} // re-INVITEs, by Call-ID, CSeq and way
	held    map[Way][]byte      // by Swap
	hits    int
	story   []string
}

// StartRelay opens a relay to a hotline's host:port, and closes it with the test. The hotline sees it at
// from, host:port of loopback, port 0 for a free one: hosts by which it knows a trunk should be no phones'.
func StartRelay(tb testing.TB, hotline, from string) *Relay {
	tb.Helper()
	return startRelay(tb, hotline, from, loopback)
}

// startRelay is StartRelay where the phone sends to an address of its own.
func startRelay(tb testing.TB, hotline, from, inner string) *Relay {
	tb.Helper()
	to, err := netip.ParseAddrPort(hotline)
	if err != nil {
		tb.Fatalf("relay to %s: %v", hotline, err)
	}
	r := &Relay{hotline: to, closed: make(chan struct{})}
	r.Obey()
	r.outer, r.inner = openUDP(tb, from), openUDP(tb, inner)
	r.running.Go(func() { r.pump(r.inner, ToHotline) })
	r.running.Go(func() { r.pump(r.outer, ToPhone) })
	tb.Cleanup(r.close)
	return r
}

// loopback is any port where tests are.
const loopback = "127.0.0.1:0"

// openUDP opens a socket on host:port. The caller closes it.
func openUDP(tb testing.TB, address string) *net.UDPConn {
	tb.Helper()
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		tb.Fatalf("open a UDP socket: %v", err)
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		tb.Fatalf("open a UDP socket: %v", err)
	}
	return conn
}

func (r *Relay) close() {
	close(r.closed)
	_ = r.outer.Close() // what is under way is lost, as on a network
	_ = r.inner.Close()
	r.running.Wait()
}

// knows tells the relay of a phone that may be called before it has sent anything.
func (r *Relay) knows(phone netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phone, r.settled = phone, true
}

// Inner is where the phone sends to; Outer is its address to the world.
func (r *Relay) Inner() netip.AddrPort { return addrOf(r.inner) }

// Outer is the phone's address as the hotline sees it.
func (r *Relay) Outer() netip.AddrPort { return addrOf(r.outer) }

func addrOf(c *net.UDPConn) netip.AddrPort {
	return c.LocalAddr().(*net.UDPAddr).AddrPort() // a UDP socket's is one
}

// Obey puts rules in place of those before, and begins the counts and the story anew. A message obeys the
// first rule that picks it.
func (r *Relay) Obey(rules ...Rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules, r.hits, r.story = rules, 0, nil
	r.copies, r.within, r.held = make(map[string]int), make(map[string]struct{}), make(map[Way][]byte)
}

// Hits is how often a rule made a difference: what was lost, doubled, delayed or held back.
func (r *Relay) Hits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hits
}

// Story is what passed and what became of it, line by line, for whoever must find out what went wrong.
func (r *Relay) Story() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.story, "\n")
}

// pump carries what comes on one socket to the other side, until the socket is closed.
func (r *Relay) pump(from *net.UDPConn, way Way) {
	datagram := make([]byte, 1<<16)
	for {
		n, source, err := from.ReadFromUDPAddrPort(datagram)
		if err != nil {
			return // closed
		}
		if n > 0 {
			r.carry(way, source, append([]byte(nil), datagram[:n]...))
		}
	}
}

// carry decides what becomes of a datagram.
func (r *Relay) carry(way Way, source netip.AddrPort, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, id := r.look(way, data)
	if way == ToHotline && kind != "" { // somebody's stray datagram may come too
		if r.settled && source != r.phone {
			r.note(way, kind, 0, "from a stranger at "+source.String()+":"+id)
			return // the port was another's before, to whom somebody still sends
		}
		r.phone = source
	}
	rule := r.ruleOf(way, kind)
	key := string(way) + id
	r.copies[key]++
	turn := r.copies[key]
	switch {
	case rule.Drop != nil && rule.Drop(turn):
		r.tell(way, kind, turn, "lost")
	case rule.Delay != nil:
		late := rule.Delay()
		r.tell(way, kind, turn, "late by "+late.String())
		r.after(late, func() { r.send(way, data) })
	case rule.Swap && r.held[way] == nil:
		r.tell(way, kind, turn, "held back")
		r.held[way] = data
		r.after(rule.Hold, func() { r.release(way, data) })
	default:
		if rule.Twice {
			r.tell(way, kind, turn, "twice")
			r.send(way, data)
		} else {
			r.note(way, kind, turn, "")
		}
		r.send(way, data)
		if first := r.held[way]; first != nil {
			r.release(way, first)
		}
	}
}

// ruleOf is the rule that picks a message, or one that does nothing.
func (r *Relay) ruleOf(way Way, kind Kind) Rule {
	for _, rule := range r.rules {
		if (rule.Way == "" || rule.Way == way) && (rule.Kind == "" || rule.Kind == kind) {
			return rule
		}
	}
	return Rule{}
}

// release sends what was held back, unless it has been. The caller holds r.mu.
func (r *Relay) release(way Way, data []byte) {
	if held := r.held[way]; held != nil && &held[0] == &data[0] {
		r.held[way] = nil
		r.send(way, data)
	}
}

// after runs f in a while, under the lock, unless the relay is closed before.
func (r *Relay) after(d time.Duration, f func()) {
	r.running.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-r.closed:
		case <-t.C:
			r.mu.Lock()
			defer r.mu.Unlock()
			f()
		}
	})
}

// send delivers. An error is a lost datagram. The caller holds r.mu.
func (r *Relay) send(way Way, data []byte) {
	if way == ToHotline {
		_, _ = r.outer.WriteToUDPAddrPort(data, r.hotline)
	} else if r.phone.IsValid() {
		_, _ = r.inner.WriteToUDPAddrPort(data, r.phone)
	}
}

// tell notes a hit.
func (r *Relay) tell(way Way, kind Kind, turn int, fate string) {
	r.hits++
	r.note(way, kind, turn, fate)
}

func (r *Relay) note(way Way, kind Kind, turn int, fate string) {
	const most = 500 // of a cell that went wrong; the beginning tells why
	if len(r.story) < most {
		r.story = append(r.story, fmt.Sprintf("%s %-14s %-16s %d %s",
			time.Now().Format("05.000"), way, kind, turn, fate))
	}
}
