package sip

import (
	"iter"
	"slices"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// version is the only one spoken (RFC 3261 section 7.1).
const version = "SIP/2.0"

// checks are made of each request before anything believes it, in this order: whether its form can be trusted, then
// method, headers and content as RFC 3261 section 8.2 has them. The first status that one owes it is its answer,
// with the headers that belong to that. What cannot be parsed never gets here, see outline.
//
// Max-Forwards is asked for in one place only, see checkHops. From may be without a tag, which a UAS must bear
// (section 12.1.1), Max-Forwards may be missing (section 16.3), and Date and Expires may be nonsense: an INVITE
// from the time of RFC 2543 is a call, nothing here reads the one, and the other is read only where it can be (lifetime).
var checks = []func(x *exchange) (code int, headers []sipmsg.Header){
	checkVersion, checkMethod, checkForm, checkSingle, checkScheme, checkHops, checkRequire, checkContent, checkAccept,
}

// check returns the status that a request is owed, or 0 when it may be believed. Nothing answers an ACK, and a
// CANCEL is owed its answer for what it cancels, so they are held to their form only.
func check(x *exchange) (code int, headers []sipmsg.Header) {
	for i, c := range checks {
		const ofForm = 4
		if i >= ofForm && (x.req.IsAck() || x.req.IsCancel()) {
			break
		}
		if code, headers = c(x); code != 0 {
			return code, headers
		}
	}
	return 0, nil
}

func checkVersion(x *exchange) (int, []sipmsg.Header) {
	if strings.EqualFold(x.req.SipVersion, version) {
		return 0, nil
	}
	return sipmsg.StatusVersionNotSupported, nil
}

// checkMethod tells methods that we know but do not serve from those nobody here has heard of (RFC 3261 sections
// 21.4.6, 21.5.2). Both are told what is served: for the latter RFC 4475 section 3.1.1.2 wants it.
func checkMethod(x *exchange) (int, []sipmsg.Header) {
	code := sipmsg.StatusMethodNotAllowed
	switch {
	case methodLabel(x.req.Method) == methodOther, miscased(x.req):
		code = sipmsg.StatusNotImplemented
	case isAllowed(x.req.Method):
		return 0, nil
	}
	return code, []sipmsg.Header{sipmsg.NewHeader("Allow", allowed)}
}

// miscased tells whether a request's method is one that we know but for its case, which makes it another (RFC 3261
// section 7.1). sipgo makes the method of the first line upper case, so only that in CSeq tells.
func miscased(req *sipmsg.Request) bool {
	seq := req.CSeq()
	return seq != nil && seq.MethodName != req.Method && strings.EqualFold(string(seq.MethodName), string(req.Method))
}

// isAllowed reports whether a method is among those that Allow names.
func isAllowed(m sipmsg.RequestMethod) bool {
	for one := range strings.SplitSeq(allowed, ",") {
		if strings.TrimSpace(one) == string(m) {
			return true
		}
	}
	return false
}

// checkForm refuses what the parser found malformed, and what contradicts itself (RFC 3261 section 8.1.1).
func checkForm(x *exchange) (int, []sipmsg.Header) {
	switch code := faultOf(x.req); code {
	case 0:
	case sipmsg.StatusUnsupportedMediaType:
		return code, []sipmsg.Header{sipmsg.NewHeader("Accept", sdpType)}
	default:
		return code, nil
	}
	if x.req.From() == nil || x.req.To() == nil || x.req.CallID() == nil || x.req.CSeq().MethodName != x.req.Method {
		return sipmsg.StatusBadRequest, nil
	}
	if n := x.req.ContentLength(); n != nil && int(*n) != len(x.req.Body()) {
		return sipmsg.StatusBadRequest, nil
	}
	if len(x.req.Recipient.Headers) > 0 { // RFC 3261 section 19.1.1: not in a Request-URI
		return sipmsg.StatusBadRequest, nil
	}
	return 0, nil
}

// singletons may stand in a request once (RFC 3261 section 7.3.1); sipgo would believe the last.
var singletons = []string{nameFrom, "to", nameCallID, nameCSeq, nameHops, nameLength, "content-type"}

func checkSingle(x *exchange) (int, []sipmsg.Header) {
	var seen uint // a bit for each; one pass over the headers, since this is made of each request
	for _, h := range headersOf(x.req) {
		if i := slices.IndexFunc(singletons, func(s string) bool { return isName(h, s) }); i >= 0 {
			if seen&(1<<i) != 0 {
				return sipmsg.StatusBadRequest, nil
			}
			seen |= 1 << i
		}
	}
	if x.req.IsInvite() && count(x.req, nameContact) > 1 { // RFC 3261 section 8.1.1.8
		return sipmsg.StatusBadRequest, nil
	}
	return 0, nil
}

// count is how often a header stands in a message; compact names are the long ones by now.
func count(m withHeaders, name string) int {
	n := 0
	for range named(m, name) {
		n++
	}
	return n
}

// withHeaders is a message, or what stands for one. sipgo's Message leaves out the list that its messages have.
type withHeaders interface {
	GetHeaders(name string) []sipmsg.Header
}

// headersOf are all headers of a message, in order.
func headersOf(m withHeaders) []sipmsg.Header {
	if all, ok := m.(interface{ Headers() []sipmsg.Header }); ok {
		return all.Headers()
	}
	return nil
}

// named are the headers of a name in a message, in order. sipgo's own GetHeaders makes every name lower case anew each
// time, and a list.
func named(m withHeaders, name string) iter.Seq[sipmsg.Header] {
	return func(yield func(sipmsg.Header) bool) {
		for _, h := range headersOf(m) {
			if isName(h, name) && !yield(h) {
				return
			}
		}
	}
}

// isName reports whether a header has this name, which is a token.
func isName(h sipmsg.Header, name string) bool {
	has := h.Name()
	return len(has) == len(name) && strings.EqualFold(has, name)
}

// checkScheme refuses what we do not read, and addresses of sips that did not come encrypted: whoever wrote one was promised
// that (RFC 3261 section 26.2.2), and asks again with sip where that will do (section 8.1.3.5).
func checkScheme(x *exchange) (int, []sipmsg.Header) {
	switch x.req.Recipient.Scheme {
	case schemeSIP, schemeTel:
		return 0, nil
	case schemeSIPS:
		if secured(x.src.transport) {
			return 0, nil
		}
	}
	return statusUnsupportedScheme, nil
}

// checkHops stops calls that go in a circle. A user agent server answers whatever Max-Forwards says, OPTIONS above
// all (RFC 3261 sections 8.2, 11); but a new call is put through to somebody else, and RFC 7332 section 4 holds
// back-to-back user agents to what proxies do.
func checkHops(x *exchange) (int, []sipmsg.Header) {
	hops := x.req.MaxForwards()
	if hops == nil || hops.Val() > 0 || !x.req.IsInvite() || x.inDialog {
		return 0, nil
	}
	return sipmsg.StatusTooManyHops, nil
}

func checkRequire(x *exchange) (int, []sipmsg.Header) {
	tags := unsupported(x.req)
	if len(tags) == 0 {
		return 0, nil
	}
	return sipmsg.StatusBadExtension, []sipmsg.Header{sipmsg.NewHeader("Unsupported", strings.Join(tags, ", "))}
}
