package testkit

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// PhoneOptions say what phone to start.
type PhoneOptions struct {
	// User is its number, or an agent's id; Password is an agent's.
	User, Password string
	// Hotline is host:port of SIP.
	Hotline string
	// Host is the address that it is at, of 127.0.0.0/8; empty is 127.0.0.1. A Relay knows phones there alone.
	Host string
	// Relay, if not nil, is what all its messages pass.
	Relay *Relay
	// T1 is the round-trip estimate behind all its timers (RFC 3261 section 17.1.1.1); T2 and T4 keep
	// their ratio to it. Default 500 ms.
	T1 time.Duration
	// Session, if not 0, is how long a session lasts without a refresh, which it leaves to the hotline
	// (RFC 4028): at least 90 s, of which a refresh takes half. Updates: by UPDATE (RFC 3311), not re-INVITE.
	Session time.Duration
	Updates bool
	// Reliable: it sends its 180 reliably to whoever supports that, and asks for it when it calls
	// (Require: 100rel, RFC 3262).
	Reliable bool
}

// Phone is a telephone written from the RFCs for tests, over UDP: it shares no code with the hotline but
// the parser of messages, so that a mistake is not on both sides of the wire. It sends no RTP, and hears
// none: a test may, see PhoneCall.Audio. It rings until the test answers.
//
// One goroutine owns its transactions and calls; methods hand it what to do and may be called from any
// other. Nothing that it was sent is forgotten before the test's end.
type Phone struct {
	tb      testing.TB
	o       PhoneOptions
	conn    *net.UDPConn
	audio   [2]*net.UDPConn // where RTP and RTCP may come
	self    netip.AddrPort
	next    netip.AddrPort // where all is sent
	running sync.WaitGroup
	closed  chan struct{}
	heard   chan sipmsg.Message
	acts    chan func()
	changed chan struct{} // closed and replaced when a call or registration changed; the owner's

	alarms   []*alarm
	requests map[string]*request // ours, by branch and method
	served   map[string]*served  // theirs, likewise
	calls    []*PhoneCall
	sequence uint32 // of REGISTER
	regCall  string
	granted  int // the last final status to a REGISTER
}

// StartPhone opens a phone's sockets; they are closed with the test.
func StartPhone(tb testing.TB, o PhoneOptions) *Phone {
	tb.Helper()
	if o.T1 == 0 {
		o.T1 = 500 * time.Millisecond
	}
	o.Host = orElse(o.Host, localhost)
	p := &Phone{
		tb: tb, o: o, conn: openUDP(tb, o.Host+":0"), audio: openPair(tb, o.Host), regCall: newToken(),
		closed: make(chan struct{}), heard: make(chan sipmsg.Message), acts: make(chan func()),
		changed: make(chan struct{}), requests: make(map[string]*request), served: make(map[string]*served),
	}
	p.self = addrOf(p.conn)
	if o.Relay != nil {
		p.self, p.next = o.Relay.Outer(), o.Relay.Inner()
		o.Relay.knows(addrOf(p.conn))
	} else {
		to, err := netip.ParseAddrPort(o.Hotline)
		if err != nil {
			tb.Fatalf("phone to %s: %v", o.Hotline, err)
		}
		p.next = to
	}
	p.running.Go(p.read)
	p.running.Go(p.live)
	tb.Cleanup(p.close)
	return p
}

func (p *Phone) close() {
	close(p.closed)
	_ = p.conn.Close() // what is under way is of no use to anybody
	for _, c := range p.audio {
		_ = c.Close()
	}
	p.running.Wait()
}

// openPair opens two sockets of an address, on an even port and the next (RFC 3550 section 11): what the
// hotline sends to the second must not reach somebody else.
func openPair(tb testing.TB, host string) [2]*net.UDPConn {
	tb.Helper()
	for range 1000 {
		first := openUDP(tb, host+":0")
		port := addrOf(first).Port()
		if port%2 == 0 {
			if second, err := net.ListenUDP("udp4", &net.UDPAddr{IP: addrOf(first).Addr().AsSlice(), Port: int(port) + 1}); err == nil {
				return [2]*net.UDPConn{first, second}
			}
		}
		if err := first.Close(); err != nil {
			tb.Fatalf("close a UDP socket: %v", err)
		}
	}
	tb.Fatalf("no two free ports in a row")
	return [2]*net.UDPConn{}
}

// read hands what parses to the owner.
func (p *Phone) read() {
	datagram := make([]byte, 1<<16)
	for {
		n, err := p.conn.Read(datagram)
		if err != nil {
			return // closed
		}
		msg, err := sipmsg.NewParser().ParseSIP(append([]byte(nil), datagram[:n]...))
		if err != nil {
			continue // garbage is dropped (RFC 3261 section 18.3)
		}
		select {
		case p.heard <- msg:
		case <-p.closed:
			return
		}
	}
}

// live is the owner.
func (p *Phone) live() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.untilAlarm())
		select {
		case f := <-p.acts:
			f()
		case msg := <-p.heard:
			p.receive(msg)
		case <-timer.C:
			p.ring()
		case <-p.closed:
			return
		}
	}
}

// do has the owner run f, and waits for it.
func (p *Phone) do(f func()) {
	done := make(chan struct{})
	select {
	case p.acts <- func() { defer close(done); f() }:
		<-done
	case <-p.closed:
	}
}

// tell says that something changed that a test may wait for.
func (p *Phone) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until f, which the owner runs, is true; false when it is not within limit.
func (p *Phone) await(limit time.Duration, f func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		var ok bool
		var more chan struct{}
		p.do(func() { ok, more = f(), p.changed })
		if ok {
			return true
		}
		select {
		case <-more:
		case <-deadline.C:
			return false
		case <-p.closed:
			return false
		}
	}
}

// send sends a message. An error is a lost datagram, which SIP over UDP lives with.
func (p *Phone) send(text []byte) { _, _ = p.conn.WriteToUDPAddrPort(text, p.next) }

// alarm is something that the owner does later: once, or again and again at doubling intervals.
type alarm struct {
	at    time.Time
	every time.Duration // 0: once
	most  time.Duration // what every grows to; 0 is no bound
	f     func()
	off   bool
}

// later has f run once, after d.
func (p *Phone) later(d time.Duration, f func()) *alarm {
	a := &alarm{at: time.Now().Add(d), f: f}
	p.alarms = append(p.alarms, a)
	return a
}

// repeat has f run after T1, and at intervals that double, up to most, until stopped.
func (p *Phone) repeat(most time.Duration, f func()) *alarm {
	a := p.later(p.o.T1, f)
	a.every, a.most = p.o.T1, most
	return a
}

// stop ends an alarm, which may be nil.
func (a *alarm) stop() {
	if a != nil {
		a.off = true
	}
}

func (p *Phone) untilAlarm() time.Duration {
	p.alarms = slices.DeleteFunc(p.alarms, func(a *alarm) bool { return a.off })
	wait := time.Hour
	for _, a := range p.alarms {
		wait = min(wait, time.Until(a.at))
	}
	return wait
}

// ring runs what is due.
func (p *Phone) ring() {
	now := time.Now()
	for _, a := range slices.Clone(p.alarms) {
		if a.off || a.at.After(now) {
			continue
		}
		if a.every == 0 {
			a.off = true
		} else if a.every *= 2; a.most > 0 {
			a.every = min(a.every, a.most)
		}
		a.at = now.Add(a.every)
		a.f()
	}
}

// t2 is the longest interval between retransmissions of what is no INVITE, and of a 200 to one.
func (p *Phone) t2() time.Duration { return 8 * p.o.T1 }

// giveUp is how long a request, a response to an INVITE or a 2xx is tried.
func (p *Phone) giveUp() time.Duration { return 64 * p.o.T1 }
