package mediaload

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// errBadSDP is why a description is not understood.
var errBadSDP = errors.New("no description of A-law at an address")

// describe is the session description of a party at an address that has A-law alone (RFC 8866; RFC 3551 section 6), and
// takes RTCP at a port, if that is not 0 (RFC 3605).
func describe(at netip.AddrPort, rtcp uint16) []byte {
	b := fmt.Appendf(nil, "v=0\r\no=load 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n", at.Addr(), at.Addr(), at.Port())
	if rtcp != 0 {
		b = fmt.Appendf(b, "a=rtcp:%d\r\n", rtcp)
	}
	return b
}

// described is where a description wants its audio. It reads what [describe] and our engines write, not all that
// RFC 8866 allows.
func described(sdp []byte) (at netip.AddrPort, err error) {
	var address netip.Addr
	var port uint64
	for line := range strings.Lines(string(sdp)) {
		line = strings.TrimRight(line, "\r\n")
		if c, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			if address, err = netip.ParseAddr(c); err != nil {
				return at, fmt.Errorf("%w: %w", errBadSDP, err)
			}
		}
		if m, ok := strings.CutPrefix(line, "m=audio "); ok {
			number, rest, _ := strings.Cut(m, " ")
			if port, err = strconv.ParseUint(number, 10, 16); err != nil {
				return at, fmt.Errorf("%w: %w", errBadSDP, err)
			}
			if fields := strings.Fields(rest); len(fields) < 2 || fields[1] != "8" {
				return at, fmt.Errorf("%w: m=%s", errBadSDP, m)
			}
		}
	}
	if !address.IsValid() || port == 0 {
		return at, fmt.Errorf("%w: %d octets with no c= or m= line", errBadSDP, len(sdp))
	}
	return netip.AddrPortFrom(address, uint16(port)), nil
}
