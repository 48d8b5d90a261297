package sip

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"
)

// listenUDP reads a UDP socket until it is closed, in turns. sipgo's reader remembers every source it ever
// read from, for as long as it reads; when it knows limits.sources of them the next reader takes its place,
// and what it remembered goes with it.
func (u *UA) listenUDP(l *listener) error {
	var turns errgroup.Group
	var turn func() error
	begun := u.begunReading()
	turn = func() error {
		return u.transport.ServeUDP(&udpTurn{
			PacketConn: l.packet, ua: u, done: l.done, begun: begun,
			seen: make(map[netip.AddrPort]struct{}), next: func() { turns.Go(turn) }, mark: u.markOf(l),
		})
	}
	turns.Go(turn)
	return turns.Wait()
}

// udpTurn is a UDP socket as one of sipgo's readers has it: datagrams that are not to be believed are gone
// before anything is parsed or remembered of them. Only that reader calls ReadFrom.
type udpTurn struct {
	net.PacketConn
	ua   *UA
	done <-chan struct{} // closed with the socket
	seen map[netip.AddrPort]struct{}
	next func() // begins the next turn
	// begun is called when it is read for the first time; nil after that.
	begun func()
	told  [queuedRoom]byte // what the kernel tells of a datagram
	// mark tells this socket's peers from those of others; see sourceAt. It is 0 where no other is read.
	mark int
}

// ReadFrom returns the next datagram that may be a message for us. It fails with net.ErrClosed only, at the end of the
// socket or of the turn: sipgo's reader would end with any other error too, and nothing would be heard any more.
func (s *udpTurn) ReadFrom(p []byte) (int, net.Addr, error) {
	if s.begun != nil {
		s.begun()
		s.begun = nil
	}
	if len(s.seen) >= s.ua.o.limits.sources {
		s.next()
		pause(s.ua.o.limits.grace, s.done)
		return 0, nil, net.ErrClosed
	}
	for failures := 0; ; {
		n, src, err := s.read(p)
		if errors.Is(err, net.ErrClosed) {
			return 0, nil, err
		}
		if err != nil {
			failures++
			s.ua.socketFailed(dropRead, err)
			if !backOff(failures, s.done) {
				return 0, nil, net.ErrClosed
			}
			continue
		}
		failures = 0
		if !src.IsValid() {
			continue
		}
		if src.Port() == 0 { // which is none (RFC 768): no phone has it, and nothing can be sent there
			s.ua.metrics.drop(dropNoVia)
			continue
		}
		if n = s.ua.admits(s.PacketConn, src, p[:n]); n > 0 {
			if s.ua.site != nil && s.ua.relayedDatagram(p[:n], src, s.LocalAddr()) {
				continue
			}
			s.seen[src] = struct{}{}
			s.ua.heardDatagram(p[:n], src, s.LocalAddr())
			return n, s.sourceAt(src), nil
		}
	}
}

// markedAddr is a peer of one socket of several, as sipgo is to know him: it answers by the socket that it heard the text of an
// address at, last or before, so that two sockets may not have the same. As many zeros as mark says stand before the port,
// which mean nothing to whoever reads it (unmarked): the response leaves by the socket that the request came by, whatever
// came meanwhile by others (RFC 3261 section 18.2.2, RFC 3581 section 4).
type markedAddr struct {
	netip.AddrPort
	mark int
}

// Network implements net.Addr.
func (markedAddr) Network() string { return networkUDP }

// String implements net.Addr.
func (a markedAddr) String() string {
	return net.JoinHostPort(a.Addr().String(), strings.Repeat("0", a.mark)+strconv.Itoa(int(a.Port())))
}

// sourceAt is the source of a datagram, as sipgo is to know it.
func (s *udpTurn) sourceAt(src netip.AddrPort) net.Addr {
	if s.mark == 0 {
		return net.UDPAddrFromAddrPort(src)
	}
	return markedAddr{src, s.mark}
}

// markOf is the mark of a socket's peers: its own where several are read, since a peer may come to more than one. None is 0
// then, or a datagram that has one of our own addresses for its source would have sipgo send from another by that.
func (u *UA) markOf(l *listener) int {
	mark, sockets := 0, 0
	for _, one := range u.listeners {
		if one.packet == nil {
			continue
		}
		if sockets++; one == l {
			mark = sockets
		}
	}
	if sockets < 2 {
		return 0
	}
	return mark
}

// unmarked has responses to a request tell its sender the port as it is: sipgo would tell it as it knows it, where the sender
// asks for it (RFC 3581 section 4). Only the goroutine that read the request may call it.
func unmarked(msg sipmsg.Message) {
	req, ok := msg.(*sipmsg.Request)
	if !ok || req.Via() == nil {
		return
	}
	via := req.Via()
	if rport, asked := via.Params.Get("rport"); !asked || rport != "" {
		return
	}
	if peer := parsePeer(req.Source()); peer.IsValid() {
		via.Params.Add("rport", strconv.Itoa(int(peer.Port())))
		via.Params.Add("received", peer.Addr().String())
	}
}

// read reads one datagram. Of its source nothing is made that is of use only once it is admitted: most of a flood is not.
// The source is not valid where it cannot be read.
func (s *udpTurn) read(p []byte) (n int, src netip.AddrPort, err error) {
	if udp, ok := s.PacketConn.(*net.UDPConn); ok {
		var queued time.Duration
		n, src, queued, err = readDatagram(udp, p, s.told[:])
		s.ua.queued.Store(int64(queued))
		return n, unmap(src), err
	}
	n, from, err := s.PacketConn.ReadFrom(p)
	if err != nil {
		return n, src, err
	}
	if at, ok := addrPortOf(from); ok {
		src = at
	}
	return n, src, nil
}

// pause waits for d; false means that done was closed first.
func pause(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-done:
		return false
	}
}

// The shortest and the longest wait before a socket that failed is tried again.
const (
	backOffFirst = 5 * time.Millisecond
	backOffMost  = time.Second
)

// backOff waits before a socket that failed so many times in a row is tried again; false means that done
// was closed first.
func backOff(failures int, done <-chan struct{}) bool {
	const doublings = 10 // more reach backOffMost anyway
	return pause(min(backOffFirst<<min(failures-1, doublings), backOffMost), done)
}

// begunReading is what a UDP listener calls, as often as it likes, once it is being read. When all do so, what we send
// unasked may leave: before that sipgo does not know the socket, and would open another to send by.
func (u *UA) begunReading() func() {
	return sync.OnceFunc(func() {
		if u.unread.Add(-1) == 0 {
			close(u.reading)
		}
	})
}
