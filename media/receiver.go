package media

import (
	"net/netip"
	"time"

	"github.com/pion/rtp"
)

// heard is what a datagram turned out to be.
type heard struct {
	// kind is payloadNone for what is not to be passed on.
	kind payloadKind
	// key is the key that begins with this packet; 0 when none does.
	key Key
}

// receiver is the receiving half of a stream, without its socket: it checks datagrams, locks the
// source, finds keys and counts. Not safe for concurrent use; owned by the line's shard.
type receiver struct {
	// follow is told where to send to, whenever that changes.
	follow func(netip.AddrPort)
	begun  time.Time

	agreed *agreement
	secure openers
	// kinds says what each payload type carries: as agreed, and comfort noise by its static number from those too who
	// send it unasked.
	kinds    [128]payloadKind
	source   sourceLock
	sequence sequence
	keys     keyDetector
	stats    Stats
	reported struct{ lost, expected uint64 } // in the last RTCP report
}

func newReceiver(signalling netip.Addr, follow func(netip.AddrPort)) *receiver {
	return &receiver{
		follow: follow, begun: time.Now(),
		source: sourceLock{signalling: signalling.Unmap()},
	}
}

// agree begins to receive by a new agreement.
func (r *receiver) agree(a *agreement) {
	r.agreed, r.kinds = a, a.receive
	if r.kinds[staticComfort] == payloadNone {
		r.kinds[staticComfort] = payloadComfort
	}
	r.secure.agree(a.secure)
	r.source.open(a.remote)
	r.follow(r.source.target)
}

// datagram judges one datagram. p is the caller's to re-use: on return it holds the packet, whose
// payload lies in b or, if it was encrypted, in a buffer of the receiver's.
func (r *receiver) datagram(p *rtp.Packet, b []byte, from netip.AddrPort, now time.Time) heard {
	if r.agreed == nil || !plausible(b) {
		r.stats.Dropped++
		return heard{}
	}
	b, what := r.secure.rtp(b)
	if what != authentic { // before anything is done or noted on its account
		r.stats.refused(what)
		return heard{}
	}
	if !unpack(p, b) {
		r.stats.Dropped++
		return heard{}
	}
	kind := r.kinds[p.PayloadType]
	if kind == payloadNone && from != r.source.locked {
		r.stats.Dropped++ // and no lock is taken by what was never agreed
		return heard{}
	}
	locked := r.source.locked
	if !r.source.admit(from, p.SSRC, p.SequenceNumber, now) {
		r.stats.Strangers++
		return heard{}
	}
	if locked != r.source.locked {
		r.follow(from)
	}
	return r.admitted(p, kind, now)
}

// admitted counts a packet of the far end's.
func (r *receiver) admitted(p *rtp.Packet, kind payloadKind, now time.Time) heard {
	if r.sequence.arrive(p.SSRC, p.SequenceNumber) == arrivedDuplicate {
		return heard{}
	}
	if kind == payloadNone {
		r.stats.Dropped++
		return heard{}
	}
	if r.stats.FirstPacket.IsZero() {
		r.stats.FirstPacket = now
	}
	r.stats.LastPacket = now
	r.stats.PacketsIn++
	r.stats.OctetsIn += uint64(len(p.Payload))
	if len(p.Payload) == 0 {
		kind = payloadComfort // only to keep the way open (RFC 6263 section 4.1), whatever it is called
	}
	h := heard{kind: kind}
	if kind.audio() {
		r.sequence.time(p.Timestamp, now.Sub(r.begun))
	} else if kind == payloadComfort {
		r.stats.Comfort++
	} else {
		h.key, _ = r.keys.event(p.SSRC, p.Timestamp, p.Marker, p.Payload)
	}
	return h
}

// snapshot returns the receiving half of the statistics.
func (r *receiver) snapshot() Stats {
	s := r.stats
	s.Secure = r.agreed != nil && r.agreed.secure != nil
	s.Lost, s.Late = r.sequence.lost(), r.sequence.late
	s.Duplicate += r.sequence.duplicate
	s.Jitter = duration(r.sequence.jitter)
	return s
}
