package chaos

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tcpRelay stands before a server, and can be cut as a cable is: what is sent then arrives nowhere and is answered by
// nobody, until it is mended; connections of before are then found broken.
type tcpRelay struct {
	Addr    string
	target  string
	l       net.Listener
	running sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	done  bool
}

func newTCPRelay(tb testing.TB, listen, target string) *tcpRelay {
	tb.Helper()
	l, err := net.Listen("tcp4", listen) //nolint:noctx // closed with the test
	if err != nil {
		tb.Fatalf("relay to %s: %v", target, err)
	}
	r := &tcpRelay{Addr: l.Addr().String(), target: target, l: l, conns: make(map[net.Conn]bool)}
	r.running.Go(r.accept)
	tb.Cleanup(func() {
		_ = l.Close()
		r.mu.Lock()
		r.done = true
		r.drop()
		r.mu.Unlock()
		r.running.Wait()
	})
	return r
}

// drop needs the mutex.
func (r *tcpRelay) drop() {
	for c := range r.conns {
		_ = c.Close()
	}
	clear(r.conns)
}

// Cut cuts; Mend mends.
func (r *tcpRelay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = true
}

// Mend undoes Cut.
func (r *tcpRelay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = false
	r.drop()
}

// isCut is asked before each piece is passed on.
func (r *tcpRelay) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

// keep notes a connection, and reports whether it is to be served.
func (r *tcpRelay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		_ = c.Close()
		return false
	}
	r.conns[c] = true
	return true
}

func (r *tcpRelay) forget(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

func (r *tcpRelay) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return // closed
		}
		if r.keep(c) {
			r.running.Go(func() { r.serve(c) })
		}
	}
}

func (r *tcpRelay) serve(c net.Conn) {
	defer r.forget(c)
	if r.isCut() {
		_, _ = io.Copy(io.Discard, c) // until it is mended, which closes it, or given up
		return
	}
	out, err := net.DialTimeout("tcp4", r.target, 5*time.Second) //nolint:noctx // closed with the test
	if err != nil || !r.keep(out) {
		return
	}
	defer r.forget(out)
	var back sync.WaitGroup
	back.Go(func() {
		r.copy(c, out)
		_ = c.Close()
	})
	r.copy(out, c)
	_ = out.Close()
	back.Wait()
}

// copy passes on what comes; while it is cut, what comes is lost.
func (r *tcpRelay) copy(to, from net.Conn) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 && !r.isCut() {
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// udpRelay stands before a node's listener: whoever sends to it has a socket of their own towards the node, so that answers
// find their way back.
type udpRelay struct {
	Addr    netip.AddrPort
	target  *net.UDPAddr
	conn    *net.UDPConn
	running sync.WaitGroup

	mu   sync.Mutex
	outs map[netip.AddrPort]*net.UDPConn
	lose func(from netip.Addr) bool
	done bool
}

// newUDPRelay starts a relay; lose says whose messages are lost, in either direction, and may be nil.
func newUDPRelay(tb testing.TB, listen, target string, lose func(from netip.Addr) bool) *udpRelay {
	tb.Helper()
	at, err := net.ResolveUDPAddr("udp4", listen)
	require.NoError(tb, err)
	to, err := net.ResolveUDPAddr("udp4", target)
	require.NoError(tb, err)
	conn, err := net.ListenUDP("udp4", at)
	require.NoError(tb, err)
	r := &udpRelay{Addr: addrOf(conn), target: to, conn: conn, outs: make(map[netip.AddrPort]*net.UDPConn), lose: lose}
	r.running.Go(r.forward)
	tb.Cleanup(func() {
		_ = conn.Close()
		r.mu.Lock()
		r.done = true
		for _, c := range r.outs {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.running.Wait()
	})
	return r
}

func (r *udpRelay) lost(from netip.Addr) bool { return r.lose != nil && r.lose(from) }

func (r *udpRelay) forward() {
	piece := make([]byte, 1<<16)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(piece)
		if err != nil {
			return // closed
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if out := r.out(from); out != nil && !r.lost(from.Addr()) {
			_, _ = out.Write(piece[:n]) // a lost datagram
		}
	}
}

// out is the socket of one who sends.
func (r *udpRelay) out(from netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.outs[from]; c != nil || r.done {
		return c
	}
	c, err := net.DialUDP("udp4", nil, r.target)
	if err != nil {
		return nil
	}
	r.outs[from] = c
	r.running.Go(func() {
		piece := make([]byte, 1<<16)
		for {
			n, err := c.Read(piece)
			if err != nil {
				if r.over() {
					return
				}
				continue // nobody is at the port just now (ICMP)
			}
			if !r.lost(from.Addr()) {
				_, _ = r.conn.WriteToUDPAddrPort(piece[:n], from)
			}
		}
	})
	return c
}

func (r *udpRelay) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

func TestRelays(t *testing.T) {
	echo, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // closed below
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	r := newTCPRelay(t, "127.0.0.1:0", echo.Addr().String())
	c, err := net.Dial("tcp4", r.Addr) //nolint:noctx // closed below
	require.NoError(t, err)
	says := func(c net.Conn, patience time.Duration) error {
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write([]byte("hello")); err != nil {
			return err
		}
		_, err := io.ReadFull(c, make([]byte, 5))
		return err
	}
	require.NoError(t, says(c, 20*time.Second))
	r.Cut()
	require.Error(t, says(c, 100*time.Millisecond))
	r.Mend()
	require.Error(t, says(c, 20*time.Second), "a connection of before is broken")
	again, err := net.Dial("tcp4", r.Addr) //nolint:noctx // closed below
	require.NoError(t, err)
	require.NoError(t, says(again, 20*time.Second))
	for _, c := range []io.Closer{c, again, echo} {
		_ = c.Close()
	}
	serving.Wait()

	// One asks, through the relay, and is answered by the other, until it is lost.
	other := newEndpoint(t)
	other.do(func() { other.request = func(m *message, s *server) { s.answer(m.response(200, "x")) } })
	var mu sync.Mutex
	lost := false
	relay := newUDPRelay(t, "127.0.0.1:0", other.self.String(), func(netip.Addr) bool { mu.Lock(); defer mu.Unlock(); return lost })
	one := newEndpoint(t)
	ask := func() int {
		heard := make(chan int, 1)
		one.do(func() {
			m := &message{method: "OPTIONS", uri: "sip:x", headers: []header{{"from", "<sip:a>;tag=a"}, {"to", "<sip:x>"}, {"call-id", token()}, {"cseq", "1 OPTIONS"}}}
			one.ask(m, relay.Addr, "z9hG4bK"+token(), time.Second, func(r *message) {
				if r == nil {
					heard <- 0
				} else {
					heard <- r.status
				}
			})
		})
		return <-heard
	}
	require.Equal(t, 200, ask())
	mu.Lock()
	lost = true
	mu.Unlock()
	require.Zero(t, ask())
}
