package sip

import (
	"errors"
	"fmt"
	"net"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// errCutOff: the connection was lost that a request left by, and nobody had answered it. Whether it arrived is not known; its
// response may come by another (RFC 3261 section 18.2.2).
var errCutOff = fmt.Errorf("sip: the connection was lost that a request left by: %w", net.ErrClosed)

// unansweredError says of a request that was given up what it left by.
type unansweredError struct {
	over *trackedConn // nil over UDP
	sent time.Time
	why  error
}

func (e *unansweredError) Error() string { return e.why.Error() }
func (e *unansweredError) Unwrap() error { return e.why }

// leftBy is the connection that a request of ours left by; nil over UDP.
func leftBy(tx *sipmsg.ClientTx) *trackedConn {
	if c, ok := tx.Connection().(*sipmsg.TCPConnection); ok {
		t, _ := c.Conn.(*trackedConn)
		return t
	}
	return nil
}

// loss is that of the connection that a request of ours left by. c is closed then; nil: the request left by UDP, or it is of no
// consequence (any more).
type loss struct {
	c      <-chan struct{}
	over   *trackedConn
	sent   time.Time
	spared bool
}

// lossOf is that of a connection by which something left just now; nil: UDP.
func lossOf(over *trackedConn, sent time.Time) loss {
	l := loss{over: over, sent: sent}
	if over != nil {
		l.c = over.dead.done()
	}
	return l
}

// spares is asked once c is closed, and tells whether the response is waited for a while longer: something has come over the
// connection since, of which sipgo hands each to a goroutine of its own, and whoever answered is not to be asked again.
func (l *loss) spares() bool {
	if l.spared || !l.over.heardSince(l.sent) {
		return false
	}
	l.spared = true
	over := make(chan struct{})
	time.AfterFunc(l.over.conns.l.grace, func() { close(over) })
	l.c = over
	return true
}

// unanswered is unheard, for a request whose transaction ended with an error.
func (u *UA) unanswered(h hop, err error) {
	if e, ok := errors.AsType[*unansweredError](err); ok {
		u.unheard(h, e.over, e.sent)
	}
}

// unheard is told that a request by a way got no answer: which connection it left by, nil over UDP, and when. A connection of
// ours over which nothing has come since is taken for dead, though nobody has said so, and the next request has another; a
// peer of UDP that was silent to a large request by TCP is sent the next by UDP.
func (u *UA) unheard(h hop, over *trackedConn, sent time.Time) {
	if over == nil || !over.made || over.heardSince(sent) {
		return
	}
	if over.dead.isClosed() {
		return // that is no silence; and what came over it is still being answered
	}
	if !reliable(h.transport) {
		u.outward.noteNoTCP(over.key(), time.Now())
	}
	over.cut() // its reader notices, and tells
}

// heardSince tells whether a message has come since an instant. That the connection was kept for longer is no message.
func (t *trackedConn) heardSince(at time.Time) bool {
	heard := time.Duration(t.heardAt.Load())
	return heard > 0 && t.accepted.Add(heard).After(at)
}
