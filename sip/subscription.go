package sip

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// The event package of REFER (RFC 3515 section 3.1), and the body of its NOTIFYs (RFC 3420).
const (
	eventRefer  = "refer"
	sipfragType = "message/sipfrag;version=2.0"
)

// Why a subscription ends (RFC 6665 section 4.1.3): the transfer is over, or its time is.
const (
	reasonNoResource = "noresource"
	reasonTimeout    = "timeout"
)

// subscriptionLife is how long a phone is told of its transfer unless it asks for longer: beyond the
// longest ring and the usual wait in a queue (RFC 3515 section 2.4.4 wants it longer than the transfer takes).
const subscriptionLife = 3 * time.Minute

// notifyWithin is how long, in T1, a BYE of ours waits for the answer to what the phone is told before it.
const notifyWithin = 8

// notice is what one NOTIFY says: the status of the transfer and, when it is the last, why.
type notice struct {
	code   int
	reason string // empty: the subscription goes on
}

// subscription is the implicit one that a REFER makes (RFC 3515 section 2.4.4). It shares the dialog of its
// leg and outlives the leg's call (RFC 5057 section 4): a phone that hangs up once its REFER was accepted is still
// told how the transfer ended. One goroutine, run, sends the NOTIFYs, each when the one before was
// answered; of what is to be told meanwhile only the last is.
type subscription struct {
	l     *leg
	event string        // value of the Event header: from a dialog's second REFER on it bears an id
	wake  chan struct{} // buffered, 1: something is to be told, or the expiry has changed

	mu    sync.Mutex
	begun bool
	next  *notice
	last  int           // the status told last
	final bool          // the last notice was handed in
	over  bool          // the last NOTIFY is on its way, or was, or will not be sent
	busy  chan struct{} // not nil while something is to be told; then closed
	quiet time.Time     // when busy was closed last
	until time.Time
}

func newSubscription(l *leg, event string) *subscription {
	return &subscription{l: l, event: event, wake: make(chan struct{}, 1)}
}

// begin begins the subscription with the NOTIFY that must come at once (RFC 3515 section 2.4.4).
func (s *subscription) begin() {
	s.mu.Lock()
	s.begun, s.busy, s.until = true, make(chan struct{}), time.Now().Add(subscriptionLife)
	s.mu.Unlock()
	if !s.l.ua.background("notify", s.run) {
		s.end()
	}
}

// tell has the phone told. It does not wait. Nothing is told before begin, or after the last notice.
func (s *subscription) tell(n notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun || s.final || s.over {
		return
	}
	s.next, s.final = &n, n.reason != ""
	if s.busy == nil {
		s.busy = make(chan struct{})
	}
	s.wakeUp()
}

func (s *subscription) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // run has not looked since the last time: it will see this too
	}
}

// finish is tell for the last notice of an unbroken subscription.
func (s *subscription) finish(code int) { s.tell(notice{code, reasonNoResource}) }

// extend sets how long the subscription lasts from now; zero ends it with a last NOTIFY (RFC 6665
// section 4.2.1.4). It returns what was granted.
func (s *subscription) extend(d time.Duration) time.Duration {
	d = min(d, subscriptionLife)
	s.mu.Lock()
	s.until = time.Now().Add(d)
	n := notice{code: s.last}
	s.mu.Unlock()
	if d == 0 {
		n.reason = reasonTimeout
	}
	s.tell(n) // a refresh is answered by a NOTIFY too (RFC 6665 section 4.2.1.2)
	return d
}

// told returns a channel that is closed when nothing is left to be told, or nil when nothing is.
func (s *subscription) told() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy
}

func (s *subscription) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// run tells the phone what is to be told, until the last, or until the phone knows of no subscription.
func (s *subscription) run() {
	defer s.end()
	if !s.notify(notice{code: sipmsg.StatusTrying}) {
		return
	}
	expiry := time.NewTimer(subscriptionLife)
	defer expiry.Stop()
	closing := s.l.ua.ctx.Done()
	for {
		n, left := s.take()
		if n != nil {
			if !s.notify(*n) || n.reason != "" {
				return
			}
			continue
		}
		expiry.Reset(left)
		select {
		case <-s.wake:
		case <-expiry.C:
			s.tell(notice{s.lastTold(), reasonTimeout})
		case <-closing:
			s.finish(sipmsg.StatusServiceUnavailable)
			closing = nil
		}
	}
}

// take returns what is to be told, nil for nothing, and how long the subscription still lasts.
func (s *subscription) take() (*notice, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.next
	s.next = nil
	if n == nil {
		s.hush()
	}
	return n, time.Until(s.until)
}

func (s *subscription) lastTold() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// end lets go of whoever waits for the phone to be told.
func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.hush()
}

// hush notes that nothing is left to be told. The caller holds mu.
func (s *subscription) hush() {
	if s.busy != nil {
		close(s.busy)
		s.busy, s.quiet = nil, time.Now()
	}
}

// heard is when the phone answered the last NOTIFY, or was found not to; now, while that is open.
func (s *subscription) heard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy != nil {
		return time.Now()
	}
	return s.quiet
}

// notify sends one NOTIFY and waits for its answer, which the transaction resends it for. It reports
// whether the subscription is alive: a phone that refuses, or is silent, has ended it (RFC 6665 section
// 4.2.2). The call is another usage of the dialog and is not touched, whatever the answer: phones that
// have forgotten their REFER answer 481 and talk on.
func (s *subscription) notify(n notice) bool {
	req, err := s.request(n)
	if err != nil {
		s.l.ua.log.Info("NOTIFY not made", zap.String("leg", string(s.l.id)), zap.Error(err))
		return false
	}
	res, err := s.l.ua.do(s.l.ua.patience, req)
	if err != nil || !res.IsSuccess() {
		s.l.ua.log.Debug("subscription of a REFER ended by its phone", zap.String("leg", string(s.l.id)), zap.Error(err))
		return false
	}
	return true
}

// request makes the NOTIFY (RFC 3515 section 2.4.5).
func (s *subscription) request(n notice) (*sipmsg.Request, error) {
	s.mu.Lock()
	s.last, s.over = n.code, n.reason != ""
	state := "active;expires=" + wholeSeconds(max(time.Until(s.until), 0))
	s.mu.Unlock()
	if n.reason != "" {
		state = "terminated;reason=" + n.reason
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	req, err := s.l.ua.requestOf(&s.l.d, sipmsg.NOTIFY)
	if err != nil {
		return nil, fmt.Errorf("make a NOTIFY: %w", err)
	}
	req.AppendHeader(s.l.contact())
	req.AppendHeader(sipmsg.NewHeader("Event", s.event))
	req.AppendHeader(sipmsg.NewHeader("Subscription-State", state))
	req.AppendHeader(sipmsg.NewHeader("Content-Type", sipfragType))
	req.SetBody([]byte(version + " " + strconv.Itoa(n.code) + " " + reason(n.code) + "\r\n"))
	return req, nil
}

// sayLast waits until the phone has been told what is to be told of its REFER, so that it hears of a
// success before the BYE that the success brings; at most notifyWithin·T1.
func (l *leg) sayLast() {
	l.mu.Lock()
	r := l.referral
	l.mu.Unlock()
	if r == nil {
		return
	}
	told := r.sub.told()
	if told == nil {
		return
	}
	limit := time.NewTimer(notifyWithin * l.ua.o.T1)
	defer limit.Stop()
	select {
	case <-told:
	case <-limit.C:
	case <-l.ua.patience.Done():
	}
}

// allowedEvents is the header that says which event packages there are (RFC 6665 section 8.2.2).
func allowedEvents() sipmsg.Header { return sipmsg.NewHeader("Allow-Events", eventRefer) }

// eventOf reads the Event header, by its compact name too: the package in lower case, and the id; both
// are empty without one.
func eventOf(req *sipmsg.Request) (event, id string) {
	h := firstOf(req, "event", "o")
	if h == nil {
		return "", ""
	}
	event, params, _ := strings.Cut(h.Value(), ";")
	for p := range strings.SplitSeq(params, ";") {
		if name, value, ok := strings.Cut(p, "="); ok && strings.EqualFold(strings.TrimSpace(name), "id") {
			id = strings.TrimSpace(value)
		}
	}
	return strings.ToLower(strings.TrimSpace(event)), id
}

// subscribe serves SUBSCRIBE: a phone may end the subscription that its REFER made, or extend it. Others
// are never made by SUBSCRIBE, that of refer least (RFC 3515 section 3.4).
func (u *UA) subscribe(x *exchange) {
	event, id := eventOf(x.req)
	if event != eventRefer {
		x.reply(statusBadEvent, allowedEvents())
		return
	}
	if !x.inDialog {
		x.reply(sipmsg.StatusForbidden)
		return
	}
	l := u.within(x)
	if l == nil {
		return
	}
	l.mu.Lock()
	r, contact := l.referral, l.contact()
	l.mu.Unlock()
	if r == nil || r.sub.isOver() || id != "" && r.seq != id {
		x.reply(sipmsg.StatusCallTransactionDoesNotExists)
		return
	}
	wish := subscriptionLife
	if d, ok := expiresHeader(x.req); ok {
		wish = d
	}
	x.reply(sipmsg.StatusOK, contact, sipmsg.NewHeader("Expires", wholeSeconds(min(wish, subscriptionLife))))
	r.sub.extend(wish)
}
