package sip

import (
	"bytes"
	"net"

	sipmsg "github.com/emiago/sipgo/sip"
)

const (
	// maxDatagram is the largest UDP message read, in octets. Far above any request of a phone, and
	// below sipgo's read buffer, so that a datagram that was cut is never taken for a whole one.
	maxDatagram = 16 << 10
	// maxUDPMessage is the largest message written to UDP, in octets: what no longer fits the path's MTU
	// is fragmented by IP rather than not sent at all, which is what sipgo does above its UDPMTUSize
	// (RFC 3261 section 18.1.1 wants TCP instead, which most phones behind UDP cannot be reached by).
	maxUDPMessage = 8 << 10
)

// filter refuses, before anything is parsed or remembered, datagrams that cannot be a message of ours.
// It is called by sipgo's read loops, which an error would end: it never returns one.
func (u *UA) filter(info sipmsg.TransportReadProps, data []byte) ([]byte, error) {
	if u.deaf.Load() {
		return nil, nil
	}
	if _, ok := info.LocalAddr.(*net.UDPAddr); !ok {
		return data, nil // a stream's reads are not messages; the stream parser has its bounds
	}
	if len(bytes.Trim(data, "\r\n")) == 0 {
		return nil, nil // keep-alive (RFC 5626 section 3.5.1 has it for streams; phones send it here too)
	}
	if why := refuseDatagram(data); why != "" {
		u.metrics.drop(why)
		return nil, nil
	}
	return data, nil
}

// refuseDatagram returns why a datagram is to be dropped, or "".
func refuseDatagram(data []byte) string {
	if len(data) > maxDatagram {
		return dropTooBig
	}
	data = bytes.TrimLeft(data, "\r\n") // RFC 3261 section 7.5
	first, _, _ := bytes.Cut(data, []byte("\r\n"))
	if !bytes.Contains(bytes.ToUpper(first), []byte("SIP/")) {
		return dropNotSIP
	}
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok {
		return dropNoEnd
	}
	if claimedLength(head) > len(body) {
		return dropLength
	}
	return ""
}

// claimedLength is the largest Content-Length among the headers, or 0; one too long to be a number of
// octets in any datagram counts as more than any datagram has. Other malformed values are the parser's.
func claimedLength(head []byte) int {
	most := 0
	for line := range bytes.Lines(head) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		name = bytes.TrimSpace(name)
		if !bytes.EqualFold(name, []byte("content-length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		most = max(most, digits(bytes.TrimSpace(value)))
	}
	return most
}

// digits reads a decimal number that saturates above maxDatagram; anything else is 0.
func digits(s []byte) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0
		}
		n = min(n*10+int(c-'0'), maxDatagram+1)
	}
	return n
}
