package chaos

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Timers of RFC 3261 section 17.
const (
	t1     = 500 * time.Millisecond
	t2     = 4 * time.Second
	giveUp = 64 * t1
)

// endpoint is a UDP socket with the transactions on it. Its mutex guards them, and all that belongs to the phone or the
// callers on it: handlers and timers run under it.
type endpoint struct {
	conn    *net.UDPConn
	self    netip.AddrPort
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	clients map[string]*client
	servers map[string]*server
	// request takes a new request; an ACK has no transaction to answer by.
	request func(m *message, s *server)
	// stray takes a response that belongs to no transaction any more.
	stray func(m *message)
}

// newEndpoint opens a socket on loopback; it is closed with the test.
func newEndpoint(tb testing.TB) *endpoint {
	tb.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatalf("open a UDP socket: %v", err)
	}
	_ = conn.SetReadBuffer(1 << 20) // less will do
	e := &endpoint{
		conn: conn, self: addrOf(conn), clients: make(map[string]*client), servers: make(map[string]*server),
		request: func(*message, *server) {}, stray: func(*message) {},
	}
	e.running.Go(e.read)
	tb.Cleanup(e.close)
	return e
}

func addrOf(c *net.UDPConn) netip.AddrPort {
	a := c.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func (e *endpoint) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	_ = e.conn.Close() // what is under way is of no use to anybody
	e.running.Wait()
}

// do runs f under the mutex.
func (e *endpoint) do(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		f()
	}
}

// after runs f under the mutex later, unless it is stopped.
func (e *endpoint) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() { e.do(f) })
}

func (e *endpoint) read() {
	datagram := make([]byte, 1<<16)
	for {
		n, from, err := e.conn.ReadFromUDPAddrPort(datagram)
		if err != nil {
			return // closed
		}
		m, err := parse(datagram[:n])
		if err != nil {
			continue // garbage is dropped (section 18.3)
		}
		e.do(func() { e.take(m, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())) })
	}
}

// send sends; an error is a lost datagram.
func (e *endpoint) send(text []byte, to netip.AddrPort) { _, _ = e.conn.WriteToUDPAddrPort(text, to) }

func (e *endpoint) take(m *message, from netip.AddrPort) {
	if m.status > 0 {
		if c := e.clients[m.branch()+m.method]; c != nil {
			c.take(m)
		} else {
			e.stray(m)
		}
		return
	}
	key := m.branch() + m.method
	if m.method == ack {
		key = m.branch() + invite
	}
	s := e.servers[key]
	switch {
	case s != nil && m.method == ack:
		s.acked = true
		s.stop()
	case s != nil && s.last != nil:
		e.send(s.last, s.from)
	case s != nil:
	case m.method == ack:
		e.request(m, nil)
	default:
		s = &server{e: e, from: from, m: m}
		e.servers[key] = s
		e.after(2*giveUp, func() { delete(e.servers, key); s.stop() })
		e.request(m, s)
	}
}

// server is a transaction of a request that came.
type server struct {
	e      *endpoint
	from   netip.AddrPort
	m      *message
	last   []byte // the last response
	status int
	acked  bool
	again  *time.Timer
}

// answer sends a response, again and again if it is a final one to an INVITE: until the ACK, or settle.
func (s *server) answer(r *message) {
	if s.status >= 200 {
		return
	}
	s.last, s.status = r.text(), r.status
	s.e.send(s.last, s.from)
	if s.m.method == invite && r.status >= 200 {
		s.repeat(t1, time.Now().Add(giveUp))
	}
}

func (s *server) repeat(wait time.Duration, until time.Time) {
	s.again = s.e.after(wait, func() {
		if s.acked || time.Now().After(until) {
			return
		}
		s.e.send(s.last, s.from)
		s.repeat(min(2*wait, t2), until)
	})
}

// stop ends the repeating.
func (s *server) stop() {
	if s.again != nil {
		s.again.Stop()
	}
}

// client is a transaction of a request of ours.
type client struct {
	e     *endpoint
	m     *message
	to    netip.AddrPort
	key   string
	began time.Time
	limit time.Duration
	heard func(r *message) // nil: nothing came in time
	again *time.Timer
	// provisional: something came; final: the last word did.
	provisional, final bool
}

// ask sends a request, and again until it is answered. heard is told each response, and nil if none came within limit (for an
// INVITE: no response at all). The topmost Via is added here.
func (e *endpoint) ask(m *message, to netip.AddrPort, branch string, limit time.Duration, heard func(r *message)) {
	m.headers = append([]header{{"via", fmt.Sprintf("SIP/2.0/UDP %s;branch=%s;rport", e.self, branch)}, {"max-forwards", "70"}}, m.headers...)
	c := &client{e: e, m: m, to: to, key: branch + m.method, began: time.Now(), limit: limit, heard: heard}
	e.clients[c.key] = c
	e.send(m.text(), to)
	c.repeat(t1)
}

func (c *client) repeat(wait time.Duration) {
	left := c.limit - time.Since(c.began)
	c.again = c.e.after(min(wait, max(left, 0)), func() {
		switch {
		case c.final || c.provisional && c.m.method == invite:
		case time.Since(c.began) >= c.limit:
			c.final = true
			c.forget()
			c.heard(nil)
		default:
			c.e.send(c.m.text(), c.to)
			if wait *= 2; c.m.method != invite {
				wait = min(wait, t2)
			}
			c.repeat(wait)
		}
	})
}

// forget drops the transaction a while after its end: responses are repeated.
func (c *client) forget() { c.e.after(giveUp, func() { delete(c.e.clients, c.key) }) }

func (c *client) take(r *message) {
	switch {
	case r.status < 200:
		c.provisional = true
	case c.m.method == invite && r.status >= 300:
		a := &message{method: ack, uri: c.m.uri}
		for _, h := range c.m.headers {
			switch h.name {
			case "via", "max-forwards", "from", "call-id", "route":
				a.headers = append(a.headers, h)
			}
		}
		a.headers = append(a.headers, header{"to", r.get("to")}, header{"cseq", fmt.Sprintf("%d ACK", c.m.seq())})
		c.e.send(a.text(), c.to)
	}
	repeated := c.final
	if r.status >= 200 && !c.final {
		c.final = true
		c.again.Stop()
		c.forget()
	}
	// A 2xx to an INVITE is acknowledged each time that it comes, and what comes after all to one that was given up is
	// undone: by whoever asked.
	if !repeated || c.m.method == invite && r.status < 300 {
		c.heard(r)
	}
}

// dialog is a call's (RFC 3261 section 12).
type dialog struct {
	e             *endpoint
	id            string
	ours, theirs  string // From or To of either side, tag included
	target        string
	routes        []string
	seq           int
	acknowledging []byte // the ACK of our INVITE's 2xx
	acknowledged  netip.AddrPort
}

// request is the next request within the dialog.
func (d *dialog) request(method string) *message {
	d.seq++
	return d.message(method, d.seq)
}

func (d *dialog) message(method string, seq int) *message {
	m := &message{method: method, uri: d.target, headers: []header{
		{"from", d.ours}, {"to", d.theirs}, {"call-id", d.id}, {"cseq", fmt.Sprintf("%d %s", seq, method)},
	}}
	for _, r := range d.routes {
		m.headers = append(m.headers, header{"route", r})
	}
	return m
}

// hop is where the dialog's requests are sent: all routes here are loose ones.
func (d *dialog) hop() (netip.AddrPort, error) {
	if len(d.routes) > 0 {
		return hostOf(uriOf(d.routes[0]))
	}
	return hostOf(d.target)
}

// bye hangs up; told hears the final status, 0 for none.
func (d *dialog) bye(told func(status int)) {
	to, err := d.hop()
	if err != nil {
		told(0)
		return
	}
	d.e.ask(d.request(bye), to, "z9hG4bK"+token(), giveUp, func(r *message) {
		switch {
		case r == nil:
			told(0)
		case r.status >= 200:
			told(r.status)
		}
	})
}
