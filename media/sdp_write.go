package media

import (
	"net/netip"
	"strconv"
	"strings"
)

// writtenMedia is an m= line of ours and those below it, each with its end.
type writtenMedia string

// writtenEncodings are the kinds' names in a=rtpmap.
var writtenEncodings = map[payloadKind]string{
	payloadPCMA: "PCMA/8000", payloadPCMU: "PCMU/8000", payloadEvent: "telephone-event/8000",
	payloadComfort: "CN/8000",
}

// usualSDP is room for a description of ours with one m-line, in octets.
const usualSDP = 320

// writtenAudio makes our own m-line.
func writtenAudio(local netip.AddrPort, profile string, formats []format, d direction, crypto []cryptoLine) writtenMedia {
	b := make([]byte, 0, usualSDP)
	b = append(b, "m="+kindAudio+" "...)
	b = strconv.AppendUint(b, uint64(local.Port()), 10)
	b = append(append(b, ' '), profile...)
	for _, f := range formats {
		b = strconv.AppendUint(append(b, ' '), uint64(f.payload), 10)
	}
	b = append(b, "\r\n"...)
	for _, f := range formats {
		b = strconv.AppendUint(append(b, "a=rtpmap:"...), uint64(f.payload), 10)
		b = append(append(append(b, ' '), writtenEncodings[f.kind]...), "\r\n"...)
		if f.kind == payloadEvent {
			b = strconv.AppendUint(append(b, "a=fmtp:"...), uint64(f.payload), 10)
			b = append(b, " 0-15\r\n"...)
		}
	}
	for _, l := range crypto {
		b = append(l.append(b), "\r\n"...)
	}
	b = strconv.AppendInt(append(b, "a=ptime:"...), FrameDuration.Milliseconds(), 10)
	return writtenMedia(append(append(append(b, "\r\na="...), d.name()...), "\r\n"...))
}

// name is the attribute that says a direction (RFC 3264 section 5.1).
func (d direction) name() string {
	for name, known := range directions {
		if known.send == d.send && known.receive == d.receive {
			return name
		}
	}
	return "" // cannot be: directions has all four
}

// declined repeats an offered m-line with port 0 (RFC 3264 section 6).
func declined(m *mediaLine) writtenMedia {
	return writtenMedia("m=" + m.kind + " 0 " + m.proto + " " + strings.Join(m.formats, " ") + "\r\n")
}

// originator is the user of our o= lines. A dash would do (RFC 8866 section 5.2), but there are peers that want letters.
const originator = "hotline"

// declined is an answer's lines when it takes none.
func (d *description) declined() []writtenMedia {
	lines := make([]writtenMedia, len(d.media))
	for i := range d.media {
		lines[i] = declined(&d.media[i])
	}
	return lines
}

// write makes a whole description (RFC 8866 section 5). Its version is one above the last, so that it may differ from
// it (RFC 3264 section 8).
func (n *negotiator) write(lines []writtenMedia) []byte {
	n.version++
	address := " IN IP4 "
	if n.local.Addr().Is6() {
		address = " IN IP6 "
	}
	b := make([]byte, 0, usualSDP)
	b = append(b, "v=0\r\no="+originator+" "...)
	b = strconv.AppendUint(b, n.session, 10)
	b = strconv.AppendUint(append(b, ' '), n.version, 10)
	b = n.local.Addr().AppendTo(append(b, address...))
	b = append(append(b, "\r\ns=-\r\nc="...), address[1:]...)
	b = n.local.Addr().AppendTo(b)
	b = append(b, "\r\nt=0 0\r\n"...)
	for _, l := range lines {
		b = append(b, l...)
	}
	return b
}
