package sip

import "bytes"

const (
	// maxDatagram is the largest UDP message read, in octets. Far above any request of a phone, and
	// below sipgo's read buffer, so that a datagram that was cut is never taken for a whole one.
	maxDatagram = 16 << 10
	// maxUDPMessage is the largest message written to UDP, in octets: what no longer fits the path's MTU
	// is fragmented by IP rather than not sent at all, which is what sipgo does above its UDPMTUSize
	// (RFC 3261 section 18.1.1 wants TCP instead, which most phones behind UDP cannot be reached by).
	maxUDPMessage = 8 << 10
)

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
