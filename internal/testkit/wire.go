package testkit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// SIPPacket is one SIP message as it passed by.
type SIPPacket struct {
	Time     time.Time
	Src, Dst netip.AddrPort
	TCP      bool
	// Method of a request, else empty; Status of a response, else 0.
	Method string
	Status int
	// CSeqMethod is the method of the CSeq header, so of the request that a response answers.
	CSeqMethod string
	CSeq       int
	CallID     string
	RequestURI string
	From, To   string // users
	ToTag      string
	RetryAfter string
	// Fragment is the first line of a message/sipfrag body (RFC 3420), what a NOTIFY tells of a transfer.
	Fragment string
	// AudioPort is where the SDP of it wants the first stream, 0 without.
	AudioPort int
	// Media is the value of its SDP's first m= line, such as "audio 4000 RTP/AVP 8 101", and Encodings are the names that its
	// a=rtpmap lines give, in order (RFC 8866 sections 5.14 and 6.6); empty without an SDP.
	Media     string
	Encodings []string
	// Audio is the address that it wants it at (c=), and Contact is HOST:PORT of the first Contact; both empty without. Size is
	// that of the whole message, in octets.
	Audio, Contact string
	Size           int
	// Reason is why a CANCEL or BYE was sent (RFC 3326).
	Reason string
}

func (p SIPPacket) String() string {
	what := p.Method
	if p.Status != 0 {
		what = fmt.Sprintf("%d (%s)", p.Status, p.CSeqMethod)
	}
	return fmt.Sprintf("%s %s → %s %s %d", p.Time.Format("15:04:05.000"), p.Src, p.Dst, what, p.CSeq)
}

// RTPPacket is one RTP packet as it passed by (RFC 3550 section 5.1).
type RTPPacket struct {
	Time        time.Time
	Src, Dst    netip.AddrPort
	SSRC        uint32
	Sequence    uint16
	Timestamp   uint32
	PayloadType int
	Marker      bool
	// Event is the code of a telephone-event (RFC 4733 section 2.3), −1 for audio.
	Event int
	// EventEnd marks the last packets of an event: the key was let go (section 2.3.5).
	EventEnd bool
	// Payload is the audio.
	Payload []byte
}

// Samples of the audio, if it is A-law or µ-law, from −1 to 1.
func (p RTPPacket) Samples() []float64 {
	decode := map[int]func(byte) float64{payloadMuLaw: muLaw, payloadALaw: aLaw}[p.PayloadType]
	if p.Event >= 0 || decode == nil {
		return nil
	}
	samples := make([]float64, len(p.Payload))
	for i, code := range p.Payload {
		samples[i] = decode(code)
	}
	return samples
}

// pdml is tshark's XML. Unlike its columns it keeps apart several messages in one TCP segment.
type pdml struct {
	Protos []proto `xml:"proto"`
}

type proto struct {
	Name   string  `xml:"name,attr"`
	Size   int     `xml:"size,attr"`
	Fields []field `xml:"field"`
}

type field struct {
	Name   string  `xml:"name,attr"`
	Show   string  `xml:"show,attr"`
	Fields []field `xml:"field"`
	Protos []proto `xml:"proto"` // of a body
}

// flatten collects the first value of each field, however deep.
func flatten(fields []field, into map[string]string) {
	for _, f := range fields {
		if _, ok := into[f.Name]; !ok {
			into[f.Name] = f.Show
		}
		flatten(f.Fields, into)
		for _, p := range f.Protos {
			flatten(p.Fields, into)
		}
	}
}

// each collects all values of one field, in order, however deep.
func each(fields []field, name string) (values []string) {
	for _, f := range fields {
		if f.Name == name {
			values = append(values, f.Show)
		}
		values = append(values, each(f.Fields, name)...)
		for _, p := range f.Protos {
			values = append(values, each(p.Fields, name)...)
		}
	}
	return values
}

// SIP returns all SIP messages captured, in order. It stops the capture.
func (c *Capture) SIP() []SIPPacket {
	c.tb.Helper()
	out := c.tshark("-Y", "sip", "-T", "pdml", "-J", "frame ip udp tcp sip sipfrag sdp")
	d := xml.NewDecoder(bytes.NewReader(out))
	var found []SIPPacket
	for {
		token, err := d.Token()
		if token == nil {
			if len(found) == 0 {
				c.tb.Logf("no SIP captured (%v)", err)
			}
			return found
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "packet" {
			continue
		}
		var p pdml
		if err := d.DecodeElement(&p, &start); err != nil {
			c.tb.Fatalf("read tshark's XML: %v", err)
		}
		found = append(found, c.messages(p)...)
	}
}

// messages takes one frame apart.
func (c *Capture) messages(p pdml) []SIPPacket {
	c.tb.Helper()
	under := make(map[string]string)
	var found []SIPPacket
	for _, layer := range p.Protos {
		if layer.Name != "sip" {
			flatten(layer.Fields, under)
			continue
		}
		f := make(map[string]string)
		flatten(layer.Fields, f)
		m := SIPPacket{
			Method: f["sip.Method"], CSeqMethod: f["sip.CSeq.method"], CallID: f["sip.Call-ID"],
			RequestURI: f["sip.r-uri"], From: f["sip.from.user"], To: f["sip.to.user"], ToTag: f["sip.to.tag"],
			RetryAfter: f["sip.Retry-After"], Fragment: f["sipfrag.line"], Reason: f["sip.Reason"],
			Media: f["sdp.media"], Encodings: each(layer.Fields, "sdp.mime.type"),
			Audio: f["sdp.connection_info.address"], Size: layer.Size,
		}
		if host, ok := f["sip.contact.host"]; ok {
			m.Contact = host + ":" + f["sip.contact.port"]
		}
		// Absent fields are 0: a request has no status, most have no SDP, and what is malformed may have no CSeq.
		m.Status, _ = strconv.Atoi(f["sip.Status-Code"])
		m.CSeq, _ = strconv.Atoi(f["sip.CSeq.seq"])
		m.AudioPort, _ = strconv.Atoi(f["sdp.media.port"])
		found = append(found, m)
	}
	_, tcp := under["tcp.srcport"]
	layer := overUDP
	if tcp {
		layer = overTCP
	}
	for i := range found {
		found[i].TCP = tcp
		found[i].Time = c.epoch(under["frame.time_epoch"])
		found[i].Src = c.addr(under["ip.src"], under[layer+".srcport"])
		found[i].Dst = c.addr(under["ip.dst"], under[layer+".dstport"])
	}
	return found
}

// rtpColumns are the fields asked of tshark for each RTP packet, in the order RTP reads them.
var rtpColumns = []string{
	"frame.time_epoch", "ip.src", "udp.srcport", "ip.dst", "udp.dstport",
	"rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.p_type", "rtp.marker", "rtpevent.event_id", "rtpevent.end_of_event", "rtp.payload",
}

// RTP returns all RTP packets captured, in order, without RTCP. It stops the capture.
func (c *Capture) RTP() []RTPPacket {
	c.tb.Helper()
	return c.packets(c.tshark)
}

// AwaitRTP waits until the RTP packets captured so far are as wanted, while the capture goes on.
func (c *Capture) AwaitRTP(what string, wanted func([]RTPPacket) bool) {
	c.tb.Helper()
	Within(c.tb, Patience, what, func() bool { return c.mark() && wanted(c.packets(c.read)) })
}

func (c *Capture) packets(read func(args ...string) []byte) []RTPPacket {
	c.tb.Helper()
	args := []string{"-Y", "rtp", "-T", "fields", "-E", "separator=|", "-E", "occurrence=f"}
	for _, column := range rtpColumns {
		args = append(args, "-e", column)
	}
	// tshark learns telephone-event's payload type from the SDP; this is for calls seen half.
	args = append(args, "-o", "rtpevent.event_payload_type_value:101")
	var found []RTPPacket
	lines := bufio.NewScanner(bytes.NewReader(read(args...)))
	lines.Buffer(nil, 1<<20) // a line has a packet's payload in hexadecimal
	for lines.Scan() {
		f := strings.Split(lines.Text(), "|")
		if len(f) != len(rtpColumns) {
			c.tb.Fatalf("tshark's line of %d columns: %s", len(f), lines.Text())
		}
		if f[5] == "" { // on a port of RTP and no RTP: what some phones keep a NAT open with
			continue
		}
		p := RTPPacket{
			Time: c.epoch(f[0]), Src: c.addr(f[1], f[2]), Dst: c.addr(f[3], f[4]),
			SSRC: uint32(c.number(f[5])), Sequence: uint16(c.number(f[6])), Timestamp: uint32(c.number(f[7])),
			PayloadType: c.number(f[8]), Marker: isTrue(f[9]), Event: -1, EventEnd: isTrue(f[11]),
		}
		if f[10] != "" {
			p.Event = c.number(f[10])
		}
		payload, err := hex.DecodeString(strings.ReplaceAll(f[12], ":", ""))
		if err != nil {
			c.tb.Fatalf("tshark's payload: %v", err)
		}
		p.Payload = payload
		// RTCP seen as RTP has these types (RFC 5761 section 4).
		if p.PayloadType < 64 || p.PayloadType > 95 {
			found = append(found, p)
		}
	}
	return found
}

// isTrue reads a flag, which versions of tshark write in two ways.
func isTrue(s string) bool { return s == "1" || s == "True" }

func (c *Capture) epoch(s string) time.Time {
	c.tb.Helper()
	whole, part, _ := strings.Cut(s, ".")
	return time.Unix(int64(c.number(whole)), int64(c.number((part + "000000000")[:9])))
}

func (c *Capture) addr(ip, port string) netip.AddrPort {
	c.tb.Helper()
	a, err := netip.ParseAddr(ip)
	if err != nil {
		c.tb.Fatalf("tshark's address %q: %v", ip, err)
	}
	return netip.AddrPortFrom(a, uint16(c.number(port)))
}

// number reads a decimal, or 0x and hexadecimal.
func (c *Capture) number(s string) int {
	c.tb.Helper()
	base := 10
	if rest, hex := strings.CutPrefix(s, "0x"); hex {
		s, base = rest, 16
	}
	n, err := strconv.ParseInt(s, base, 64)
	if err != nil {
		c.tb.Fatalf("tshark's number: %v", err)
	}
	return int(n)
}
