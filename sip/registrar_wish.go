package sip

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// refusedError is a request refused, as the response will say it.
type refusedError struct {
	code    int
	reason  string
	header  sipmsg.Header // one more header; may be nil
	outcome string        // for the metric
}

func (e *refusedError) Error() string { return fmt.Sprintf("refused: %d %s", e.code, e.reason) }

func badRequest(why string) *refusedError {
	return &refusedError{code: sipmsg.StatusBadRequest, reason: "Bad Request: " + why, outcome: registerMalformed}
}

// refusal makes the response for a refused request.
func refusal(req *sipmsg.Request, e *refusedError) *sipmsg.Response {
	res := sipmsg.NewResponseFromRequest(req, e.code, e.reason, nil)
	if e.header != nil {
		res.AppendHeader(e.header)
	}
	return res
}

// The bounds of what a REGISTER may ask.
const (
	maxContacts   = 8    // in one REGISTER: a phone names its new address and removes some old ones
	maxContactLen = 1024 // bytes of one URI, which will stand in the Request-URI of our INVITEs
	maxSessionLen = 512  // bytes of a Call-ID, of a +sip.instance
)

// malformedExpires is what RFC 3261 20.10 takes a malformed expires parameter for.
const malformedExpires = time.Hour

// wish is what a REGISTER asks for (RFC 3261 section 10.3, steps 6 and 7). One phone is kept for each
// agent, so of several contacts that are to be added that with the highest q counts, and of equals the first;
// the response tells the phone so.
type wish struct {
	bind  *binding // to be entered; nil if nothing is
	q     float64  // its preference
	lasts time.Duration
	// instance is the phone's +sip.instance, on whichever contact it stands.
	instance string
	drop     []parting // to be removed
	all      bool      // remove whatever there is
}

// parting is a contact that is to be removed.
type parting struct {
	contact  sipmsg.Uri
	instance string // with reg, the flow whose contact it is, as in binding; others may have the same contact
	reg      uint32
}

// removes reports whether the wish removes a binding.
func (w *wish) removes(b *binding) bool {
	for i := range w.drop {
		d := &w.drop[i]
		if d.reg != 0 && b.reg != 0 {
			if d.reg == b.reg && d.instance == b.instance {
				return true
			}
		} else if sameContact(&d.contact, &b.display) {
			return true
		}
	}
	return w.all
}

// readWish reads a REGISTER's contacts and expiry.
func (r *registrar) readWish(req *sipmsg.Request) (wish, *refusedError) {
	var w wish
	contacts := req.GetHeaders(nameContact)
	if len(contacts) > maxContacts {
		return w, badRequest("too many contacts")
	}
	if len(req.CallID().Value()) > maxSessionLen {
		return w, badRequest("Call-ID is too long")
	}
	general, generalGiven := expiresHeader(req)
	for _, h := range contacts {
		c, ok := h.(*sipmsg.ContactHeader)
		if !ok {
			return w, badRequest("malformed Contact")
		}
		if c.Address.Wildcard {
			if len(contacts) > 1 || !generalGiven || general != 0 {
				return w, badRequest("Contact * must be alone, and with Expires 0")
			}
			w.all = true
			continue
		}
		if err := r.readContact(&w, c, general, generalGiven); err != nil {
			return w, err
		}
	}
	if w.bind != nil && w.bind.reg != 0 {
		w.instance = w.bind.instance
	}
	return w, nil
}

// readContact adds one contact to the wish. Its own expires parameter goes before the header, the
// header before our default.
func (r *registrar) readContact(w *wish, c *sipmsg.ContactHeader, general time.Duration, given bool) *refusedError {
	uri := c.Address.Clone()
	if uri.Scheme != schemeSIP && uri.Scheme != schemeSIPS || uri.Host == "" || uri.Port < 0 || uri.Port > 65535 {
		return badRequest("Contact is no sip URI")
	}
	if len(uri.String()) > maxContactLen {
		return badRequest("Contact is too long")
	}
	instance := param(c.Params, "+sip.instance")
	if len(instance) > maxSessionLen {
		return badRequest("+sip.instance is too long")
	} else if instance != "" {
		w.instance = instance
	}
	reg := flowNumber(c.Params, instance)
	lasts := r.o.defaultExpires
	if v, ok := findParam(c.Params, "expires"); ok {
		lasts = parseExpires(v)
	} else if given {
		lasts = general
	}
	switch {
	case lasts == 0:
		w.drop = append(w.drop, parting{contact: *uri, instance: instance, reg: reg})
		return nil
	case lasts < r.o.minExpires:
		return &refusedError{
			code: sipmsg.StatusIntervalToBrief, reason: "Interval Too Brief", outcome: registerTooBrief,
			header: sipmsg.NewHeader("Min-Expires", wholeSeconds(r.o.minExpires)),
		}
	}
	if w.bind != nil && (reg != 0 || w.bind.reg != 0) {
		return badRequest("one contact for each flow") // RFC 5626 section 6
	}
	q := preference(c.Params)
	if w.bind != nil && q <= w.q {
		return nil
	}
	w.q, w.lasts = q, min(lasts, r.o.maxExpires)
	w.bind = &binding{display: *uri, instance: instance, reg: reg}
	w.bind.flow.contact = requestURI(uri)
	return nil
}

// preference reads a contact's q, from 0 to 1 (RFC 3261 section 20.10); 1 is what stands for none, or for one
// that cannot be read.
func preference(params sipmsg.HeaderParams) float64 {
	q, err := strconv.ParseFloat(param(params, "q"), 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 1
	}
	return q
}

// requestURI is a contact as it may stand in a Request-URI: without headers and method, which RFC
// 3261 19.1.5 forbids there.
func requestURI(contact *sipmsg.Uri) sipmsg.Uri {
	u := contact.Clone()
	u.Headers = nil
	u.UriParams = slices.DeleteFunc(u.UriParams, func(kv sipmsg.HeaderKV) bool {
		return strings.EqualFold(kv.K, "method")
	})
	for i, kv := range u.UriParams {
		// The parser takes the headers after a parameter without value for a part of its name.
		if name, _, ok := strings.Cut(kv.K, "?"); ok {
			u.UriParams = append(u.UriParams[:i], sipmsg.HeaderKV{K: name})
			break
		}
	}
	return *u
}

// expiresHeader reads the Expires header (RFC 3261 20.19), and tells whether there is one.
func expiresHeader(req *sipmsg.Request) (time.Duration, bool) {
	h := req.GetHeader("expires")
	if h == nil {
		return 0, false
	}
	return parseExpires(h.Value()), true
}

// parseExpires reads delta-seconds; they may be more than a Duration holds, and then are a day, which
// is beyond what anybody is granted.
func parseExpires(s string) time.Duration {
	const most = 24 * time.Hour
	s = strings.TrimSpace(s)
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return malformedExpires
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > uint64(most/time.Second) {
		return most // all digits, so the error can only be its size
	}
	return time.Duration(n) * time.Second
}

// registered makes the 200: the bindings as they now stand, with what is left of them (RFC 3261 10.3, step 8).
func (r *registrar) registered(req *sipmsg.Request, agent string, w *wish, src source) *sipmsg.Response {
	res := sipmsg.NewResponseFromRequest(req, sipmsg.StatusOK, "OK", nil)
	now := time.Now()
	r.mu.Lock()
	for _, b := range r.bindings.byAgent[agent] {
		if !b.expires.After(now) {
			continue
		}
		contact := &sipmsg.ContactHeader{Address: *b.display.Clone()}
		if b.reg != 0 {
			contact.Params.Add("+sip.instance", `"`+b.instance+`"`)
			contact.Params.Add("reg-id", strconv.FormatUint(uint64(b.reg), 10))
		}
		contact.Params.Add("expires", wholeSeconds(b.expires.Sub(now)))
		res.AppendHeader(contact)
	}
	r.mu.Unlock()
	if w.bind != nil && w.bind.reg != 0 {
		res.AppendHeader(sipmsg.NewHeader("Require", optionOutbound))
		if r.o.flowTimer > 0 && reliable(src.transport) { // over UDP a NAT forgets sooner (RFC 5626 section 4.4.2)
			res.AppendHeader(sipmsg.NewHeader("Flow-Timer", wholeSeconds(r.o.flowTimer)))
		}
	}
	res.AppendHeader(sipmsg.NewHeader("Date", now.UTC().Format(http.TimeFormat)))
	return res
}

// wholeSeconds rounds up, so that a phone never refreshes a moment late.
func wholeSeconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}
