package sip

import (
	"cmp"
	"strconv"
	"strings"
)

// This file judges the forms of header values (RFC 3261 section 25.1) before sipgo reads them, since it
// believes much that is malformed, and stumbles over white space that is allowed. A form returns the value as
// sipgo understands it. It is more liberal than the grammar where no doubt is possible: a call must not fail
// for a sloppy display name.

// tokens are the octets of a token.
var tokens = func() (set [256]bool) {
	for _, c := range []byte(letters + "0123456789-.!%*_+`'~") {
		set[c] = true
	}
	return set
}()

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// isToken reports whether s is a token.
func isToken(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isAlnum(c byte) bool { return isAlpha(c) || c >= '0' && c <= '9' }
func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// trim takes the white space off both ends.
func trim(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// isNumber reports whether s is a decimal number up to most.
func isNumber(s string, most uint64) bool {
	n, err := strconv.ParseUint(s, 10, 64) // takes no sign
	return err == nil && n <= most
}

// outside calls f for each octet of s that is neither within a quoted string nor between angle brackets, what
// opens them included, until f returns false. It reports whether all that was opened was closed.
func outside(s string, f func(i int, c byte) bool) (closed bool) {
	quoted, bracketed := false, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quoted && c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case bracketed:
			bracketed = c != '>'
		default:
			quoted, bracketed = c == '"', c == '<'
			if !f(i, c) {
				return true
			}
		}
	}
	return !quoted && !bracketed
}

// comma is where the first element of a list ends, -1 when it is the only one.
func comma(s string) int {
	at := -1
	if strings.IndexByte(s, ',') < 0 {
		return at
	}
	outside(s, func(i int, c byte) bool {
		if c == ',' {
			at = i
		}
		return at < 0
	})
	return at
}

// squeeze takes out the white space around a value and around the separators in it, which may stand there,
// and makes one space of all other. It allocates only where there is some to take out.
func squeeze(s, separators string) string {
	s = trim(s)
	separates := func(i int) bool { return strings.IndexByte(separators, s[i]) >= 0 }
	if squeezed(s, separates) {
		return s
	}
	var b strings.Builder
	kept, run := 0, -1 // what is not written yet begins at kept; a run of white space at run
	outside(s, func(i int, c byte) bool {
		if isSpace(c) {
			if run < 0 {
				run = i
			}
			return true
		}
		if run < 0 {
			return true
		}
		one := s[run:i] == " "
		apart := !separates(run-1) && !separates(i)
		if !one || !apart {
			b.WriteString(s[kept:run])
			if apart {
				b.WriteByte(' ')
			}
			kept = i
		}
		run = -1
		return true
	})
	if kept == 0 {
		return s
	}
	b.WriteString(s[kept:])
	return b.String()
}

// squeezed reports whether there is no white space in s but single spaces beside no separator.
func squeezed(s string, separates func(i int) bool) bool {
	if strings.IndexByte(s, '\t') >= 0 {
		return false
	}
	for i := strings.IndexByte(s, ' '); i >= 0; {
		if s[i+1] == ' ' || separates(i-1) || separates(i+1) {
			return false
		}
		next := strings.IndexByte(s[i+1:], ' ')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return true
}

// paramsForm judges parameters, each with its semicolon before it, without white space around separators.
// Those names in lower that are written otherwise are made lower case, since sipgo tells names apart by case.
func paramsForm(s string, lower ...string) (string, bool) {
	if s == "" {
		return s, true
	}
	if s[0] != ';' {
		return s, false
	}
	var tidy []byte // s with those names, if there are any
	for begin := 1; ; {
		end, ok := paramEnd(s, begin)
		name, value, valued := strings.Cut(s[begin:end], "=")
		if !ok || !isToken(name) || valued && !isParamValue(value) {
			return s, false
		}
		for _, l := range lower {
			if name != l && strings.EqualFold(name, l) {
				tidy = overwrite(tidy, s, begin, l)
			}
		}
		if end == len(s) {
			return cmp.Or(string(tidy), s), true
		}
		begin = end + 1
	}
}

// paramEnd is where the parameter that begins at begin ends: at a semicolon, or with s.
func paramEnd(s string, begin int) (end int, ok bool) {
	end = len(s)
	if i := strings.IndexByte(s[begin:], ';'); i >= 0 {
		end = begin + i
	}
	if strings.IndexByte(s[begin:end], '"') < 0 {
		return end, true
	}
	end = len(s)
	ok = outside(s[begin:], func(i int, c byte) bool {
		if c == ';' {
			end = begin + i
		}
		return end == len(s)
	})
	return end, ok
}

// isParamValue takes what is a token, a host or a quoted string, and anything else that cannot be mistaken
// for more than one value.
func isParamValue(s string) bool {
	if strings.HasPrefix(s, `"`) {
		return len(s) > 1 && s[len(s)-1] == '"'
	}
	for i := range len(s) {
		if !tokens[s[i]] && strings.IndexByte(" \t\"<>,;\x7f", s[i]) >= 0 {
			return false
		}
	}
	return true
}

// viaForm judges one element of Via (RFC 3261 section 20.42).
func viaForm(s string) (string, bool) {
	s = squeeze(s, "/;=:")
	name, rest, _ := strings.Cut(s, "/")
	number, rest, _ := strings.Cut(rest, "/")
	transport, rest, ok := strings.Cut(rest, " ")
	if !ok || !strings.EqualFold(name, "SIP") || !isToken(number) || !isToken(transport) {
		return s, false
	}
	by, params := rest, ""
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		by, params = rest[:i], rest[i:]
	}
	tidy, ok := paramsForm(params, "branch", "rport", "received")
	// sipgo reads no parameter of a Via right that stands behind a quoted one.
	return joined(s, len(s)-len(params), tidy), ok && isHostPort(by) && strings.IndexByte(params, '"') < 0
}

// isHostPort judges a host with a port or none (RFC 3261 section 25.1: hostport).
func isHostPort(s string) bool {
	var host, port string
	var ported bool
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 || end > 41 || len(s) > end+1 && s[end+1] != ':' {
			return false
		}
		host, port, ported = s[1:end], s[min(end+2, len(s)):], len(s) > end+1
		if strings.Trim(host, "0123456789abcdefABCDEF:.") != "" || strings.IndexByte(host, ':') < 0 {
			return false
		}
	} else {
		host, port, ported = strings.Cut(s, ":")
		for i := range len(host) {
			if !isAlnum(host[i]) && host[i] != '.' && host[i] != '-' && host[i] != '_' {
				return false
			}
		}
	}
	const ports = 1<<16 - 1
	return host != "" && (!ported || port != "" && isNumber(port, ports))
}

// addressForm judges a name-addr or addr-spec with parameters (RFC 3261 section 20.10).
func addressForm(s string) (string, bool) {
	s = squeeze(s, ";=")
	open, ok := bracket(s)
	if !ok {
		return s, false
	}
	if open < 0 {
		uri, params := s, ""
		if i := strings.IndexByte(s, ';'); i >= 0 {
			uri, params = s[:i], s[i:]
		}
		tidy, ok := paramsForm(params, "tag")
		// What has a comma or a question mark must stand in brackets.
		return joined(s, len(uri), tidy), ok && isURI(uri) && !strings.ContainsAny(uri, ",?")
	}
	length := strings.IndexByte(s[open:], '>')
	if length < 0 || !isDisplayName(s[:open]) {
		return s, false
	}
	end := open + length + 1
	tidy, ok := paramsForm(s[end:], "tag")
	return joined(s, end, tidy), ok && isURI(s[open+1:end-1])
}

// bracket is where the URI's bracket opens, -1 without one.
func bracket(s string) (open int, ok bool) {
	open = strings.IndexByte(s, '<')
	if strings.IndexByte(s, '"') < 0 {
		if i := strings.IndexByte(s, ';'); i >= 0 && i < open {
			return -1, true
		}
		return open, true
	}
	open = -1
	ok = outside(s, func(i int, c byte) bool {
		if c == '<' {
			open = i
		}
		return open < 0 && c != ';'
	})
	return open, ok
}

// isDisplayName takes a quoted string, or whatever else cannot be mistaken for one or for an address.
func isDisplayName(s string) bool {
	s = trim(s)
	if strings.HasPrefix(s, `"`) {
		n := 0
		return outside(s, func(int, byte) bool { n++; return true }) && n == 1 && len(s) > 1
	}
	return !strings.ContainsAny(s, "\";")
}

// isURI judges a URI so far that sipgo reads it (RFC 3261 section 25.1: SIP-URI, absoluteURI). Schemes that sipgo
// does not read it does not take.
func isURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	return ok && isScheme(scheme) && isReadable(scheme) && isURIPart(scheme, rest)
}

// isReadable reports whether sipgo reads a scheme: it takes letters only.
func isReadable(scheme string) bool {
	return !strings.ContainsFunc(scheme, func(r rune) bool { return r > 'z' || !isAlpha(byte(r)) })
}

// isScheme judges the scheme of a URI (RFC 3261 section 25.1: scheme).
func isScheme(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("+-.", s[i]) < 0 {
			return false
		}
	}
	return s != "" && isAlpha(s[0])
}

// isURIPart judges what stands behind the scheme of a URI.
func isURIPart(scheme, rest string) bool {
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			return false
		}
	}
	if !strings.EqualFold(scheme, schemeSIP) && !strings.EqualFold(scheme, schemeSIPS) {
		return rest != ""
	}
	if user, host, ok := strings.Cut(rest, "@"); ok {
		if user == "" || strings.IndexByte(user, '[') >= 0 {
			return false
		}
		rest = host
	}
	if i := strings.IndexFunc(rest, func(r rune) bool { return r == ';' || r == '?' }); i >= 0 {
		rest = rest[:i]
	}
	return isHostPort(rest)
}

// contactForm judges one element of Contact (RFC 3261 section 20.10).
func contactForm(s string) (string, bool) {
	if s = trim(s); s == "*" {
		return s, true
	}
	return addressForm(s)
}

// seqMost bounds a CSeq (RFC 3261 section 8.1.1.5).
const seqMost = 1<<31 - 1

// cseqForm judges a CSeq (RFC 3261 section 20.16).
func cseqForm(s string) (string, bool) {
	s = squeeze(s, "")
	number, method, _ := strings.Cut(s, " ")
	return s, isNumber(number, seqMost) && isToken(method)
}

// callIDForm judges a Call-ID (RFC 3261 section 20.8).
func callIDForm(s string) (string, bool) {
	s = trim(s)
	return s, s != "" && !strings.ContainsAny(s, " \t")
}

// lengthForm judges a Content-Length (RFC 3261 section 20.14).
func lengthForm(s string) (string, bool) {
	s = trim(s)
	return s, isNumber(s, maxDatagram)
}

// hopsForm judges a Max-Forwards (RFC 3261 section 20.22).
func hopsForm(s string) (string, bool) {
	const most = 255
	s = trim(s)
	return s, isNumber(s, most)
}

// typeForm judges a Content-Type (RFC 3261 section 20.15).
func typeForm(s string) (string, bool) {
	s = squeeze(s, "/;=")
	kind, _, _ := strings.Cut(s, ";")
	major, minor, _ := strings.Cut(kind, "/")
	return s, isToken(major) && isToken(minor)
}
