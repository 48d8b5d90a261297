package sip

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// optionNoReferSub is the option tag of RFC 4488, the one extension of REFER that may be required of us.
const optionNoReferSub = "norefersub"

// firstOf is a header by its name or its compact one, for those that the parser does not know; nil if there
// is none.
func firstOf(req *sipmsg.Request, name, compact string) sipmsg.Header {
	if h := req.GetHeader(name); h != nil {
		return h
	}
	return req.GetHeader(compact)
}

// referTo is the URI of a REFER's one Refer-To (RFC 3515 section 2.1); false when there is none, or not one.
func referTo(req *sipmsg.Request) (*sipmsg.Uri, bool) {
	hs := append(req.GetHeaders("refer-to"), req.GetHeaders("r")...)
	if len(hs) != 1 {
		return nil, false
	}
	if h, ok := hs[0].(*sipmsg.ReferToHeader); ok {
		return h.Address.Clone(), h.Address.Scheme != ""
	}
	one := listed(hs[0].Value())
	var uri sipmsg.Uri
	if len(one) != 1 {
		return nil, false
	}
	_, err := sipmsg.ParseAddressValue(one[0], &uri, nil)
	return &uri, err == nil && uri.Scheme != ""
}

// referred reads where a REFER in the dialog of l is to lead, and which leg of the agent's is to be replaced, if any.
// The status says why that cannot be: 400 for what makes no sense, others as the INVITE that
// is asked for would get them. Of the URI's headers only Replaces means anything: the INVITE, if there is
// one, is ours and not the phone's to write (RFC 3261 section 19.1.5).
func (u *UA) referred(x *exchange, l *leg, target *sipmsg.Uri) (to call.Next, replaces call.LegID, code int) {
	switch target.Scheme {
	case schemeSIP, schemeSIPS, schemeTel:
	default:
		return to, "", statusUnsupportedScheme
	}
	if m, ok := findParam(target.UriParams, "method"); ok && !strings.EqualFold(m, sipmsg.INVITE.String()) {
		return to, "", sipmsg.StatusNotImplemented
	}
	wish, there, ok := replacesOf(target)
	if !ok {
		return to, "", sipmsg.StatusBadRequest
	}
	user := dialled(target)
	to, why := u.reach(l.agent, x.src.addr.Addr(), user)
	if there {
		// Whom it was matters to the record alone: the URI is that leg's Contact, as like as not.
		replaces, code = u.replaced(l, wish)
		return to, replaces, code
	}
	if target.Scheme != schemeTel && !u.ourHost(target.Host, l) {
		u.notOutside(l.agent, user, l.callID(), dialForeign)
		return to, "", statusOf(call.CauseNotFound)
	}
	if why != call.CauseNone {
		if why == call.CauseNotFound {
			u.notOutside(l.agent, user, l.callID(), dialNoRule)
		}
		return to, "", statusOf(why)
	}
	return to, "", 0
}

// replacing is the value of a Replaces header (RFC 3891 section 6.1).
type replacing struct {
	callID, toTag, fromTag string
	earlyOnly              bool
}

// replacesOf reads the Replaces among the headers of a URI, where it is escaped; there tells whether there is
// one, ok is false when it makes no sense, or there are two (RFC 3891 section 3).
func replacesOf(uri *sipmsg.Uri) (r replacing, there, ok bool) {
	for _, h := range uri.Headers {
		if !strings.EqualFold(h.K, "replaces") {
			continue
		}
		value, err := url.PathUnescape(h.V)
		if err != nil || there {
			return r, true, false
		}
		there = true
		id, params, _ := strings.Cut(value, ";")
		r.callID = strings.TrimSpace(id)
		for p := range strings.SplitSeq(params, ";") {
			name, value, _ := strings.Cut(p, "=")
			switch value = strings.TrimSpace(value); strings.ToLower(strings.TrimSpace(name)) {
			case "to-tag":
				r.toTag = value
			case "from-tag":
				r.fromTag = value
			case "early-only":
				r.earlyOnly = true
			}
		}
	}
	return r, there, !there || r.callID != "" && r.toTag != "" && r.fromTag != ""
}

// replaced finds the leg that an agent's REFER in the dialog of l wants replaced: another one of the same agent's phone.
// Otherwise it returns the status that an INVITE with that Replaces would get (RFC 3891 section 3).
// A leg that is not answered yet will do, though RFC 3891 has an early dialog match only at the side that
// began it: who may fork it is us, and nobody else answers in it.
func (u *UA) replaced(l *leg, r replacing) (call.LegID, int) {
	other := u.legs.of(dialogID(r.callID, r.toTag, r.fromTag))
	if other == nil || other == l || other.agent != l.agent {
		return "", sipmsg.StatusCallTransactionDoesNotExists
	}
	if other.ctx.Err() != nil {
		return "", sipmsg.StatusGlobalDecline
	}
	if other.mu.Lock(); r.earlyOnly && !other.answeredAt.IsZero() {
		other.mu.Unlock()
		return "", sipmsg.StatusBusyHere
	}
	other.mu.Unlock()
	return other.id, 0
}

// ourHost reports whether a host that an agent's phone names stands for us: an address that we listen at or
// say we do, our realm, what the phone itself calls us in the dialog of l, or a trunk, whose numbers are reached
// through us. Nothing is ever sent to such a host: a name that is another's must not be taken for a number
// of ours.
func (u *UA) ourHost(host string, l *leg) bool {
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, u.o.Realm) {
		return true
	}
	l.mu.Lock()
	h, known := l.d.hop(), []string{l.d.Local, l.d.Remote}
	l.mu.Unlock()
	for _, addr := range known {
		if uri, err := routeURI(addr); err == nil && strings.EqualFold(strings.Trim(uri.Host, "[]"), host) {
			return true
		}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return u.plan().named(host) || slices.ContainsFunc(u.listeners, func(l *listener) bool { return strings.EqualFold(l.name, host) })
	}
	addr = addr.Unmap()
	for _, one := range u.listeners {
		if addr == one.bound.Addr().Unmap() || addr == one.advertise.Addr().Unmap() {
			return true
		}
	}
	_, trunk := u.plan().match(addr)
	return trunk || addr == u.selfAt(h).Addr().Unmap() || u.plan().named(host)
}
