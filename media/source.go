package media

import (
	"net/netip"
	"time"
)

const (
	// strangerRun is how many packets in sequence a source that nothing vouches for must send.
	strangerRun = 5
	// lockPatience is how long the locked source must have been silent before another address of the
	// same far end (its NAT has given it a new port) may take its place.
	lockPatience = time.Second
)

// sourceLock decides whose RTP is the far end's, and where ours goes (symmetric RTP, RFC 4961).
//
// The address in the SDP is trusted most, then the host that the signalling comes from: the first packet
// from either locks the source. Any other must send strangerRun packets in sequence, and never takes
// the place of a locked source. A source trusted more displaces one trusted less at once (a late packet
// of another call from the same host must not lock the phone itself out), and one trusted as much after
// that has been silent for lockPatience and with strangerRun packets in sequence.
// A new offer or answer opens the lock again. Not safe for concurrent use.
type sourceLock struct {
	signalling netip.Addr
	described  netip.AddrPort // by the SDP

	locked  netip.AddrPort // zero: open
	heard   time.Time      // when a packet last came from it
	target  netip.AddrPort
	pending candidate
}

// candidate is a source on trial.
type candidate struct {
	from netip.AddrPort
	ssrc uint32
	next uint16
	run  int
}

// open begins anew after an offer or answer. Where the far end stays at the address it had, we go on
// sending to the source that was locked until another is: a session refresh must not interrupt audio
// to a phone behind NAT.
func (l *sourceLock) open(described netip.AddrPort) {
	if described != l.described || !l.target.IsValid() {
		l.target = described
	}
	l.described = described
	l.locked, l.pending = netip.AddrPort{}, candidate{}
}

// admit reports whether a packet is the far end's.
func (l *sourceLock) admit(from netip.AddrPort, ssrc uint32, number uint16, now time.Time) bool {
	if from == l.locked {
		l.heard = now
		return true
	}
	if !l.mayLock(from, ssrc, number, now) {
		return false
	}
	l.locked, l.target, l.heard = from, from, now
	l.pending = candidate{}
	return true
}

func (l *sourceLock) mayLock(from netip.AddrPort, ssrc uint32, number uint16, now time.Time) bool {
	trust := l.trust(from)
	if !l.locked.IsValid() {
		return trust > 0 || l.inSequence(from, ssrc, number)
	}
	if trust > l.trust(l.locked) {
		return true
	}
	if trust == 0 && from.Addr() != l.locked.Addr() {
		return false
	}
	return l.inSequence(from, ssrc, number) && now.Sub(l.heard) >= lockPatience
}

// trust is 2 for the address in the SDP, 1 for the host of the signalling, 0 for a stranger.
func (l *sourceLock) trust(from netip.AddrPort) int {
	switch {
	case from == l.described:
		return 2
	case l.signalling.IsValid() && from.Addr() == l.signalling:
		return 1
	default:
		return 0
	}
}

// inSequence counts the packets that one candidate sends without a gap.
func (l *sourceLock) inSequence(from netip.AddrPort, ssrc uint32, number uint16) bool {
	c := &l.pending
	if c.from != from || c.ssrc != ssrc || c.next != number {
		*c = candidate{from: from, ssrc: ssrc}
	}
	c.next = number + 1
	c.run++
	return c.run >= strangerRun
}
