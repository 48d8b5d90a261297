package media

import "time"

// Offsets are what the far end of a stream knows its RTP by: what a journal keeps, so that after a restart a new stream
// goes on where the old one was, by [StreamOptions.Resume], and the far end hears one stream with a pause in it.
// They are plain data. While a sender is relayed, RelaySSRC, RelayNumber and RelayTimestamp stay the same from packet
// to packet.
type Offsets struct {
	// At is when they held. All times are of the wall clock: they are read by another process.
	At time.Time
	// SSRC of what is sent, the sequence number of its last packet, and the timestamp after its last sample.
	SSRC      uint32
	Number    uint16
	Timestamp uint32
	// Begun is whether anything was sent, and then Clock the timestamp that the clock had reached at At.
	Begun bool
	Clock uint32
	// Relayed is whether another leg's packets are passed on: those of RelaySSRC, to whose sequence numbers and
	// timestamps RelayNumber and RelayTimestamp are added (modulo 2¹⁶ and 2³²).
	Relayed        bool
	RelaySSRC      uint32
	RelayNumber    uint16
	RelayTimestamp uint32
}

// Offsets implements Stream.
func (s *stream) Offsets() (o Offsets) {
	if !s.do(func() { o = s.line.out.offsets(time.Now()) }) {
		return s.left
	}
	return o
}

// offsets returns what another sender can resume.
func (o *sender) offsets(now time.Time) Offsets {
	return Offsets{
		At: now.Round(0), SSRC: o.ssrc, Number: o.number, Timestamp: o.next,
		Begun: o.begun, Clock: o.due(now),
		Relayed: o.relay.on, RelaySSRC: o.relay.ssrc, RelayNumber: o.relay.number, RelayTimestamp: o.relay.timestamp,
	}
}

// resume goes on as the sender did whose offsets these are. What that one sent after they were taken is not known:
// so many numbers are left out as frames went by since, and none is used twice. Packets of the leg that was relayed
// keep the numbers they would have had.
func (o *sender) resume(r Offsets, now time.Time) {
	away := max(0, now.Round(0).Sub(r.At)) // by the wall clock, this once
	passed := min(int(away/FrameDuration), maxSkip)
	o.ssrc, o.number, o.next = r.SSRC, r.Number+uint16(passed), r.Timestamp
	o.begun, o.epoch, o.base = r.Begun, now, r.Clock+uint32(samples(away))
	o.relay = relay{
		on: r.Relayed, ssrc: r.RelaySSRC, span: passed,
		number: r.RelayNumber, timestamp: r.RelayTimestamp, newest: r.Timestamp - uint32(frameSamples),
	}
}
