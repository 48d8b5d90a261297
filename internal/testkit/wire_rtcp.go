package testkit

import (
	"net/netip"
	"strings"
)

// RTCPPacket is one datagram of RTCP: where it went, and the types of the packets in it (RFC 3550 section 12.1).
type RTCPPacket struct {
	Src, Dst netip.AddrPort
	Types    []int
}

// RTCP returns all RTCP captured, in order, by whichever port it came. It stops the capture.
func (c *Capture) RTCP() []RTCPPacket {
	c.tb.Helper()
	args := []string{"-Y", "rtcp", "-T", "fields", "-E", "separator=|", "-E", "aggregator=,"}
	columns := []string{"ip.src", "udp.srcport", "ip.dst", "udp.dstport", "rtcp.pt"}
	for _, column := range columns {
		args = append(args, "-e", column)
	}
	var found []RTCPPacket
	for line := range strings.Lines(string(c.tshark(args...))) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if len(f) != len(columns) {
			c.tb.Fatalf("tshark's line of %d columns: %s", len(f), line)
		}
		p := RTCPPacket{Src: c.addr(f[0], f[1]), Dst: c.addr(f[2], f[3])}
		for kind := range strings.SplitSeq(f[4], ",") {
			if kind != "" {
				p.Types = append(p.Types, c.number(kind))
			}
		}
		found = append(found, p)
	}
	return found
}
