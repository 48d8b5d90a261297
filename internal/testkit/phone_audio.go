package testkit

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Audio is the socket that the phone's SDP names, for a test that sends and hears RTP itself, and where the far end wants its
// audio as its SDP said last; not valid before the call is answered, or where that said nothing. The socket is closed with
// the test.
func (c *PhoneCall) Audio() (conn *net.UDPConn, to netip.AddrPort) {
	c.p.do(func() { to = audioOf(c.far) })
	return c.p.audio[0], to
}

// audioOf is where a body wants its one stream of audio (RFC 8866 sections 5.7 and 5.14); not valid when it does not say.
func audioOf(body string) netip.AddrPort {
	var addr netip.Addr
	var port uint64
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if at, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			addr, _ = netip.ParseAddr(at) // not valid when it is none, and then neither is what is returned
		}
		if stream, ok := strings.CutPrefix(line, "m=audio "); ok {
			number, _, _ := strings.Cut(stream, " ")
			if n, err := strconv.ParseUint(number, 10, 16); err == nil {
				port = n
			}
		}
	}
	if !addr.IsValid() || port == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, uint16(port))
}
