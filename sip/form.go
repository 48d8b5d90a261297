package sip

import (
	"strconv"
	"strings"
)

// This file judges the forms of header values (RFC 3261 section 25.1) before sipgo reads them, since it
// believes much that is malformed, and stumbles over white space that is allowed. A form returns the value as
// sipgo understands it. It is more liberal than the grammar where no doubt is possible: a call must not fail
// for a sloppy display name.

// isToken reports whether s is a token.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("-.!%*_+`'~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool { return isAlpha(c) || isDigit(c) }
func isSpace(c byte) bool { return c == ' ' || c == '\t' }

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
	s = strings.Trim(s, " \t")
	if strings.IndexByte(s, ' ') < 0 && strings.IndexByte(s, '\t') < 0 {
		return s
	}
	separates := func(i int) bool { return strings.IndexByte(separators, s[i]) >= 0 }
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

// paramsForm judges parameters, each with its semicolon before it, without white space around separators.
// Those names in lower that are written otherwise are made lower case, since sipgo tells names apart by case.
func paramsForm(s string, lower ...string) (string, bool) {
	begin, ok := 0, true
	check := func(end int) {
		name, value, valued := strings.Cut(s[begin:end], "=")
		ok = ok && isToken(name) && (!valued || isParamValue(value))
		for _, l := range lower {
			if name != l && strings.EqualFold(name, l) {
				s = s[:begin] + l + s[begin+len(name):]
			}
		}
	}
	if s == "" {
		return s, true
	}
	if s[0] != ';' {
		return s, false
	}
	closed := outside(s, func(i int, c byte) bool {
		if c == ';' && i > 0 {
			check(i)
		}
		if c == ';' {
			begin = i + 1
		}
		return true
	})
	check(len(s))
	return s, ok && closed
}

// isParamValue takes what is a token, a host or a quoted string, and anything else that cannot be mistaken
// for more than one value.
func isParamValue(s string) bool {
	if strings.HasPrefix(s, `"`) {
		return len(s) > 1 && s[len(s)-1] == '"'
	}
	return !strings.ContainsAny(s, " \t\"<>,;\x7f")
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
	return s[:len(s)-len(params)] + tidy, ok && isHostPort(by) && strings.IndexByte(params, '"') < 0
}

// isHostPort judges a host with a port or none (RFC 3261 section 25.1: hostport).
func isHostPort(s string) bool {
	host, port, ported := s, "", false
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
	open := -1
	if !outside(s, func(i int, c byte) bool {
		if c == '<' {
			open = i
		}
		return open < 0 && c != ';'
	}) {
		return s, false
	}
	if open < 0 {
		uri, params := s, ""
		if i := strings.IndexByte(s, ';'); i >= 0 {
			uri, params = s[:i], s[i:]
		}
		tidy, ok := paramsForm(params, "tag")
		// What has a comma or a question mark must stand in brackets.
		return uri + tidy, ok && isURI(uri) && !strings.ContainsAny(uri, ",?")
	}
	length := strings.IndexByte(s[open:], '>')
	if length < 0 || !isDisplayName(s[:open]) {
		return s, false
	}
	end := open + length + 1
	tidy, ok := paramsForm(s[end:], "tag")
	return s[:end] + tidy, ok && isURI(s[open+1:end-1])
}

// isDisplayName takes a quoted string, or whatever else cannot be mistaken for one or for an address.
func isDisplayName(s string) bool {
	s = strings.TrimRight(s, " \t")
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
	return ok && isScheme(scheme) && strings.Trim(scheme, letters) == "" && isURIPart(scheme, rest)
}

// letters are all that sipgo reads in a scheme.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

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
	if !strings.EqualFold(scheme, schemeSIP) && !strings.EqualFold(scheme, "sips") {
		return rest != ""
	}
	if user, host, ok := strings.Cut(rest, "@"); ok {
		if user == "" || strings.IndexByte(user, '[') >= 0 {
			return false
		}
		rest = host
	}
	if i := strings.IndexAny(rest, ";?"); i >= 0 {
		rest = rest[:i]
	}
	return isHostPort(rest)
}

// contactForm judges one element of Contact (RFC 3261 section 20.10).
func contactForm(s string) (string, bool) {
	if s = strings.Trim(s, " \t"); s == "*" {
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
	s = strings.Trim(s, " \t")
	return s, s != "" && !strings.ContainsAny(s, " \t")
}

// lengthForm judges a Content-Length (RFC 3261 section 20.14).
func lengthForm(s string) (string, bool) {
	s = strings.Trim(s, " \t")
	return s, isNumber(s, maxDatagram)
}

// hopsForm judges a Max-Forwards (RFC 3261 section 20.22).
func hopsForm(s string) (string, bool) {
	const most = 255
	s = strings.Trim(s, " \t")
	return s, isNumber(s, most)
}

// typeForm judges a Content-Type (RFC 3261 section 20.15).
func typeForm(s string) (string, bool) {
	s = squeeze(s, "/;=")
	kind, _, _ := strings.Cut(s, ";")
	major, minor, _ := strings.Cut(kind, "/")
	return s, isToken(major) && isToken(minor)
}
