package media

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Bounds on what is read of a description. Real ones have a few m-lines and some twenty formats.
const (
	maxSDP        = 16 << 10 // bytes
	maxMediaLines = 32
	maxFormats    = 128 // there are no more RTP payload types
)

// description is what negotiation needs of a session description (RFC 8866). It has a reader of its
// own because pion's refuses whole descriptions with media or transports it has not heard of, such
// as the m=image udptl that every fax-able gateway sends; an offer's unknown lines are to be
// declined one by one instead (RFC 3264 section 6).
type description struct {
	address   netip.Addr // the c= line; zero when there is none, or none that is an IP address
	direction direction
	media     []mediaLine
}

// mediaLine is an m= line and those below it.
type mediaLine struct {
	kind, proto string
	port        uint16
	formats     []string
	rtpmap      []rtpmap
	connected   bool // it has a c= line of its own, be it one that gives no address
	address     netip.Addr
	direction   direction
	rtcp        netip.AddrPort // a=rtcp (RFC 3605); the address may be missing
	mux         bool           // a=rtcp-mux (RFC 5761)
	ptime       packetTime
	maxptime    packetTime
	cryptos     int          // how many a=crypto lines there are
	crypto      []cryptoLine // those that can be used
}

// rtpmap is an a=rtpmap line (RFC 8866 section 6.6).
type rtpmap struct {
	payload  uint8
	encoding string // "PCMA/8000", in capitals
}

// direction is who sends, from the point of view of the one who wrote the description
// (RFC 3264 section 5.1).
type direction struct{ set, send, receive bool }

var directions = map[string]direction{
	"sendrecv": {set: true, send: true, receive: true},
	"sendonly": {set: true, send: true},
	"recvonly": {set: true, receive: true},
	"inactive": {set: true},
}

func badSDP(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBadSDP}, args...)...)
}

// parseSDP reads a description. Errors wrap ErrBadSDP.
func parseSDP(b []byte) (*description, error) {
	if len(b) > maxSDP {
		return nil, badSDP("%d bytes long, more than %d", len(b), maxSDP)
	}
	d, number, origin := &description{}, 0, false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		number++
		if line == "" {
			continue // some phones end with an empty line
		}
		if err := checkLine(line, number); err != nil {
			return nil, err
		}
		if line[0] == 'o' {
			if len(strings.Fields(line[2:])) != 6 {
				return nil, badSDP("line %d: an o= line has six fields", number)
			}
			origin = true
		}
		if err := d.line(line[0], line[2:]); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if !origin {
		return nil, badSDP("no o= line")
	}
	d.inherit()
	return d, nil
}

// AudioAddress is where a description wants its first audio that is not declined; the zero value if it has none, or cannot be
// read.
func AudioAddress(description []byte) netip.Addr {
	d, err := parseSDP(description)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range d.media {
		if m.kind == kindAudio && m.port != 0 && m.address.IsValid() {
			return m.address.Unmap()
		}
	}
	return netip.Addr{}
}

// checkLine refuses what is not "x=text", and control characters: parts of an offer are repeated in
// our answer.
func checkLine(line string, number int) error {
	if len(line) < 2 || line[0] < 'a' || line[0] > 'z' || line[1] != '=' {
		return badSDP("line %d is not of the form x=…", number)
	}
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
		return badSDP("line %d holds a control character", number)
	}
	if (number == 1) != (line == "v=0") {
		return badSDP("line %d: a description begins with v=0, once", number)
	}
	return nil
}

func (d *description) line(kind byte, text string) error {
	if kind == 'm' {
		return d.mediaLine(text)
	}
	address, dir := &d.address, &d.direction
	var m *mediaLine
	if len(d.media) > 0 {
		m = &d.media[len(d.media)-1]
		address, dir = &m.address, &m.direction
	}
	switch kind {
	case 'c':
		a, err := parseConnection(strings.Fields(text))
		*address = a
		if m != nil {
			m.connected = true
		}
		return err
	case 'a':
		name, value, _ := strings.Cut(text, ":")
		if found, ok := directions[strings.TrimSpace(name)]; ok {
			*dir = found
			return nil
		}
		if m != nil {
			return m.attribute(name, value)
		}
	}
	return nil
}

// parseConnection reads the fields of a c= line. A host name gives no address: it is not looked up.
func parseConnection(fields []string) (netip.Addr, error) {
	if len(fields) != 3 || fields[0] != "IN" || fields[1] != "IP4" && fields[1] != "IP6" {
		return netip.Addr{}, badSDP("connection %q", strings.Join(fields, " "))
	}
	host, _, _ := strings.Cut(fields[2], "/") // the scope of a multicast address
	if a, err := netip.ParseAddr(host); err == nil && a.Zone() == "" {
		return a.Unmap(), nil
	}
	return netip.Addr{}, nil
}

func (d *description) mediaLine(text string) error {
	fields := strings.Fields(text)
	if len(fields) < 4 {
		return badSDP("an m= line has at least four fields")
	}
	if len(d.media) == maxMediaLines || len(fields)-3 > maxFormats {
		return badSDP("too many m= lines or formats")
	}
	portText, _, _ := strings.Cut(fields[1], "/")
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return badSDP("port %q", fields[1])
	}
	d.media = append(d.media, mediaLine{
		kind: fields[0], port: uint16(port), proto: fields[2], formats: fields[3:],
	})
	return nil
}

func (m *mediaLine) attribute(name, value string) error {
	fields := strings.Fields(value)
	switch {
	case name == "rtpmap" && len(fields) >= 2:
		payload, err := strconv.ParseUint(fields[0], 10, 7)
		if err != nil {
			return badSDP("payload type %q", fields[0])
		}
		encoding := strings.TrimSuffix(strings.ToUpper(fields[1]), "/1") // one channel is the default
		m.rtpmap = append(m.rtpmap, rtpmap{payload: uint8(payload), encoding: encoding})
	case name == "rtpmap":
		return badSDP("a=rtpmap has a payload type and an encoding")
	case name == attributeMux:
		m.mux = true
	case name == "crypto":
		m.addCrypto(value)
	case name == "rtcp" && len(fields) > 0:
		port, err := strconv.ParseUint(fields[0], 10, 16)
		if err != nil {
			return badSDP("RTCP port %q", fields[0])
		}
		var a netip.Addr
		if len(fields) > 1 {
			if a, err = parseConnection(fields[1:]); err != nil {
				return err
			}
		}
		m.rtcp = netip.AddrPortFrom(a, uint16(port))
	case name == "ptime":
		m.ptime = parsePacketTime(value)
	case name == "maxptime":
		m.maxptime = parsePacketTime(value)
	}
	return nil
}

// removed reports whether a description has audio of a profile that is switched off, and none that is on (RFC
// 3264 section 8.2).
func (d *description) removed(profile string) bool {
	off := false
	for i := range d.media {
		if m := &d.media[i]; m.kind == kindAudio {
			if m.port != 0 {
				return false
			}
			off = off || m.proto == profile
		}
	}
	return off
}

// inherit gives each m-line what stands at session level, where it has none of its own.
func (d *description) inherit() {
	for i := range d.media {
		m := &d.media[i]
		if !m.connected {
			m.address = d.address
		}
		if !m.direction.set {
			m.direction = d.direction
		}
		if !m.direction.set {
			m.direction = directions["sendrecv"]
		}
	}
}
