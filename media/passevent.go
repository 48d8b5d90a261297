package media

import (
	"time"

	"github.com/pion/rtp"
)

// passedEvent is a telephone-event of another party's on its way to one who hears a mix: all packets of one event carry one
// timestamp of ours.
type passedEvent struct {
	on             bool
	ssrc, from, to uint32
}

// passEvent sends a packet of a telephone-event between frames of our own. Audio goes on meanwhile, as RFC 4733 section
// 2.1 allows.
func (o *sender) passEvent(now time.Time, p *rtp.Packet) {
	if !o.open() || !o.agreed.hasEvent || len(p.Payload) > maxDatagram {
		return
	}
	o.flush(now) // what is gathered for a packet comes first
	if e := &o.passed; !e.on || e.ssrc != p.SSRC || e.from != p.Timestamp {
		timestamp, _ := o.clock(now)
		*e = passedEvent{on: true, ssrc: p.SSRC, from: p.Timestamp, to: timestamp}
	}
	o.relay.on = false
	o.number++
	copy(o.buf[rtpHeaderSize:], p.Payload)
	o.send(rtp.Header{
		Version: 2, Marker: p.Marker, PayloadType: o.agreed.event,
		SequenceNumber: o.number, Timestamp: o.passed.to, SSRC: o.ssrc,
	}, len(p.Payload))
}
