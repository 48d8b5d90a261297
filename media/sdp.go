package media

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// staticPayloads are the codecs we have, with their static payload types (RFC 3551 section 6).
var staticPayloads = map[Codec]uint8{PCMA: 8, PCMU: 0}

// offeredEvent is the payload type of telephone-event in our own offers.
const offeredEvent = 101

// payloadKind is what an agreed payload type carries.
type payloadKind uint8

const (
	payloadNone payloadKind = iota
	payloadPCMA
	payloadPCMU
	payloadEvent
)

// encodings are the rtpmap names of the kinds.
var encodings = map[string]payloadKind{
	"PCMA/8000":            payloadPCMA,
	"PCMU/8000":            payloadPCMU,
	"TELEPHONE-EVENT/8000": payloadEvent,
}

var codecKinds = map[Codec]payloadKind{PCMA: payloadPCMA, PCMU: payloadPCMU}

func (k payloadKind) codec() Codec {
	if k == payloadPCMU {
		return PCMU
	}
	return PCMA
}

// agreement is what an offer and its answer have settled. It never changes once made.
type agreement struct {
	codec Codec
	// audio and event are the payload types that the far end wants to receive; event only if
	// hasEvent.
	audio, event uint8
	hasEvent     bool
	// receive says what each payload type carries that we may receive.
	receive [128]payloadKind
	// remote is where the far end wants RTP, rtcp where it wants RTCP (RFC 3605).
	remote, rtcp netip.AddrPort
	// send: the far end wants audio from us, and at an address.
	send bool
	// sends: the far end may send us audio.
	sends bool
}

// format is one payload type of an m-line that we understand.
type format struct {
	payload uint8
	kind    payloadKind
}

// known returns what we understand of an m-line, in its order. An a=rtpmap line says what a payload
// type is; without one the static types are meant.
func (m *mediaLine) known() []format {
	var known []format
	for _, text := range m.formats {
		number, err := strconv.ParseUint(text, 10, 7)
		if err != nil {
			continue
		}
		payload := uint8(number)
		kind := payloadNone
		for codec, static := range staticPayloads {
			if payload == static {
				kind = codecKinds[codec]
			}
		}
		for _, r := range m.rtpmap {
			if r.payload == payload {
				kind = encodings[r.encoding]
			}
		}
		if kind != payloadNone && !slices.ContainsFunc(known, func(f format) bool { return f.payload == payload }) {
			known = append(known, format{payload, kind})
		}
	}
	return known
}

// usable reports whether an m-line is audio by a way we have, at an address we can reach.
func (m *mediaLine) usable(local netip.Addr) bool {
	return m.kind == "audio" && m.proto == "RTP/AVP" && m.port != 0 &&
		m.address.IsValid() && m.address.Is4() == local.Is4() && !m.address.IsMulticast()
}

// agree makes of the far end's m-line an agreement on a codec; false if the line has not got it.
func (m *mediaLine) agree(codec Codec) (*agreement, bool) {
	a := &agreement{
		codec:  codec,
		remote: netip.AddrPortFrom(m.address, m.port),
		send:   m.direction.receive && !m.address.IsUnspecified(), // 0.0.0.0: RFC 3264 section 8.4
		sends:  m.direction.send,
	}
	a.rtcp = netip.AddrPortFrom(m.address, m.port+1)
	if m.rtcp.Port() != 0 {
		a.rtcp = m.rtcp
		if !m.rtcp.Addr().IsValid() {
			a.rtcp = netip.AddrPortFrom(m.address, m.rtcp.Port())
		}
	}
	found := false
	for _, f := range m.known() {
		switch {
		case f.kind == codecKinds[codec] && !found:
			a.audio, found = f.payload, true
			a.receive[f.payload] = f.kind
		case f.kind == payloadEvent && !a.hasEvent:
			a.event, a.hasEvent = f.payload, true
			a.receive[f.payload] = f.kind
		}
	}
	return a, found
}

// negotiator carries one stream's offers and answers (RFC 3264). Not safe for concurrent use.
type negotiator struct {
	local  netip.AddrPort // where we receive, as the far end is to know it
	codecs []Codec        // in the order of preference of this stream

	session, version uint64 // of our o= line
	offered          []Codec
	agreed           *agreement
}

// order is the codecs in order of preference: the one in use first, so that a hold or a refresh does
// not change it in the middle of a talk.
func (n *negotiator) order() []Codec {
	if n.agreed == nil {
		return n.codecs
	}
	return preferring(n.agreed.codec, n.codecs)
}

// preferring returns codecs with one of them moved to the front, if it is among them.
func preferring(first Codec, codecs []Codec) []Codec {
	i := slices.Index(codecs, first)
	if i < 0 {
		return codecs
	}
	return slices.Concat([]Codec{first}, codecs[:i], codecs[i+1:])
}

// offer describes what we can do: all our codecs, both ways.
func (n *negotiator) offer() ([]byte, error) {
	n.offered = n.order()
	formats := make([]format, 0, len(n.offered)+1)
	for _, c := range n.offered {
		formats = append(formats, format{staticPayloads[c], codecKinds[c]})
	}
	formats = append(formats, format{offeredEvent, payloadEvent})
	return n.write(writtenAudio(n.local, formats, directions["sendrecv"]))
}

// accept takes the answer to our offer. Its payload types are those to send with; we receive those
// that we offered (RFC 3264 section 6.1).
func (n *negotiator) accept(answer []byte) (*agreement, error) {
	if n.offered == nil {
		return nil, badSDP("an answer to no offer")
	}
	d, err := parseSDP(answer)
	if err != nil {
		return nil, err
	}
	if len(d.media) != 1 {
		return nil, badSDP("an answer with %d m= lines to an offer with one", len(d.media))
	}
	m := &d.media[0]
	if !m.usable(n.local.Addr()) {
		return nil, fmt.Errorf("%w: answer m=%s %d %s", ErrNotAcceptable, m.kind, m.port, m.proto)
	}
	for _, f := range m.known() {
		if f.kind == payloadEvent || !slices.Contains(n.offered, f.kind.codec()) {
			continue
		}
		a, _ := m.agree(f.kind.codec())
		a.receive = [128]payloadKind{offeredEvent: payloadEvent}
		for _, c := range n.offered {
			a.receive[staticPayloads[c]] = codecKinds[c]
		}
		n.agreed = a
		return a, nil
	}
	return nil, fmt.Errorf("%w: no codec of our offer in the answer", ErrNotAcceptable)
}

// answer takes an offer. Of its m-lines the first audio that we can do is accepted, with one codec (the
// one in use, else the first in our order that is offered) and telephone-event; all others are
// declined, in their places (RFC 3264 section 6).
func (n *negotiator) answer(offer []byte) ([]byte, *agreement, error) {
	d, err := parseSDP(offer)
	if err != nil {
		return nil, nil, err
	}
	line, a := n.choose(d)
	if a == nil {
		return nil, nil, fmt.Errorf("%w: no audio over RTP/AVP in %v that we can reach", ErrNotAcceptable, n.codecs)
	}
	formats := []format{{a.audio, codecKinds[a.codec]}}
	if a.hasEvent {
		formats = append(formats, format{a.event, payloadEvent})
	}
	lines := make([]*writtenMedia, len(d.media))
	for i := range d.media {
		lines[i] = declined(&d.media[i])
	}
	lines[line] = writtenAudio(n.local, formats, direction{send: a.send, receive: a.sends})
	answer, err := n.write(lines...)
	if err != nil {
		return nil, nil, err
	}
	n.agreed = a
	return answer, a, nil
}

func (n *negotiator) choose(d *description) (line int, a *agreement) {
	for i := range d.media {
		if !d.media[i].usable(n.local.Addr()) {
			continue
		}
		for _, c := range n.order() {
			if a, ok := d.media[i].agree(c); ok {
				return i, a
			}
		}
	}
	return 0, nil
}
