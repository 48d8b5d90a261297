package media

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

type writtenMedia = sdp.MediaDescription

// writtenEncodings are the kinds' names in a=rtpmap.
var writtenEncodings = map[payloadKind]string{
	payloadPCMA: "PCMA/8000", payloadPCMU: "PCMU/8000", payloadEvent: "telephone-event/8000",
}

// writtenAudio makes our own m-line. No a=rtcp-mux: RTCP has its own port, the odd one.
func writtenAudio(local netip.AddrPort, formats []format, d direction) *writtenMedia {
	m := &writtenMedia{MediaName: sdp.MediaName{
		Media: kindAudio, Port: sdp.RangedPort{Value: int(local.Port())}, Protos: []string{"RTP", "AVP"},
	}}
	for _, f := range formats {
		number := strconv.Itoa(int(f.payload))
		m.MediaName.Formats = append(m.MediaName.Formats, number)
		m = m.WithValueAttribute("rtpmap", number+" "+writtenEncodings[f.kind])
		if f.kind == payloadEvent {
			m = m.WithValueAttribute("fmtp", number+" 0-15")
		}
	}
	m = m.WithValueAttribute("ptime", strconv.FormatInt(FrameDuration.Milliseconds(), 10))
	for name, known := range directions {
		if known.send == d.send && known.receive == d.receive {
			m = m.WithPropertyAttribute(name)
		}
	}
	return m
}

// declined repeats an offered m-line with port 0 (RFC 3264 section 6).
func declined(m *mediaLine) *writtenMedia {
	return &writtenMedia{MediaName: sdp.MediaName{
		Media: m.kind, Protos: strings.Split(m.proto, "/"), Formats: m.formats,
	}}
}

// originator is the user of our o= lines. A dash would do (RFC 8866 section 5.2), but there are peers that want letters.
const originator = "hotline"

// declined is an answer's lines when it takes none.
func (d *description) declined() []*writtenMedia {
	lines := make([]*writtenMedia, len(d.media))
	for i := range d.media {
		lines[i] = declined(&d.media[i])
	}
	return lines
}

// write makes a whole description. Its version is one above the last, so that it may differ from it
// (RFC 3264 section 8).
func (n *negotiator) write(lines ...*writtenMedia) ([]byte, error) {
	n.version++
	family := "IP4"
	if n.local.Addr().Is6() {
		family = "IP6"
	}
	d := sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: originator, SessionID: n.session, SessionVersion: n.version,
			NetworkType: "IN", AddressType: family, UnicastAddress: n.local.Addr().String(),
		},
		SessionName: "-",
		ConnectionInformation: &sdp.ConnectionInformation{
			NetworkType: "IN", AddressType: family, Address: &sdp.Address{Address: n.local.Addr().String()},
		},
		TimeDescriptions:  []sdp.TimeDescription{{}},
		MediaDescriptions: lines,
	}
	b, err := d.Marshal()
	if err != nil {
		return nil, fmt.Errorf("write session description: %w", err)
	}
	return b, nil
}
