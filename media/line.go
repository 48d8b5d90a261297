package media

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// line is all of a stream but its talk about SDP: what comes, what is sent, what is played, who else hears it. It has
// one owner at a time, its shard, and no lock: all its methods and fields are the shard's, but for those that say
// otherwise.
type line struct {
	stream  *stream // its own are set before the line is served, and only read here
	name    string  // of ours in reports (RFC 3550 section 6.5.1)
	sockets sockets
	tally   *tally // of the shard
	wheel   *wheel // the shard's
	seat    int    // in it, or nowhere
	closed  bool

	in       *receiver
	out      *sender
	keys     keypad
	inband   *inband    // nil: its audio is not listened to for keys
	reel     *reel      // nil: nothing is played
	bridged  *bridgeEnd // nil: not in a bridge
	listened *listener  // nil: nobody listens
	// live is set once the far end can be taken to listen: it answered our offer, it sent something,
	// or something was played to it. Before, no silence is sent: a caller's phone to which audio comes
	// while it is still rung to may take its own ringing tone away.
	live bool

	captured []lineCapture // mostly none, at most MostCaptures

	monitor     monitor
	untilReport int // turns of the wheel
}

// sockets are a line's two ports. They are the shard's, as the line is.
type sockets interface {
	// send puts one RTP packet on the wire and reports whether it could. What the network refuses (no route, a full
	// queue) is a lost packet like any other, which only the far end can count.
	send(b []byte, to netip.AddrPort) bool
	// report sends from the RTCP port, likewise.
	report(b []byte, to netip.AddrPort)
	// close ends both, and takes the line from its shard. It is called once.
	close() error
}

// workbench is what a shard needs to take a datagram all the way; each shard has one.
type workbench struct {
	packet  rtp.Packet
	scratch [maxDatagram]byte
	frame   [frameSamples]byte
}

// tally counts the packets of one shard, which alone writes to it: added up when metrics are asked for, so that
// shards do not write to the same memory. It fills a cache line.
type tally struct {
	in, out atomic.Uint64
	_       [112]byte
}

func newLine(s *stream, o StreamOptions) *line {
	l := &line{stream: s, seat: nowhere}
	l.out = newSender(l.write)
	if o.Resume != nil {
		l.out.resume(*o.Resume, time.Now())
	}
	l.in = newReceiver(o.Signalling, l.out.follow)
	return l
}

// begin is called when the line has its sockets, and before it is served.
func (l *line) begin(session uint64) {
	l.name = strconv.FormatUint(session, 36)
	l.monitor = newMonitor(l.stream.core.o.Timeout)
	l.untilReport = 1 + rand.IntN(reportTurns()) // the first one sooner
}

func (l *line) write(b []byte, to netip.AddrPort) bool {
	if !l.sockets.send(b, to) {
		return false
	}
	if len(l.captured) > 0 {
		l.said(b, to, false)
	}
	l.tally.out.Add(1)
	return true
}

// datagram takes one datagram of the RTP port all the way. What panics on it, a tap among others, costs this line
// and no other.
func (l *line) datagram(w *workbench, b []byte, from netip.AddrPort, now time.Time) {
	defer l.contain("media: packet")
	if l.closed {
		return
	}
	if len(l.captured) > 0 {
		l.heard(b, from, false, now)
	}
	if l.muxed(b) {
		l.control(b, from, now)
		return
	}
	p := &w.packet
	h := l.in.datagram(p, b, from, now)
	if h.kind == payloadNone {
		return
	}
	l.tally.in.Add(1)
	l.live = true
	if l.inband != nil {
		l.hearTones(p, h.kind, now)
	}
	if l.bridged != nil {
		l.bridged.pass(p, h.kind, w.scratch[:], now)
	}
	if l.listened != nil {
		tapped(l.listened.tap, SideA, p, h.kind, w.scratch[:], now)
	}
	if h.key != 0 {
		l.press(h.key, byRTP)
	}
}

// agree begins to send and receive by a new agreement.
func (l *line) agree(a *agreement, now time.Time) {
	l.out.agree(a)
	l.in.agree(a)
	l.monitor.agree(a, l.in.source.heard, l.out.packets, now)
	l.tuneIn(a)
	l.keys.agree(a.hasEvent)
}

// shut stops everything on the line, for good: when it returns nothing more is sent, and no tap hears the line.
// Idempotent. The sockets' error is the first call's.
func (l *line) shut() error {
	if l.closed {
		return nil
	}
	l.goodbye()
	return l.cut()
}

// cut is shut without a goodbye.
func (l *line) cut() error {
	if l.closed {
		return nil
	}
	l.closed = true
	l.unload(ErrClosed)
	if l.bridged != nil {
		l.bridged.part()
	}
	l.listened, l.captured = nil, nil
	l.out.close()
	return l.sockets.close()
}

// snapshot returns the statistics.
func (l *line) snapshot() Stats {
	stats := l.in.snapshot()
	stats.PacketsOut, stats.OctetsOut = l.out.packets, l.out.octets
	stats.FarLost, stats.FarJitter = l.monitor.far.lost(), l.monitor.far.jitter()
	l.verdict().report(&stats)
	return stats
}
