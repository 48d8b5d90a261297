package sip

import (
	"strconv"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// statusIntervalTooSmall is 422 Session Interval Too Small (RFC 4028 section 6).
const statusIntervalTooSmall = 422

// The headers of RFC 4028 (sections 4 and 5), the short form of the first, and its option tag.
const (
	headerExpires      = "Session-Expires"
	headerExpiresShort = "x"
	headerMinSE        = "Min-SE"
	optionTimer        = "timer"
)

// Who refreshes, from the point of view of the request in which it stands (RFC 4028 section 4).
const (
	refresherUAC = "uac"
	refresherUAS = "uas"
)

// sessionTimer is the session timer of a dialog (RFC 4028), as plain data. One that the far end knows nothing of is
// ours alone: we refresh, and nothing lapses.
type sessionTimer struct {
	// Interval is how long the session lasts from one refresh to the next.
	Interval time.Duration `json:"interval"`
	// Agreed: a 2xx said so. Theirs: the far end refreshes.
	Agreed bool `json:"agreed,omitempty"`
	Theirs bool `json:"theirs,omitempty"`
	// Least is the largest Min-SE that we were told; 0 when none.
	Least time.Duration `json:"least,omitempty"`
	// Ends is when the session lapses, if nobody refreshes it.
	Ends time.Time `json:"ends"`
}

// timerWish is what a message says of session timers. Zero durations stand for headers that are missing, or
// that cannot be read: those are ignored (RFC 3261 section 8.2).
type timerWish struct {
	supported       bool // "timer" is among Supported
	interval, least time.Duration
	refresher       string // refresherUAC, refresherUAS, or ""
}

// timerWishOf reads a message.
func timerWishOf(m sipmsg.Message) timerWish {
	w := timerWish{supported: among(optionTags(m, "supported"), optionTimer) || among(optionTags(m, "k"), optionTimer)}
	for _, name := range []string{headerExpires, headerExpiresShort} {
		for h := range named(m, name) {
			w.expires(h.Value())
		}
	}
	for h := range named(m, headerMinSE) {
		value, _, _ := strings.Cut(h.Value(), ";")
		w.least = deltaSeconds(value)
	}
	return w
}

// expires reads a Session-Expires.
func (w *timerWish) expires(text string) {
	value, params, _ := strings.Cut(text, ";")
	w.interval = deltaSeconds(value)
	for p := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(p, "=")
		v = strings.ToLower(strings.TrimSpace(v))
		if strings.EqualFold(strings.TrimSpace(name), "refresher") && (v == refresherUAC || v == refresherUAS) {
			w.refresher = v
		}
	}
}

// deltaSeconds reads a number of seconds (RFC 3261 section 25.1), 0 when it is none.
func deltaSeconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// tooShort reports whether a request is owed 422: it wishes an interval below ours, and whoever sent it knows
// what to do about that (RFC 4028 section 9).
func (u *UA) tooShort(w timerWish) bool {
	return w.supported && w.interval > 0 && w.interval < u.o.MinSE
}

// refusedTimer answers 422 to a request whose session would be too short, and reports whether it did.
func (u *UA) refusedTimer(x *exchange) bool {
	if !u.tooShort(timerWishOf(x.req)) {
		return false
	}
	x.reply(statusIntervalTooSmall, secondsHeader(headerMinSE, u.o.MinSE, ""))
	return true
}

// granted is the session that our 2xx to a request makes: as long as both ends allow, and refreshed by us where
// the table of RFC 4028 section 9 leaves the choice. A request whose sender knows nothing of timers has its
// interval from a proxy; one too short is then raised, since nobody could act on a 422 (erratum 1687).
func (u *UA) granted(w timerWish) sessionTimer {
	s := sessionTimer{Interval: u.o.SessionExpires, Least: min(w.least, mostMinSE)}
	switch {
	case w.interval > 0:
		s.Agreed = true
		s.Interval = max(min(s.Interval, w.interval), u.o.MinSE, min(w.least, w.interval))
	case w.supported && w.least <= s.Interval:
		s.Agreed = true
	}
	s.Theirs = w.supported && w.interval > 0 && w.refresher == refresherUAC
	return s
}

// grant adds to a 2xx what it says of the session (RFC 4028 section 9).
func (s sessionTimer) grant(w timerWish, res *sipmsg.Response) {
	if !s.Agreed {
		return
	}
	by := refresherUAS
	if s.Theirs {
		by = refresherUAC
	}
	res.AppendHeader(secondsHeader(headerExpires, s.Interval, by))
	if w.supported {
		res.AppendHeader(sipmsg.NewHeader("Require", optionTimer))
	}
}

// ask adds to a request what we wish of the session (RFC 4028 sections 7.1 and 7.4): the refreshing to stay
// with whoever does it, which is us at first, since we know that we will.
func (s sessionTimer) ask(req *sipmsg.Request) {
	by := refresherUAC
	if s.Theirs {
		by = refresherUAS
	}
	req.AppendHeader(secondsHeader(headerExpires, max(s.Interval, s.Least), by))
	if s.Least > 0 {
		req.AppendHeader(secondsHeader(headerMinSE, s.Least, ""))
	}
}

// answered is the session that a 2xx to a request of ours makes (RFC 4028 section 7.2). An interval below the
// least that anybody may ask for is not believed: it would have us send without end.
func (s sessionTimer) answered(w timerWish, o *Options) sessionTimer {
	if w.interval == 0 {
		return sessionTimer{Interval: max(o.SessionExpires, s.Least), Least: s.Least}
	}
	return sessionTimer{
		Interval: max(w.interval, o.MinSE), Agreed: true, Theirs: w.refresher == refresherUAS, Least: s.Least,
	}
}

// raise takes the Min-SE of a 422 (RFC 4028 section 7.3); false when there is no sense in trying again.
func (s *sessionTimer) raise(w timerWish) bool {
	if w.least <= s.Interval || w.least > mostMinSE {
		return false
	}
	s.Least, s.Interval = w.least, w.least
	return true
}

// mostMinSE is the longest interval that we let a far end force on us.
const mostMinSE = 24 * time.Hour

// secondsHeader writes a header of delta-seconds; refresher may be empty.
func secondsHeader(name string, d time.Duration, refresher string) sipmsg.Header {
	value := strconv.FormatInt(int64(d/time.Second), 10)
	if refresher != "" {
		value += ";refresher=" + refresher
	}
	return sipmsg.NewHeader(name, value)
}

// began begins the session of an INVITE of ours, as its 2xx says.
func (l *leg) began(res *sipmsg.Response) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refreshed(l.d.Session.answered(timerWishOf(res), &l.ua.o))
}

// raisesMost bounds how often one request is sent again for a 422: two proxies on the way may each want more.
const raisesMost = 4

// lengthen takes the longer interval that a 422 to our INVITE wants.
func (r *ringing) lengthen(res *sipmsg.Response) bool {
	r.lengthened++
	return r.lengthened <= raisesMost && r.d.Session.raise(timerWishOf(res))
}

// refreshed begins the session anew, as a 2xx just sent or received says. The largest Min-SE is kept (RFC 4028
// section 7.4). The caller holds l.mu.
func (l *leg) refreshed(s sessionTimer) {
	s.Least = max(s.Least, l.d.Session.Least)
	s.Ends = time.Now().Add(s.Interval)
	l.d.Session = s
	l.wakeIn(l.untilDue())
}

// expiryMargin is how long before a session lapses the end that does not refresh hangs up (RFC 4028 section 10).
func expiryMargin(interval time.Duration) time.Duration { return min(32*time.Second, interval/3) }

// untilDue is when the session next wants something of us, after it was refreshed. Where the far end refreshes
// it that is the instant to give up, or, if that is too far away, to ask. The caller holds l.mu.
func (l *leg) untilDue() time.Duration {
	s, longest := &l.d.Session, l.ua.o.SessionExpires
	if s.Theirs && s.Interval <= longest {
		return s.Interval - expiryMargin(s.Interval)
	}
	return min(s.Interval, longest) / 2
}

// untilRetry is when to ask again after the far end lived, but refused: sooner and sooner, as long as it will
// let the session lapse. The caller holds l.mu.
func (l *leg) untilRetry() time.Duration {
	d := l.untilDue()
	if left := time.Until(l.d.Session.Ends); l.d.Session.Agreed && left > 0 {
		d = min(d, max(left/2, ackWithin*l.ua.o.T1))
	}
	return d
}

// wakeIn sets the one timer that a leg has. The caller holds l.mu.
func (l *leg) wakeIn(d time.Duration) {
	if l.ctx.Err() != nil {
		return
	}
	t := l.timer.Load()
	if t == nil {
		t = time.AfterFunc(d, l.due)
		l.timer.Store(t)
	} else {
		t.Reset(d)
	}
	if l.ctx.Err() != nil { // end may have looked before
		t.Stop()
	}
}

// due is the timer's: the session is to be refreshed, or the far end did not refresh it in time. The timer's
// goroutine must not wait.
func (l *leg) due() {
	l.ua.background("session", func() {
		l.mu.Lock()
		s := &l.d.Session
		lapsed := s.Theirs && time.Until(s.Ends) <= expiryMargin(s.Interval)
		l.mu.Unlock()
		if lapsed {
			l.abandon(call.CauseExpired)
			return
		}
		l.prove(call.CauseSilent)
	})
}

// abandon ends a leg whose far end is gone, and says goodbye all the same (RFC 5057 section 5.1).
func (l *leg) abandon(why call.Cause) {
	if l.end(call.LegEnd{By: call.Far, Why: why, At: time.Now()}) {
		l.release()
		l.sayBye()
	}
}
