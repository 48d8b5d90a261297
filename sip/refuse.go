package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	sipmsg "github.com/emiago/sipgo/sip"
)

// refusal answers a request that cannot be parsed: what a response must repeat (RFC 3261 section 8.2.6.2) stands in
// it as it came. It is "" where silence is right, and why says which: for a response or an ACK, for what has no
// Via or CSeq to answer by, and where the answer would be larger than what came, since the source may be
// somebody else's address. What is written of the source itself (received, rport) is not counted: those few octets are owed.
func (u *UA) refusal(o *outline) (answer, why string) {
	via, usable := o.answerVia()
	switch m := o.method(); {
	case o.count[viaKind] == 0:
		return "", dropNoVia
	case o.fault.code == 0, m == "", !isToken(string(m)), o.first[cseqKind] == "":
		return "", o.fault.why
	case m == sipmsg.ACK:
		return "", dropACK
	case !usable:
		return "", dropNoVia
	}
	var b strings.Builder
	b.WriteString(version + " " + strconv.Itoa(o.fault.code) + " " + reason(o.fault.code) + "\r\n")
	echoed, own := [kinds]bool{}, 0
	for f := range fields(o.head) {
		if f.kind == other || f.kind == lengthKind || f.kind != viaKind && echoed[f.kind] || !f.named() {
			continue
		}
		line := plainLines(f.lines)
		if f.kind == toKind && !f.tagged() {
			line += ";tag=" + u.tagOf(o, via)
		}
		if f.kind == viaKind && !echoed[viaKind] {
			said := len(line)
			line = sourced(line, via, o.source)
			own = max(len(line)-said, 0)
		}
		echoed[f.kind] = true
		b.WriteString(line + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	if b.Len()-own > o.size {
		return "", dropReflected
	}
	return b.String(), ""
}

// sourced is the first Via, whole, with where it came from in it: received where the sender named another host or asked for the
// port, and that (RFC 3261 section 18.2.1, RFC 3581 section 4). What it said of either itself is left out. via is what can be read
// of it.
func sourced(line, via string, source netip.AddrPort) string {
	if !source.IsValid() {
		return line
	}
	name, value, _ := strings.Cut(line, ":")
	first, more := value, ""
	if at := comma(value); at >= 0 {
		first, more = value[:at], value[at:]
	}
	var cuts []int // where its parameters begin
	outside(first, func(i int, c byte) bool {
		if c == ';' {
			cuts = append(cuts, i)
		}
		return true
	})
	asks := false
	kept := first
	if len(cuts) > 0 {
		kept = first[:cuts[0]]
	}
	for i, begin := range cuts {
		end := len(first)
		if i+1 < len(cuts) {
			end = cuts[i+1]
		}
		param, _, _ := strings.Cut(first[begin+1:end], "=")
		switch strings.ToLower(strings.TrimSpace(param)) {
		case "rport":
			asks = true
		case "received":
		default:
			kept += first[begin:end]
		}
	}
	kept = strings.TrimRight(kept, " \t\r\n")
	host := source.Addr().Unmap().WithZone("")
	if asks {
		kept += ";rport=" + strconv.Itoa(int(source.Port()))
	}
	if asks || !viaFrom(via, host) {
		kept += ";received=" + host.String()
	}
	return name + ":" + kept + more
}

// viaFrom is sentFrom of a Via as it was written.
func viaFrom(via string, host netip.Addr) bool {
	by, _, _ := strings.Cut(via, ";")
	_, by, _ = strings.Cut(by, " ")
	if i := strings.LastIndexByte(by, ':'); i > strings.LastIndexByte(by, ']') {
		by = by[:i]
	}
	return sentFrom(trim(by), host)
}

// answerVia is what can be read of the first Via: sent-protocol and sent-by, and the parameters as far as they go.
func (o *outline) answerVia() (via string, ok bool) {
	if via, ok = o.topVia(); ok {
		return via, true
	}
	by, _, _ := strings.Cut(via, ";")
	by, _ = viaForm(by)
	_, ok = viaForm(by)
	return by, ok
}

// named tells whether a field that is not whole can be repeated all the same.
func (f *field) named() bool {
	name, _, ok := strings.Cut(f.lines, ":")
	return ok && isToken(strings.TrimRight(name, " \t"))
}

// tagged tells whether a To that may be malformed has a tag, which stands behind its address (RFC 3261 section 20.39).
func (f *field) tagged() bool {
	params := strings.ToLower(squeeze(f.value[strings.LastIndexByte(f.value, '>')+1:], ";="))
	return strings.Contains(params, ";tag=")
}

// plainLines are a field's lines joined by CRLF, without the end of the last. What else ends lines somewhere, and
// could make two headers of one, is left out.
func plainLines(lines string) string {
	out := make([]string, 0, 1)
	for line := range strings.Lines(lines) {
		out = append(out, strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\r", ""))
	}
	return strings.Join(out, "\r\n")
}

// tagOf is tagFor for a request that cannot be parsed.
func (u *UA) tagOf(o *outline, via string) string {
	mac := hmac.New(sha256.New, u.tagKey[:])
	for _, s := range []string{via, o.first[callIDKind], o.first[fromKind], o.first[cseqKind]} {
		mac.Write([]byte(s + "\x00"))
	}
	const length = 6 // octets; RFC 3261 section 19.3 wants at least 4 random ones, and room is scarce
	return hex.EncodeToString(mac.Sum(nil)[:length])
}

// answerTo is where the response to a datagram goes: to its source, at the port that its Via names unless that
// asks for the source's (RFC 3261 section 18.2.2, RFC 3581 section 4). A Via may name port 0, where nothing can be sent.
func (o *outline) answerTo(source netip.AddrPort) netip.AddrPort {
	via, _ := o.answerVia()
	sentBy, params, _ := strings.Cut(via, ";")
	for p := range strings.SplitSeq(params, ";") {
		if p == "rport" {
			return source
		}
	}
	port := sipmsg.DefaultUdpPort
	_, sentBy, _ = strings.Cut(sentBy, " ")
	if i := strings.LastIndexByte(sentBy, ':'); i > strings.LastIndexByte(sentBy, ']') {
		if n, err := strconv.ParseUint(sentBy[i+1:], 10, 16); err == nil {
			port = int(n)
		}
	}
	return netip.AddrPortFrom(source.Addr(), uint16(port)) //nolint:gosec // a port by now
}

// refuse answers a message that cannot be parsed by write, or counts why not: write tells why it sent nothing.
func (u *UA) refuse(o *outline, write func(answer []byte) (why string)) {
	answer, why := u.refusal(o)
	if why == "" {
		why = write([]byte(answer))
	}
	if why != "" {
		u.metrics.drop(why)
		return
	}
	u.metrics.request(o.method())
	u.metrics.response(o.method(), o.fault.code)
}

// ofDestination are the system's errors that speak of where a datagram was to go. Its sender chooses that, so none of them says that
// our socket fails: no route, an address of many, a rule of the firewall, something too large for the way. Where none of our peers can be
// reached any more, our own address being gone (ENETUNREACH too), trunks and phones that are down tell.
var ofDestination = []error{
	syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EPERM, syscall.ECONNREFUSED, syscall.EMSGSIZE,
}

// unsent tells why a datagram was not sent; "" if it was.
func unsent(err error) (why string) {
	switch {
	case err == nil:
		return ""
	case slices.ContainsFunc(ofDestination, func(e error) bool { return errors.Is(err, e) }):
		return dropNoWay
	default:
		return dropUnsent
	}
}
