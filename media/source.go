package media

import (
	"net/netip"
	"slices"
	"time"
)

const (
	// strangerRun is how many packets in sequence a source that nothing vouches for must send.
	strangerRun = 5
	// lockPatience is how long the locked source must have been silent before another address may take its
	// place: its NAT has given it a new port, or it has begun anew.
	lockPatience = 2 * time.Second
	// rebindSlack is how many packets of the locked sender may be missing, beside those of its silence, where it
	// goes on from a new address.
	rebindSlack = 100
	// maxTrials bounds the sources that are on trial at a time.
	maxTrials = 4
)

// sourceLock decides whose RTP is the far end's, and where ours goes (symmetric RTP, RFC 4961). The trust in an address
// is told by where we know it from:
//
//	described  by the SDP               3
//	signalled  the host SIP comes from  2
//	known      locked before a refresh  1
//	stranger                            0
//
//	locked on   a packet comes from                         it is let in, and locks
//	nothing     any that is trusted                         at once
//	nothing     a stranger                                  with the 5th in sequence
//	X           X                                           at once
//	X           one trusted more than X                     at once
//	X           one trusted as X is, no stranger            with the 5th in sequence, X silent for 2 s
//	X           any, the SSRC of X, going on in its numbers with the 5th in sequence, X silent for 2 s
//	X           any other                                   never
//
// One trusted more goes first because a late packet of another call from the host of the signalling, or a stranger who
// was quick, must not lock the phone itself out. A new offer or answer opens the lock again; the source that was locked
// stays known while the far end keeps its address, so that a refresh costs no audio of a phone behind NAT.
//
// Not safe for concurrent use.
type sourceLock struct {
	locked netip.AddrPort // zero: open
	heard  time.Time      // when a packet last came from it
	ssrc   uint32         // of its newest packet
	number uint16         // of it
	trying bool           // somebody is on trial
	target netip.AddrPort // where we send to

	signalling netip.Addr
	described  netip.AddrPort // by the SDP
	known      netip.AddrPort // locked under the same description

	trials [maxTrials]trial
	oldest int // of trials
}

// trial is a source that must show itself by packets in sequence.
type trial struct {
	from netip.AddrPort
	ssrc uint32
	next uint16
	run  int
}

// open begins anew after an offer or answer. Where the far end stays at the address it had, we go on
// sending to the source that was locked until another is: a session refresh must not interrupt audio
// to a phone behind NAT. No address at all (the hold of RFC 2543) is no other address.
func (l *sourceLock) open(described netip.AddrPort) {
	if described.Addr().IsUnspecified() && l.described.IsValid() {
		described = l.described
	}
	switch {
	case described != l.described || !l.target.IsValid():
		l.target, l.known = described, netip.AddrPort{}
	case l.locked.IsValid():
		l.known = l.locked
	}
	l.described = described
	l.locked, l.trials = netip.AddrPort{}, [maxTrials]trial{}
}

// admit reports whether a packet is the far end's.
func (l *sourceLock) admit(from netip.AddrPort, ssrc uint32, number uint16, now time.Time) bool {
	if from != l.locked {
		if !l.mayLock(from, ssrc, number, now) {
			return false
		}
		l.locked, l.target, l.ssrc, l.number = from, from, ssrc, number
	}
	if l.trying { // while it speaks nobody is on trial
		l.trials, l.trying = [maxTrials]trial{}, false
	}
	if l.heard = now; ssrc != l.ssrc || int16(number-l.number) > 0 {
		l.ssrc, l.number = ssrc, number
	}
	return true
}

func (l *sourceLock) mayLock(from netip.AddrPort, ssrc uint32, number uint16, now time.Time) bool {
	trust := l.trust(from)
	if !l.locked.IsValid() {
		return trust > 0 || l.inSequence(from, ssrc, number)
	}
	than := l.trust(l.locked)
	if trust > than {
		return true
	}
	silent := now.Sub(l.heard)
	follows := trust > 0 && trust == than || l.goesOn(ssrc, number, silent)
	return silent >= lockPatience && follows && l.inSequence(from, ssrc, number) // without the first two, no trial
}

// goesOn reports whether a packet follows on the newest of the locked source: as many numbers later, at the most, as
// could have been sent in its silence, 10 ms a packet.
func (l *sourceLock) goesOn(ssrc uint32, number uint16, silent time.Duration) bool {
	step := int(int16(number - l.number))
	return ssrc == l.ssrc && step > 0 && step <= int(silent/leastPacket)+rebindSlack
}

// trust is how much is known of an address, as the table has it.
func (l *sourceLock) trust(from netip.AddrPort) int {
	switch {
	case from == l.described:
		return 3
	case l.signalling.IsValid() && from.Addr() == l.signalling:
		return 2
	case from == l.known:
		return 1
	default:
		return 0
	}
}

// inSequence counts the packets that a source sends without a gap, and reports whether they are enough. Several are on
// trial at a time, or two who send by turns would keep each other out; the newest takes the place of the oldest.
func (l *sourceLock) inSequence(from netip.AddrPort, ssrc uint32, number uint16) bool {
	i := slices.IndexFunc(l.trials[:], func(t trial) bool { return t.from == from })
	if i < 0 {
		i = l.oldest
		l.oldest = (i + 1) % maxTrials
	}
	l.trying = true
	t := &l.trials[i]
	if t.from != from || t.ssrc != ssrc || t.next != number {
		*t = trial{from: from, ssrc: ssrc}
	}
	t.next = number + 1
	t.run++
	return t.run >= strangerRun
}
