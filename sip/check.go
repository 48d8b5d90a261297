package sip

import (
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// version is the only one spoken (RFC 3261 section 7.1).
const version = "SIP/2.0"

// singletons may stand in a request once (RFC 3261 section 7.3.1); sipgo would believe the last.
var singletons = []string{"from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type"}

// check returns the status that a request is owed for its form alone, or 0 when it may be believed
// (RFC 3261 sections 8.1.1 and 8.2). What lacks even a Via or CSeq never gets here: sipgo's transaction
// layer answers 400 without state.
func check(req *sipmsg.Request) int {
	if !strings.EqualFold(req.SipVersion, version) {
		return sipmsg.StatusVersionNotSupported
	}
	from, to, id, seq := req.From(), req.To(), req.CallID(), req.CSeq()
	if req.Via() == nil || from == nil || to == nil || id == nil || seq == nil || req.MaxForwards() == nil {
		return sipmsg.StatusBadRequest
	}
	if tag, _ := from.Params.Get("tag"); tag == "" || id.Value() == "" || seq.MethodName != req.Method {
		return sipmsg.StatusBadRequest
	}
	for _, name := range singletons {
		if count(req, name) > 1 {
			return sipmsg.StatusBadRequest
		}
	}
	if n := req.ContentLength(); n != nil && int(*n) != len(req.Body()) {
		return sipmsg.StatusBadRequest
	}
	switch req.Recipient.Scheme {
	case schemeSIP, "sips", "tel", "":
		return 0
	default:
		return statusUnsupportedScheme
	}
}

// count is how often a header stands in a message; compact names are the long ones by now.
func count(m sipmsg.Message, name string) int { return len(m.GetHeaders(name)) }

// unsupported lists the option tags of Require that we do not know (RFC 3261 section 8.2.2.3).
func unsupported(req *sipmsg.Request) []string {
	return except(optionTags(req, "require"), ours())
}

// mediaType is a message's Content-Type without parameters, in lower case; "" without a body.
func mediaType(m sipmsg.Message) string {
	if len(m.Body()) == 0 {
		return ""
	}
	h := m.GetHeaders("content-type")
	if len(h) == 0 {
		return "unknown"
	}
	t, _, _ := strings.Cut(h[0].Value(), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// encoded reports whether a body is compressed or otherwise encoded, which we do not undo.
func encoded(req *sipmsg.Request) bool {
	for _, name := range []string{"content-encoding", "e"} {
		if h := req.GetHeader(name); h != nil && !strings.EqualFold(strings.TrimSpace(h.Value()), "identity") {
			return true
		}
	}
	return false
}
