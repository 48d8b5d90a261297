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

// party is what a description says of who is to send and receive A-law.
type party struct {
	at     netip.AddrPort
	rtcp   uint16 // where RTCP goes (RFC 3605); 0 for where it goes by itself
	crypto string // the a=crypto line, with which the audio is encrypted (RFC 4568); empty when it is not
}

// describe writes a description (RFC 8866; RFC 3551 section 6).
func describe(p party) []byte {
	profile := "RTP/AVP"
	if p.crypto != "" {
		profile = "RTP/SAVP"
	}
	b := fmt.Appendf(nil, "v=0\r\no=load 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"+
		"m=audio %d %s 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n",
		p.at.Addr(), p.at.Addr(), p.at.Port(), profile)
	if p.rtcp != 0 {
		b = fmt.Appendf(b, "a=rtcp:%d\r\n", p.rtcp)
	}
	if p.crypto != "" {
		b = append(b, p.crypto+"\r\n"...)
	}
	return b
}

// described reads what [describe] and our engines write, not all that RFC 8866 allows: where audio is to go, and the
// first key. Error: errBadSDP.
func described(sdp []byte) (p party, err error) {
	var address netip.Addr
	var port uint64
	for line := range strings.Lines(string(sdp)) {
		line = strings.TrimRight(line, "\r\n")
		if c, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			if address, err = netip.ParseAddr(c); err != nil {
				return p, fmt.Errorf("%w: %w", errBadSDP, err)
			}
		}
		if m, ok := strings.CutPrefix(line, "m=audio "); ok {
			number, rest, _ := strings.Cut(m, " ")
			if port, err = strconv.ParseUint(number, 10, 16); err != nil {
				return p, fmt.Errorf("%w: %w", errBadSDP, err)
			}
			if fields := strings.Fields(rest); len(fields) < 2 || fields[1] != "8" {
				return p, fmt.Errorf("%w: m=audio %s", errBadSDP, m)
			}
		}
		if strings.HasPrefix(line, "a=crypto:") && p.crypto == "" {
			p.crypto = line
		}
	}
	if !address.IsValid() || port == 0 {
		return p, fmt.Errorf("%w: %d octets with no c= or m= line", errBadSDP, len(sdp))
	}
	p.at = netip.AddrPortFrom(address, uint16(port))
	return p, nil
}
