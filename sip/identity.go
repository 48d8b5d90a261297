package sip

import (
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// privacyOfCaller are the wishes in a Privacy header by which a number is not to be shown: id
// (RFC 3325 section 9.3), user and header (RFC 3323 section 4.2). session hides addresses of media, which no
// phone here is told anyway; critical adds nothing that can be seen.
var privacyOfCaller = map[string]bool{"id": true, "user": true, "header": true}

// privacyNone is the wish that nothing be hidden (RFC 3323 section 4.2).
const privacyNone = "none"

// anonymousHost is that of a From which names nobody (RFC 3323 section 4.1.1.3).
const anonymousHost = "anonymous.invalid"

// nobodysFrom is the From of an INVITE whose caller is not to be shown.
const nobodysFrom = `"Anonymous" <sip:` + anonymous + "@" + anonymousHost + ">"

// private reports whether a caller asked for their number not to be shown, by Privacy, or by a From that
// names nobody while the trunk asserts who it is. It is a trunk's word.
func private(req *sipmsg.Request) bool {
	for h := range named(req, "privacy") {
		for wish := range strings.FieldsFuncSeq(h.Value(), func(r rune) bool { return strings.ContainsRune(";, \t", r) }) {
			if wish = strings.ToLower(wish); privacyOfCaller[wish] || wish == privacyNone {
				return wish != privacyNone
			}
		}
	}
	from := req.From().Address
	return strings.EqualFold(from.User, anonymous) || strings.EqualFold(from.Host, anonymousHost)
}

// asserted is the first number that P-Asserted-Identity has; there may be two, of a sip and a tel URI of
// the same party (RFC 3325 section 9.1). Only what a trunk asserts is to be believed.
func asserted(req *sipmsg.Request) string {
	for h := range named(req, "p-asserted-identity") {
		for _, one := range listed(h.Value()) {
			var uri sipmsg.Uri
			if _, err := sipmsg.ParseAddressValue(one, &uri, nil); err != nil {
				continue
			}
			if n := dialled(&uri); n != "" {
				return n
			}
		}
	}
	return ""
}

// maxListed bounds the members that are read of a header that is a list.
const maxListed = 32

// listed splits a header that is a list of addresses at its commas, those in quotes and angle brackets
// apart (RFC 3261 section 7.3.1).
func listed(value string) []string {
	var out []string
	quoted, escaped, bracketed, start := false, false, false, 0
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && len(out) < maxListed {
			out = append(out, s)
		}
	}
	for i, c := range []byte(value) {
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"' && !bracketed:
			quoted = true
		case c == '<':
			bracketed = true
		case c == '>':
			bracketed = false
		case c == ',' && !bracketed:
			add(value[start:i])
			start = i + 1
		}
	}
	add(value[start:])
	return out
}
