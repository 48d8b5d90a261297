package sip

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
)

// transfers are the REFERs of our own phones that are not over, by their dialog. A hotline has none. It may
// be used from any goroutine.
type transfers struct {
	mu  sync.Mutex
	all map[string]*transfer
}

// transfer is a REFER as the phone that sent it sees it.
type transfer struct {
	l    *leg
	last int           // the status told last; guarded by transfers.mu
	over chan struct{} // closed when nothing more will be told
}

// errReferring: one REFER at a time in a dialog.
var errReferring = errors.New("sip: a REFER is under way in that dialog")

// enter enters a transfer; false when its dialog has one.
func (t *transfers) enter(one *transfer) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[one.l.key] != nil {
		return false
	}
	if t.all == nil {
		t.all = make(map[string]*transfer)
	}
	t.all[one.l.key] = one
	return true
}

// leave forgets a transfer, and returns the status told last.
func (t *transfers) leave(one *transfer) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, one.l.key)
	return one.last
}

// find finds the transfer of a request's dialog, which may have lost its call, or nil.
func (t *transfers) find(x *exchange) *transfer {
	remote, _ := x.req.From().Params.Get("tag")
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[dialogID(x.req.CallID().Value(), x.localTag, remote)]
}

// take notes what a NOTIFY says. It comes once the transfer was entered, and perhaps before the 202.
func (t *transfers) take(one *transfer, code int, last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.last = code
	if !last {
		return
	}
	select {
	case <-one.over:
	default:
		close(one.over)
	}
}

// Refer asks the far end of a phone's call to connect its party with somebody else (RFC 3515): to is whom, as it
// would be dialled; replaces, if not nil, is the phone's own call with them (RFC 3891). It returns when the
// far end has accepted. done then has the final status of the transfer, once, or is closed without one when the far
// end never told it. Errors: *StatusError when the REFER is refused; those of the transport.
func (p *Phone) Refer(of call.Leg, to string, replaces call.Leg) (done <-chan int, err error) {
	l, ok := of.(*leg)
	if !ok || l.ua != p.set.ua {
		return nil, fmt.Errorf("refer: %w", errNotOurs)
	}
	target := p.at(to)
	if replaces != nil {
		other, ok := replaces.(*leg)
		if !ok {
			return nil, fmt.Errorf("refer: %w", errNotOurs)
		}
		target.Headers.Add("Replaces", other.replacing())
	}
	t := &transfer{l: l, over: make(chan struct{})}
	if !l.ua.transfers.enter(t) {
		return nil, fmt.Errorf("refer: %w", errReferring)
	}
	if err := p.refer(l, &target); err != nil {
		l.ua.transfers.leave(t)
		return nil, err
	}
	out := make(chan int, 1)
	if !l.ua.background("refer", func() { t.wait(out) }) {
		l.ua.transfers.leave(t)
		return nil, ErrClosed
	}
	return out, nil
}

// replacing is the value of a Replaces by which the far end of the leg knows it, escaped for a URI.
func (l *leg) replacing() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return url.QueryEscape(l.d.CallID + ";to-tag=" + l.d.RemoteTag + ";from-tag=" + l.d.LocalTag)
}

// refer sends the REFER, and waits for its answer.
func (p *Phone) refer(l *leg, target *sipmsg.Uri) error {
	l.mu.Lock()
	req, err := l.ua.requestOf(&l.d, sipmsg.REFER)
	l.followed()
	contact := l.contact()
	l.mu.Unlock()
	if err != nil {
		return fmt.Errorf("refer: %w", err)
	}
	self := p.at(p.o.User)
	req.AppendHeader(contact)
	req.AppendHeader(sipmsg.NewHeader("Refer-To", nameAddr("", target)))
	req.AppendHeader(sipmsg.NewHeader("Referred-By", nameAddr("", &self)))
	res, err := l.ua.do(l.ua.patience, req)
	if err != nil {
		return fmt.Errorf("refer: %w", err)
	}
	if !res.IsSuccess() {
		return fmt.Errorf("refer: %w", &StatusError{Method: sipmsg.REFER.String(), Code: res.StatusCode})
	}
	return nil
}

// wait waits for the last NOTIFY; once the call is over for 64·T1 at most, since the far end may have
// forgotten the dialog, and not once the phones are closed.
func (t *transfer) wait(out chan<- int) {
	defer close(out)
	ended, limit := t.l.ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case <-t.over:
			out <- t.l.ua.transfers.leave(t)
			return
		case <-ended:
			ended, limit = nil, time.After(ackWithin*t.l.ua.o.T1)
		case <-limit:
			t.l.ua.transfers.leave(t)
			return
		case <-t.l.ua.ctx.Done():
			t.l.ua.transfers.leave(t)
			return
		}
	}
}

// notified takes a NOTIFY of a phone's REFER. For all others there is no subscription (RFC 6665 section
// 4.1.3).
func (u *UA) notified(x *exchange) {
	t := u.transfers.find(x)
	if t == nil {
		x.reply(sipmsg.StatusCallTransactionDoesNotExists)
		return
	}
	if inTurn(x, t.l) == nil {
		return
	}
	state := x.req.GetHeader("subscription-state")
	code, ok := fragStatus(string(x.req.Body()))
	if event, _ := eventOf(x.req); event != eventRefer {
		x.reply(statusBadEvent, allowedEvents())
		return
	}
	if state == nil || !ok {
		x.reply(sipmsg.StatusBadRequest)
		return
	}
	// Before the answer, which the next NOTIFY waits for.
	name, _, _ := strings.Cut(state.Value(), ";")
	u.transfers.take(t, code, strings.EqualFold(strings.TrimSpace(name), "terminated"))
	x.reply(sipmsg.StatusOK)
}

// fragStatus reads the status line that a message/sipfrag begins with (RFC 3515 section 2.4.5).
func fragStatus(body string) (code int, ok bool) {
	spoken, rest, _ := strings.Cut(body, " ")
	digits, _, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(strings.TrimSpace(digits))
	return code, err == nil && strings.EqualFold(spoken, version) && code >= 100 && code < 700
}
