package sip

import (
	"net/url"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// maxNumber bounds a telephone number or user name that is taken from a message, in octets.
const maxNumber = 64

// anonymous stands for a caller whose number is withheld or is none (RFC 3323 section 4.1.1.3).
const anonymous = "anonymous"

// dialled is the number in a Request-URI: the user of a sip URI, decoded and without parameters (RFC
// 3261 section 19.1.6), or a tel URI's number without visual separators (RFC 3966 section 5). It is ""
// when there is none that could be a number or a name.
func dialled(uri *sipmsg.Uri) string {
	if uri.Scheme == schemeTel {
		n, _, _ := strings.Cut(uri.Raw(), ";")
		return plain(strings.Map(func(r rune) rune {
			if strings.ContainsRune("-.()", r) {
				return -1
			}
			return r
		}, n))
	}
	user, _, _ := strings.Cut(uri.User, ";")
	user, err := url.PathUnescape(user)
	if err != nil {
		return ""
	}
	return plain(user)
}

// plain returns s if it is made of what numbers and names of extensions are made of, else "". It is
// what keeps text of a caller's choosing out of headers, logs and records.
func plain(s string) string {
	if s == "" || len(s) > maxNumber {
		return ""
	}
	for _, c := range []byte(s) {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("+*#_.-", rune(c)) {
			return ""
		}
	}
	return s
}

// calledParty is the number dialled where the Request-URI is our own Contact, as a registrar's proxy makes it (RFC 3261
// section 16.5): what P-Called-Party-ID has of it (RFC 7315 section 4.2), else To. It is a trunk's word.
func calledParty(req *sipmsg.Request) string {
	for h := range named(req, "p-called-party-id") {
		var uri sipmsg.Uri
		if _, err := sipmsg.ParseAddressValue(h.Value(), &uri, nil); err == nil {
			if n := dialled(&uri); n != "" {
				return n
			}
		}
	}
	return dialled(&req.To().Address)
}

// callerOf is the caller's number: what the trunk asserts (RFC 3325 section 9.1), else what From says;
// "anonymous" when neither is a number.
func callerOf(req *sipmsg.Request) string {
	if n := asserted(req); n != "" {
		return n
	}
	return saidCaller(req)
}

// saidCaller is the number that From says; "anonymous" when that is none.
func saidCaller(req *sipmsg.Request) string {
	if n := dialled(&req.From().Address); n != "" {
		return n
	}
	return anonymous
}

// masked hides a number in a log: the first three and the last two characters stay.
func masked(number string) string {
	const head, tail = 3, 2
	if len(number) <= head+tail {
		return strings.Repeat("*", len(number))
	}
	return number[:head] + strings.Repeat("*", len(number)-head-tail) + number[len(number)-tail:]
}
