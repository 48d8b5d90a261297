package sip

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"go.uber.org/zap"
)

// remedies is the table of refusals that another INVITE may overcome, by status (RFC 3261 section 8.1.3.5). An
// entry notes on the ring what the next INVITE is to have, for send; or reports false where it knows no
// remedy, and the refusal ends the ring. Each must do so sooner or later, whatever the far end answers.
var remedies = map[int]func(r *ringing, res *sipmsg.Response) bool{
	statusMultipleChoices:          (*ringing).redirect,
	sipmsg.StatusMovedPermanently:  (*ringing).redirect,
	sipmsg.StatusMovedTemporarily:  (*ringing).redirect,
	sipmsg.StatusUnauthorized:      (*ringing).authenticate,
	sipmsg.StatusProxyAuthRequired: (*ringing).authenticate,
	sipmsg.StatusBadExtension:      (*ringing).without,
	statusIntervalTooSmall:         (*ringing).lengthen,
	sipmsg.StatusNotAcceptableHere: (*ringing).encrypt,
}

// mend reports whether another INVITE may be answered otherwise than the one that was refused.
func (r *ringing) mend(res *sipmsg.Response) bool {
	remedy := remedies[res.StatusCode]
	return remedy != nil && remedy(r, res)
}

// challenge is a 401 or 407 to be answered, and how many of its status came. Both may have to be: a proxy's
// credentials go beside the server's (RFC 3261 section 22.3).
type challenge struct {
	auth  phoneAuth
	times int
}

// authenticate answers a challenge (RFC 3261 section 22), once, and once more when all that was wrong with the
// credentials is that their nonce has expired. Who challenges after another, further on, has to be of the same realm: else it
// may be who was called.
func (r *ringing) authenticate(res *sipmsg.Response) bool {
	c := r.challenges[res.StatusCode]
	if r.o.authorize == nil || c.times > 0 && !stale(res) || c.times >= maxChallenges {
		return false
	}
	fits := func(*digest.Challenge) bool { return true }
	if r.asked != nil {
		fits = r.asked.covers
	}
	auth, err := challengeIn(res, fits)
	if err != nil {
		return false
	}
	if r.asked == nil {
		r.asked = demandOf(auth.challenge)
	}
	r.challenges[res.StatusCode] = challenge{auth: auth, times: c.times + 1}
	return true
}

// stale reports whether a challenge says that the credentials were right but for their nonce (RFC 7616 section
// 3.3).
func stale(res *sipmsg.Response) bool {
	all := slices.Concat(res.GetHeaders("www-authenticate"), res.GetHeaders("proxy-authenticate"))
	return slices.ContainsFunc(all, func(h sipmsg.Header) bool {
		c, err := digest.ParseChallenge(h.Value())
		return err == nil && c.Stale
	})
}

// without leaves out the extensions that we required and the far end does not support (RFC 3261 section 8.1.3.5).
func (r *ringing) without(res *sipmsg.Response) bool {
	before := len(r.o.require)
	r.refused = append(r.refused, optionTags(res, "unsupported")...)
	r.o.require = except(r.o.require, r.refused)
	return len(r.o.require) < before
}

// redirect follows a redirection once (RFC 3261 section 8.1.3.4), to where redirectTo lets it; otherwise it is a
// refusal. The new INVITE goes the old one's way.
func (r *ringing) redirect(res *sipmsg.Response) bool {
	to, ok := r.redirectTo(res)
	if !ok {
		r.ua.metrics.redirects.WithLabelValues(redirectRefused).Inc()
		r.ua.log.Info("redirection not followed", zap.String("agent", r.o.agent), zap.Int("code", res.StatusCode),
			zap.String("to", masked(dialled(&to))))
		return false
	}
	r.ua.metrics.redirects.WithLabelValues(redirectFollowed).Inc()
	r.redirected = true
	r.d.Target = to.String()
	return true
}

// redirectTo picks the contact to follow, the one most wanted first. When it reports false, what it returns is
// the contact most wanted, for the log.
func (r *ringing) redirectTo(res *sipmsg.Response) (sipmsg.Uri, bool) {
	var contacts []*sipmsg.ContactHeader
	for _, h := range res.GetHeaders(nameContact) {
		if c, ok := h.(*sipmsg.ContactHeader); ok && !c.Address.Wildcard {
			contacts = append(contacts, c)
		}
	}
	if len(contacts) == 0 {
		return sipmsg.Uri{}, false
	}
	slices.SortStableFunc(contacts, func(a, b *sipmsg.ContactHeader) int { return cmp.Compare(wanted(b), wanted(a)) })
	for _, c := range contacts {
		to := requestURI(&c.Address)
		if !r.redirected && r.o.redirect != nil && to.String() != r.d.Target && r.o.redirect(to) {
			return to, true
		}
	}
	return contacts[0].Address, false
}

// wanted is a contact's q (RFC 3261 section 20.10), 1 without one.
func wanted(c *sipmsg.ContactHeader) float64 {
	v, _ := findParam(c.Params, "q")
	q, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return 1
	}
	return q
}

// isLine reports whether an address is at the phone that registered over the flow: another line of it. What a proxy would
// take for a number at itself, or may by its name, is none: it would look for that number outside as well.
func (f flow) isLine(to sipmsg.Uri) bool {
	at := hostPort(&to)
	addr := parsePeer(at)
	if to.Scheme != schemeSIP || f.proxied && (!addr.IsValid() || addr.Addr() == f.source.Addr()) {
		return false
	}
	return strings.EqualFold(at, hostPort(&f.contact)) || addr == f.source
}
