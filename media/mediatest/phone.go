package mediatest

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// patience is how long a phone waits for what must come, on a machine that does much else; only a failing test waits so long.
const patience = 30 * time.Second

// Packet is an RTP packet as a phone received it (RFC 3550 section 5.1).
type Packet struct {
	Marker    bool
	Payload   uint8
	Sequence  uint16
	Timestamp uint32
	SSRC      uint32
	Audio     []byte
	At        time.Time
	From      netip.AddrPort
}

// Silent reports whether a packet carries nothing to hear, in A-law or µ-law.
func (p Packet) Silent() bool {
	for _, b := range p.Audio {
		if b != 0xD5 && b != 0xFE && b != 0xFF {
			return false
		}
	}
	return true
}

// Phone is a far end made of one UDP socket on the loopback address and nothing of package media. Its
// methods are for the test's goroutine; the fields may be changed between calls.
type Phone struct {
	// Codec and its payload type, and that of telephone-event; Event 0 means it has none.
	Codec  media.Codec
	Number uint8
	Event  uint8
	// Formats are more that it describes: "13 CN".
	Formats []string
	// SSRC, Sequence and Timestamp of the next packet it sends.
	SSRC      uint32
	Sequence  uint16
	Timestamp uint32

	t        *testing.T
	conn     *net.UDPConn
	to       netip.AddrPort
	received chan Packet
	reports  chan []byte // RTCP that came to the same port
	secure   phoneSecurity
}

// NewPhone makes a phone with a codec at its static payload type and telephone-event at 101. It is
// taken down with the test.
func NewPhone(t *testing.T, codec media.Codec) *Phone {
	t.Helper()
	return newPhoneAt(t, loopback, codec)
}

func newPhoneAt(t *testing.T, host netip.Addr, codec media.Codec) *Phone {
	t.Helper()
	conn := listenAt(t, host)
	p := &Phone{
		Codec: codec, Number: 8, Event: 101,
		SSRC: uint32(conn.LocalAddr().(*net.UDPAddr).Port), Sequence: 65530, Timestamp: 4294967000,
		t: t, conn: conn, received: make(chan Packet, 4096), reports: make(chan []byte, 64),
	}
	if codec == media.PCMU {
		p.Number = 0
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.listen()
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return p
}

// listenAt opens a socket of an address's family.
func listenAt(t *testing.T, host netip.Addr) *net.UDPConn {
	t.Helper()
	network := "udp4"
	if host.Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
	require.NoError(t, err)
	return conn
}

func (p *Phone) listen() {
	buf := make([]byte, 4096)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if n < 12 {
			continue
		}
		if buf[1] >= 192 && buf[1] <= 223 { // RFC 5761 section 4
			select {
			case p.reports <- append([]byte(nil), buf[:n]...):
			default:
			}
			continue
		}
		b, ok := p.secure.open(buf[:n])
		if !ok {
			continue
		}
		packet := Packet{
			Marker: b[1]&0x80 != 0, Payload: b[1] & 0x7F,
			Sequence: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]),
			SSRC:  binary.BigEndian.Uint32(b[8:]),
			Audio: append([]byte(nil), b[12:]...), At: time.Now(), From: from,
		}
		select {
		case p.received <- packet:
		default: // the test does not listen; it will miss what it should have counted
		}
	}
}

// Address of the phone's socket.
func (p *Phone) Address() netip.AddrPort { return p.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// Describe is the phone's session description; lines (a=sendonly) are put at its end.
func (p *Phone) Describe(lines ...string) []byte {
	formats := []string{fmt.Sprintf("%d %s", p.Number, strings.ToUpper(string(p.Codec)))}
	if p.Event != 0 {
		formats = append(formats, fmt.Sprintf("%d telephone-event", p.Event))
	}
	return describe(p.Address(), append(formats, p.Formats...), lines)
}

// Describe is the description of a far end at an address, that has PCMA at 8.
func Describe(at netip.AddrPort) []byte { return describe(at, []string{"8 PCMA"}, nil) }

func describe(at netip.AddrPort, formats, lines []string) []byte {
	var numbers, maps strings.Builder
	for _, f := range formats {
		number, _, _ := strings.Cut(f, " ")
		numbers.WriteString(" " + number)
		maps.WriteString("a=rtpmap:" + f + "/8000\r\n")
	}
	for _, line := range lines {
		maps.WriteString(line + "\r\n")
	}
	address := "IN IP4 " + at.Addr().String()
	if at.Addr().Is6() {
		address = "IN IP6 " + at.Addr().String()
	}
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 %s\r\ns=-\r\nc=%s\r\nt=0 0\r\nm=audio %d RTP/AVP%s\r\n%s",
		address, address, at.Port(), numbers.String(), maps.String())
}

// Call offers the phone's description to a stream, and sends to it from then on. It returns the answer.
func (p *Phone) Call(s media.Stream, lines ...string) string {
	p.t.Helper()
	answer, err := s.Answer(p.Describe(lines...))
	require.NoError(p.t, err)
	p.Aim(s)
	return string(answer)
}

// Aim makes the phone send to a stream.
func (p *Phone) Aim(s media.Stream) { p.to = s.Local() }

// AimAt makes the phone send to an address, such as a relay's.
func (p *Phone) AimAt(to netip.AddrPort) { p.to = to }

// Send sends one packet of audio, coded in the phone's codec, and goes on in sequence and timestamp.
func (p *Phone) Send(audio []byte) {
	p.t.Helper()
	p.packet(p.Number, false, p.Timestamp, audio)
	p.Sequence++
	p.Timestamp += uint32(len(audio))
}

// Say sends a clip in packets of 20 ms, unpaced.
func (p *Phone) Say(clip media.Clip) {
	p.t.Helper()
	audio := coded(clip.ALaw, p.Codec)
	for len(audio) >= 160 {
		p.Send(audio[:160])
		audio = audio[160:]
	}
}

// Press sends the packets of one event (RFC 4733): the first with the marker, then one for each 20 ms,
// the last three times with the end bit; lost says which of them, counted from 0, do not arrive.
func (p *Phone) Press(event byte, packets int, lost func(i int) bool) {
	p.t.Helper()
	for i := range packets + 2 {
		end, duration := byte(0), (i+1)*160
		if i >= packets-1 {
			end, duration = 0x80, packets*160
		}
		if lost == nil || !lost(i) {
			p.packet(p.Event, i == 0, p.Timestamp, []byte{event, end | 10, byte(duration >> 8), byte(duration)})
		}
		p.Sequence++
	}
	p.Timestamp += uint32(packets * 160)
}

func (p *Phone) packet(payload uint8, marker bool, timestamp uint32, body []byte) {
	p.t.Helper()
	p.Raw(p.secure.seal(append(p.header(payload, marker, timestamp), body...)))
}

// header of the next packet.
func (p *Phone) header(payload uint8, marker bool, timestamp uint32) []byte {
	b := make([]byte, 12)
	b[0], b[1] = 0x80, payload
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], p.Sequence)
	binary.BigEndian.PutUint32(b[4:], timestamp)
	binary.BigEndian.PutUint32(b[8:], p.SSRC)
	return b
}

// Raw sends any datagram.
func (p *Phone) Raw(b []byte) {
	p.t.Helper()
	_, err := p.conn.WriteToUDPAddrPort(b, p.to)
	require.NoError(p.t, err)
}

// Next is the next packet received.
func (p *Phone) Next() Packet {
	p.t.Helper()
	select {
	case packet := <-p.received:
		return packet
	case <-time.After(patience):
		require.FailNow(p.t, "no RTP packet came")
		return Packet{}
	}
}

// Take returns the next n packets.
func (p *Phone) Take(n int) []Packet {
	p.t.Helper()
	packets := make([]Packet, n)
	for i := range packets {
		packets[i] = p.Next()
	}
	return packets
}

// Until takes packets up to the first that is wanted, and returns them all.
func (p *Phone) Until(wanted func(Packet) bool) []Packet {
	p.t.Helper()
	var packets []Packet
	for {
		packets = append(packets, p.Next())
		if wanted(packets[len(packets)-1]) {
			return packets
		}
	}
}

// Heard joins the audio of packets, as A-law.
func (p *Phone) Heard(packets []Packet) []byte {
	var audio []byte
	for _, packet := range packets {
		audio = append(audio, packet.Audio...)
	}
	if p.Codec == media.PCMU {
		for i, code := range audio {
			audio[i] = alawOf[code]
		}
	}
	return audio
}

// The nearest code of the other law for each code: searched for, free of any arithmetic that package
// media might share.
var (
	ulawOf = nearest(linear, ulawLinear)
	alawOf = nearest(ulawLinear, linear)
)

func nearest(from, to func(byte) float64) (table [256]byte) {
	for code := range table {
		value, distance := from(byte(code)), math.Inf(1)
		for other := range table {
			if d := math.Abs(value - to(byte(other))); d < distance {
				table[code], distance = byte(other), d
			}
		}
	}
	return table
}

// coded turns A-law into a codec.
func coded(alaw []byte, codec media.Codec) []byte {
	if codec != media.PCMU {
		return alaw
	}
	audio := make([]byte, len(alaw))
	for i, code := range alaw {
		audio[i] = ulawOf[code]
	}
	return audio
}

// ulawLinear expands a µ-law code (ITU-T G.711), on the scale of linear.
func ulawLinear(code byte) float64 {
	code = ^code
	value := (float64(code&0x0F)+16.5)*float64(int(1)<<(code>>4&7)) - 16.5
	if code&0x80 != 0 {
		value = -value
	}
	return value * 8
}
