package media

import (
	"net/netip"
	"slices"
)

// The payload types that mean what an a=rtpmap line says (RFC 3551 section 6).
const firstDynamic, lastDynamic = 96, 127

// staticKind is what a payload type means that no a=rtpmap line explains.
func staticKind(payload uint8) payloadKind {
	for codec, static := range staticPayloads {
		if payload == static {
			return codecKinds[codec]
		}
	}
	if payload == staticComfort {
		return payloadComfort
	}
	return payloadNone
}

// numberFor is the payload type for a kind in our next offer, where meant is what the numbers of the session mean. That
// never changes within a session (RFC 3264 section 8.3.2): it is the number that the kind has, else the usual one, else,
// where that is taken, the greatest that is free; there are more of those than kinds.
func numberFor(meant *[128]payloadKind, kind payloadKind, usual uint8) uint8 {
	if had := slices.Index(meant[:], kind); had >= 0 {
		return uint8(had)
	}
	free := usual
	for next := uint8(lastDynamic); meant[free] != payloadNone && next >= firstDynamic; next-- {
		free = next
	}
	return free
}

// formats of an agreement, as an answer names them.
func (a *agreement) formats() []format {
	formats := []format{{a.audio, codecKinds[a.codec]}}
	if a.hasComfort {
		formats = append(formats, format{a.comfort, payloadComfort})
	}
	if a.hasEvent {
		formats = append(formats, format{a.event, payloadEvent})
	}
	return formats
}

// payload is the payload type by which the far end takes a kind; false when it does not take it.
func (a *agreement) payload(kind payloadKind) (payload uint8, takes bool) {
	if kind.audio() {
		return a.audio, true
	}
	if kind == payloadComfort {
		return a.comfort, a.hasComfort
	}
	return a.event, a.hasEvent
}

// control is where the far end wants RTCP: at the port above RTP's (RFC 3550 section 11), unless it says otherwise
// (RFC 3605). An address there that is none to send to is as good as none.
func (m *mediaLine) control() netip.AddrPort {
	if m.rtcp.Port() == 0 {
		return netip.AddrPortFrom(m.address, m.port+1)
	}
	if !reachable(m.rtcp.Addr(), m.address) {
		return netip.AddrPortFrom(m.address, m.rtcp.Port())
	}
	return m.rtcp
}
