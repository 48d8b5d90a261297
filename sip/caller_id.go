package sip

import (
	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// Shown is which number is shown to who is called through a trunk.
type Shown string

// What is shown.
const (
	// ShowOwn is TrunkOut.From.
	ShowOwn Shown = ""
	// ShowDialled is the number of ours that the caller had dialled, where the trunk has it; else as ShowOwn.
	ShowDialled Shown = "dialled"
	// ShowCaller is the caller's, in the form of Numbering.Dialled. It is nobody's where the caller asked for it not to be
	// shown, and ShowOwn where there is no caller, or none with a number: an agent calls, or a caller is called back.
	ShowCaller Shown = "caller"
	// ShowNobody is a From that names nobody, and the wish for privacy (RFC 3323 section 4.1.1.3).
	ShowNobody Shown = "nobody"
)

// presented is how a call shows itself to who is called: From, and headers beside it; self is
// our host, or the trunk's domain. A number of ours
// is asserted whatever is shown, since it is who calls, and who pays. What a caller's trunk asserted of the caller stays
// here: another trunk is outside that domain of trust (RFC 3325 section 5).
func (t *trunk) presented(r call.DialRequest, self string) (from string, headers []sipmsg.Header) {
	own := t.out.From
	if n, ok := t.own(r.Dialled); ok && t.out.Shows == ShowDialled {
		own = n
	}
	named := func(number string) string {
		return nameAddr("", &sipmsg.Uri{Scheme: schemeSIP, User: number, Host: self})
	}
	headers = []sipmsg.Header{sipmsg.NewHeader("P-Asserted-Identity", named(own))}
	caller := t.numbering.dialled(r.Caller)
	switch {
	case t.out.Shows == ShowNobody, t.out.Shows == ShowCaller && r.Private:
		return nobodysFrom, append(headers, sipmsg.NewHeader("Privacy", "id"))
	case t.out.Shows == ShowCaller && number(caller):
		return named(caller), headers
	}
	return named(own), headers
}

// own is a number of the trunk's as it is written there; false where the trunk does not have it.
func (t *trunk) own(number string) (string, bool) {
	if _, ok := t.numbers[number]; ok {
		return number, true
	}
	if t.numbering == nil {
		return "", false
	}
	own, ok := t.e164[t.numbering.write(number, FormE164)]
	return own, ok
}
