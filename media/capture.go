package media

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// captureSlots is how many packets a Capture holds between two calls of Take: two seconds of a call with two legs.
const captureSlots = 512

// Captured is one datagram of a stream as it was on the wire, encrypted if its audio is: RTP, or RTCP.
type Captured struct {
	// At is when it was read, or given to the socket.
	At time.Time
	// Received: it came from Remote, and did not go there.
	Received bool
	// Local is what the far end was told to send to (Stream.Local), or that port's neighbour for RTCP of its own port.
	Local, Remote netip.AddrPort
	// Data is the datagram. It is the capture's again when Take's function returns.
	Data []byte
}

// Capture takes copies of the datagrams of streams, in room of its own that is made once: 2 MiB. A packet costs it a
// lock and a copy; what nobody takes in time is counted, and lost to it alone. Make it with NewCapture, and give it
// to streams that are Capturing. Its methods may be called from any goroutine.
type Capture struct {
	mu      sync.Mutex
	filling []captureSlot // of captureSlots
	n       int           // of them that are full
	missed  int

	taking sync.Mutex // held while spare is read
	spare  []captureSlot
}

type captureSlot struct {
	Captured

	room [maxDatagram]byte
}

// NewCapture returns a capture of nothing yet.
func NewCapture() *Capture {
	return &Capture{filling: make([]captureSlot, captureSlots), spare: make([]captureSlot, captureSlots)}
}

// put copies a datagram, or counts it. It is on the way of packets, and does not allocate.
func (c *Capture) put(at time.Time, received bool, local, remote netip.AddrPort, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == len(c.filling) || len(b) > maxDatagram {
		c.missed++
		return
	}
	s := &c.filling[c.n]
	c.n++
	s.At, s.Received, s.Local, s.Remote = at, received, local, remote
	s.Data = s.room[:copy(s.room[:], b)]
}

// Take has use see what was captured since it was called last, those of one stream in order, and returns how many there was
// no room for. Packets do not wait for it.
func (c *Capture) Take(use func(Captured)) (missed int) {
	c.taking.Lock()
	defer c.taking.Unlock()
	c.mu.Lock()
	full := c.filling[:c.n]
	c.filling, c.spare = c.spare, c.filling
	missed, c.n, c.missed = c.missed, 0, 0
	c.mu.Unlock()
	for i := range full {
		use(full[i].Captured)
	}
	return missed
}

// MostCaptures is how many captures may have one stream at a time.
const MostCaptures = 4

// Capturing is a stream whose datagrams can be captured, as those of all engines here are.
type Capturing interface {
	// Capture has datagrams copied into c from now on, those of RTP and of RTCP, both ways, whoever else captures them. It
	// reports false, and does nothing, when the stream is closed, or when MostCaptures others have it.
	Capture(c *Capture) bool
	// Release ends what Capture began with c, if c still has the stream.
	Release(c *Capture)
}

// lineCapture is one that a line's datagrams are copied to. It is the shard's.
type lineCapture struct {
	to             *Capture
	local, control netip.AddrPort
}

// at is which port of ours a datagram is of.
func (c *lineCapture) at(control bool) netip.AddrPort {
	if control {
		return c.control
	}
	return c.local
}

// heard copies what came. Lines that nobody captures do not call it, nor said.
func (l *line) heard(b []byte, from netip.AddrPort, control bool, now time.Time) {
	for i := range l.captured {
		c := &l.captured[i]
		c.to.put(now, true, c.at(control), from, b)
	}
}

func (l *line) said(b []byte, to netip.AddrPort, control bool) {
	now := time.Now()
	for i := range l.captured {
		c := &l.captured[i]
		c.to.put(now, false, c.at(control), to, b)
	}
}

// Capture implements Capturing.
func (s *stream) Capture(c *Capture) (ok bool) {
	local := s.Local()
	own := lineCapture{to: c, local: local, control: netip.AddrPortFrom(local.Addr(), local.Port()+1)}
	s.core.transport.do(s.line, func() {
		all := s.line.captured
		switch {
		case s.line.closed:
		case slices.ContainsFunc(all, own.same):
			ok = true
		case len(all) < MostCaptures:
			s.line.captured, ok = append(all, own), true
		}
	})
	return ok
}

// Release implements Capturing.
func (s *stream) Release(c *Capture) {
	own := lineCapture{to: c}
	s.core.transport.do(s.line, func() { s.line.captured = slices.DeleteFunc(s.line.captured, own.same) })
}

func (c *lineCapture) same(other lineCapture) bool { return c.to == other.to }
