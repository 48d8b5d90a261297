package sip

import (
	"net/url"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// maxDiversions bounds what is kept of a call's way to us.
const maxDiversions = 8

// unknownReason is why a call was sent on when nobody says so in a word that is known.
const unknownReason = "unknown"

// deflection is a call sent on by who was rung.
const deflection = "deflection"

// diversionReasons are the words of RFC 5806 section 7, which may stand in a record.
var diversionReasons = map[string]bool{
	"user-busy": true, "no-answer": true, "unavailable": true, "unconditional": true,
	"time-of-day": true, "do-not-disturb": true, deflection: true, "follow-me": true,
	"out-of-service": true, "away": true,
}

// reasonsOfCause are those words for the causes of History-Info (RFC 7544 section 7.1; the causes are RFC
// 4458's).
var reasonsOfCause = map[string]string{
	"302": "unconditional", "408": "no-answer", "480": deflection, "486": "user-busy",
	"487": deflection, "503": "unavailable",
}

// diverted is how a call got to us, as its trunk says, the last diversion first: what Diversion has, and then those of
// History-Info whose number is not among them.
func diverted(req *sipmsg.Request) []call.Diversion {
	var out []call.Diversion
	add := func(d call.Diversion) {
		if d.From != "" && len(out) < maxDiversions {
			out = append(out, d)
		}
	}
	told := map[string]bool{}
	for _, e := range entries(req, "diversion") {
		d := e.diversion()
		told[d.From] = true
		add(d)
	}
	for _, d := range historyOf(entries(req, "history-info")) {
		if !told[d.From] {
			add(d)
		}
	}
	return out
}

// entry is one member of a Diversion or History-Info.
type entry struct {
	uri    sipmsg.Uri
	params sipmsg.HeaderParams
}

// entries are the members of all headers of a name, in order; what cannot be read is passed over.
func entries(req *sipmsg.Request, name string) []entry {
	var out []entry
	for h := range named(req, name) {
		for _, one := range listed(h.Value()) {
			var e entry
			if _, err := sipmsg.ParseAddressValue(one, &e.uri, &e.params); err == nil && len(out) < maxListed {
				out = append(out, e)
			}
		}
	}
	return out
}

// diversion reads a member of Diversion (RFC 5806 section 7). Whose privacy is wanted is not told.
func (e *entry) diversion() call.Diversion {
	d := call.Diversion{From: dialled(&e.uri), Reason: unknownReason, Header: "diversion"}
	if r := strings.ToLower(strings.TrimSpace(param(e.params, "reason"))); diversionReasons[r] {
		d.Reason = r
	}
	switch strings.ToLower(strings.TrimSpace(param(e.params, "privacy"))) {
	case "full", "uri":
		d.From = anonymous
	}
	return d
}

// historyOf finds the diversions in a history, the last first. A target that was not where the call was sent before
// bears mp, the index of whose target it was (RFC 7044 section 5), or its cause (RFC 4458); in the older form
// (RFC 4244) the one before bears the Reason why it was left. Other entries are proxies on the way.
func historyOf(history []entry) []call.Diversion {
	byIndex := make(map[string]*entry, len(history))
	for i := range history {
		byIndex[param(history[i].params, "index")] = &history[i]
	}
	var out []call.Diversion
	for i := len(history) - 1; i > 0; i-- {
		by := &history[i-1]
		mapped, there := findParam(history[i].params, "mp")
		if e := byIndex[mapped]; there && e != nil {
			by = e
		}
		cause := param(history[i].uri.UriParams, "cause")
		if cause == "" {
			cause = by.left()
		}
		if cause == "" && !there {
			continue
		}
		d := call.Diversion{From: dialled(&by.uri), Reason: unknownReason, Header: "history-info"}
		if r, ok := reasonsOfCause[cause]; ok {
			d.Reason = r
		}
		if by.header("privacy") != "" && by.header("privacy") != privacyNone {
			d.From = anonymous
		}
		out = append(out, d)
	}
	return out
}

// left is the cause for which a target was left, from the Reason among its URI's headers (RFC 3326).
func (e *entry) left() string {
	protocol, params, _ := strings.Cut(e.header("reason"), ";")
	if strings.TrimSpace(protocol) != schemeSIP {
		return ""
	}
	for p := range strings.SplitSeq(params, ";") {
		if name, value, ok := strings.Cut(p, "="); ok && strings.TrimSpace(name) == "cause" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// header is a header of the entry's URI, unescaped and in lower case.
func (e *entry) header(name string) string {
	value, ok := findParam(e.uri.Headers, name)
	if !ok {
		return ""
	}
	value, err := url.PathUnescape(value)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(value))
}
