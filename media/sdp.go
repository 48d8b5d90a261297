package media

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// staticPayloads are the codecs we have, with their static payload types (RFC 3551 section 6).
var staticPayloads = map[Codec]uint8{PCMA: 8, PCMU: 0}

// kindAudio is the media of the m-lines that we take.
const kindAudio = "audio"

// offeredEvent is the payload type of telephone-event in our own offers.
const offeredEvent = 101

// payloadKind is what an agreed payload type carries.
type payloadKind uint8

const (
	payloadNone payloadKind = iota
	payloadPCMA
	payloadPCMU
	payloadEvent
	// payloadComfort describes the noise of a pause (RFC 3389).
	payloadComfort
)

// encodings are the rtpmap names of the kinds.
var encodings = map[string]payloadKind{
	"PCMA/8000":            payloadPCMA,
	"PCMU/8000":            payloadPCMU,
	"TELEPHONE-EVENT/8000": payloadEvent,
	"CN/8000":              payloadComfort,
}

var codecKinds = map[Codec]payloadKind{PCMA: payloadPCMA, PCMU: payloadPCMU}

// staticComfort is the payload type of comfort noise (RFC 3551 section 6). It is agreed to where the far end offers
// it, and never offered by us: a line that is recorded is better without holes.
const staticComfort = 13

// audio reports whether k carries audio, coded by a codec.
func (k payloadKind) audio() bool { return k == payloadPCMA || k == payloadPCMU }

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
	// comfort is the payload type of comfort noise that the far end takes; only if hasComfort.
	comfort    uint8
	hasComfort bool
	// packet is how much audio the far end wants in a packet (a=ptime, RFC 8866 section 6.4).
	packet time.Duration
	// receive says what each payload type carries that we may receive.
	receive [128]payloadKind
	// remote is where the far end wants RTP, rtcp where it wants RTCP (RFC 3605).
	remote, rtcp netip.AddrPort
	// mux: RTCP shares the port of RTP, both ways (RFC 5761); rtcp is remote then.
	mux bool
	// send: the far end wants audio from us, and at an address.
	send bool
	// sends: the far end may send us audio.
	sends bool
	// secure is how it is encrypted; nil when it is not.
	secure *protection
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
		kind := staticKind(payload)
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
	return m.kind == kindAudio && m.hasProfile() && m.port != 0 &&
		(reachable(m.address, local) || m.address.IsUnspecified())
}

// reachable reports whether one far end at an address can be sent to from local.
func reachable(a, local netip.Addr) bool {
	return a.IsValid() && a.Is4() == local.Is4() && !a.IsMulticast() && !a.IsUnspecified()
}

// agree makes of the far end's m-line an agreement on a codec; false if the line has not got it.
func (m *mediaLine) agree(codec Codec) (*agreement, bool) {
	a := &agreement{
		codec:  codec,
		remote: netip.AddrPortFrom(m.address, m.port),
		send:   m.direction.receive && !m.address.IsUnspecified(), // 0.0.0.0: RFC 3264 section 8.4
		sends:  m.direction.send,
		rtcp:   m.control(),
		packet: m.packet(),
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
		case f.kind == payloadComfort && !a.hasComfort:
			a.comfort, a.hasComfort = f.payload, true
			a.receive[f.payload] = f.kind
		}
	}
	if m.mux && !mistakable(a.audio) && (!a.hasEvent || !mistakable(a.event)) &&
		(!a.hasComfort || !mistakable(a.comfort)) {
		a.mux, a.rtcp = true, a.remote
	}
	return a, found
}

// without is the agreement without its audio: nobody sends.
func (a *agreement) without() *agreement {
	off := *a
	off.send, off.sends = false, false
	return &off
}

// negotiator carries one stream's offers and answers (RFC 3264). Not safe for concurrent use.
type negotiator struct {
	local    netip.AddrPort // where we receive, as the far end is to know it
	codecs   []Codec        // in the order of preference of this stream
	security Security
	keys     []cryptoLine // that we offered last
	sealers  []*sealer    // of such keys as were chosen

	session, version uint64 // of our o= line
	ours             written
	offering         bool // ours was offered, and may be answered; an answer may come again (183, then 200)
	agreed           *agreement
	standing         written // that of ours which agreed is about; zero before there is one
}

// written is the last description of ours that the far end was given, and what an answer to it means.
type written struct {
	body    []byte
	lines   []writtenMedia   // its m-lines: all but the audio are declined
	line    int              // which is, or was, the audio
	off     bool             // the audio is declined too
	way     direction        // of the audio
	receive [128]payloadKind // what each payload type carries that it names
	mux     bool             // it has a=rtcp-mux
	profile string           // of the audio
	crypto  []cryptoLine     // our keys in it
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

// offer describes what we can do: all our codecs, both ways. The m-lines that the session had stay in their places
// (RFC 3264 section 8), and the audio in its own, from which it may have been taken meanwhile.
func (n *negotiator) offer() []byte {
	w := written{
		lines: slices.Clone(n.ours.lines), line: n.ours.line, way: directions["sendrecv"], mux: n.agreed != nil && n.agreed.mux,
	}
	if w.lines == nil {
		w.lines = make([]writtenMedia, 1)
	}
	codecs := n.order()
	formats := make([]format, 0, len(codecs)+1)
	meant := n.ours.receive
	add := func(kind payloadKind, usual uint8) {
		f := format{numberFor(&meant, kind, usual), kind}
		formats = append(formats, f)
		meant[f.payload], w.receive[f.payload] = kind, kind
	}
	for _, c := range codecs {
		add(codecKinds[c], staticPayloads[c])
	}
	add(payloadEvent, offeredEvent)
	w.profile, w.crypto = n.toOffer()
	w.lines[w.line] = writtenAudio(n.local, w.profile, formats, w.way, w.crypto) + n.agreed.writtenMux()
	w.body = n.write(w.lines)
	n.ours, n.offering = w, true
	return w.body
}

// again offers our description as it stands, its version too: the far end then knows that nothing is to change (RFC
// 3264 section 8). An offer of ours that was refused since has changed nothing. Before anything was agreed on it is the
// first offer, and without one it is offer.
func (n *negotiator) again() []byte {
	if n.standing.body != nil {
		n.ours = n.standing
	}
	if n.ours.body == nil {
		return n.offer()
	}
	n.offering = true
	return n.ours.body
}

// accept takes the answer to our offer. Its payload types are those to send with; we receive those
// that we offered (RFC 3264 section 6.1). It may switch off audio that there was; the first must be on.
func (n *negotiator) accept(answer []byte) (*agreement, error) {
	if !n.offering {
		return nil, badSDP("an answer to no offer")
	}
	d, err := parseSDP(answer)
	if err != nil {
		return nil, err
	}
	if len(d.media) != len(n.ours.lines) {
		return nil, badSDP("an answer with %d m= lines to an offer with %d", len(d.media), len(n.ours.lines))
	}
	if n.ours.off {
		return n.agreed, nil // we offered nothing, and nothing is what there is (RFC 3264 section 6)
	}
	m := &d.media[n.ours.line]
	if m.kind == kindAudio && m.port == 0 && n.agreed != nil {
		n.agreed, n.standing = n.agreed.without(), n.ours
		return n.agreed, nil
	}
	if !m.usable(n.local.Addr()) {
		return nil, fmt.Errorf("%w: answer m=%s %d %s", ErrNotAcceptable, m.kind, m.port, m.proto)
	}
	secure, err := n.accepted(m)
	if err != nil {
		return nil, err
	}
	for _, f := range m.known() {
		if !f.kind.audio() || !slices.Contains(n.ours.receive[:], f.kind) {
			continue
		}
		if meant := n.ours.receive[f.payload]; meant != payloadNone && meant != f.kind {
			continue // our offer has something else under that number: packets of it would mean one thing here and another there
		}
		a, _ := m.agree(f.kind.codec())
		a.receive, a.secure = n.ours.receive, secure
		// An answer cannot have us do what we did not offer (RFC 3264 section 6.1). Phones that hold us answer a refresh
		// as if they did not.
		a.send, a.sends = a.send && n.ours.way.send, a.sends && n.ours.way.receive
		if a.mux && !n.ours.mux { // not offered, so not agreed (RFC 5761 section 5.1.1)
			a.mux, a.rtcp = false, m.control()
		}
		n.agreed, n.standing = a, n.ours
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
	line, a, err := n.choose(d)
	if err != nil {
		return nil, nil, err
	}
	if a == nil && n.agreed != nil && d.removed(n.ours.profile) {
		answer, a := n.remove(d)
		return answer, a, nil
	}
	if a == nil && n.wantsKeys(d) {
		return nil, nil, ErrNotSecure
	}
	if a == nil && d.overDTLS() {
		return nil, nil, ErrDTLS
	}
	if a == nil {
		return nil, nil, fmt.Errorf("%w: no audio over RTP/AVP in %v that we can reach", ErrNotAcceptable, n.codecs)
	}
	w := written{
		lines: d.declined(), line: line, way: direction{send: a.send, receive: a.sends}, receive: a.receive, mux: a.mux,
		profile: d.media[line].proto, crypto: a.secure.crypto(),
	}
	w.lines[line] = writtenAudio(n.local, w.profile, a.formats(), w.way, w.crypto) + a.writtenMux()
	n.settle(w, a)
	return n.ours.body, a, nil
}

// settle puts an answer of ours and what it agrees on in force. One that says what the far end knows already goes
// out as it did then, its version too, so that a refresh is seen to be one (RFC 4028 section 7.4).
func (n *negotiator) settle(w written, a *agreement) {
	if w.body = n.ours.body; !slices.Equal(w.lines, n.ours.lines) {
		w.body = n.write(w.lines)
	}
	n.ours, n.standing, n.agreed, n.offering = w, w, a, false
}

// remove answers an offer that takes the audio out of a session that had it (RFC 3264 section 8.2), as some
// phones hold: nobody sends any more, until a later offer puts it back in its place (section 8.1).
func (n *negotiator) remove(d *description) ([]byte, *agreement) {
	a := n.agreed.without()
	line := min(n.ours.line, len(d.media)-1)
	n.settle(written{
		lines: d.declined(), line: line, off: true, receive: a.receive, profile: n.ours.profile, crypto: n.ours.crypto,
	}, a)
	return n.ours.body, a
}

func (n *negotiator) choose(d *description) (line int, a *agreement, err error) {
	for _, encrypted := range n.security.protections() {
		for i := range d.media {
			m := &d.media[i]
			key, ok := n.offered(m, encrypted)
			if !ok || !m.usable(n.local.Addr()) {
				continue
			}
			for _, c := range n.order() {
				if a, ok := m.agree(c); ok {
					a.secure, err = n.protect(key)
					return i, a, err
				}
			}
		}
	}
	return 0, nil, nil
}
