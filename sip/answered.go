package sip

import (
	"errors"
	"fmt"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// answered makes the leg of the first 2xx and acknowledges it. The leg is complete and in the table before the
// ACK leaves, since the far end may hang up as soon as it has it. An answer we cannot use ends the call again.
func (r *ringing) answered(res *sipmsg.Response, at time.Time) (*leg, error) {
	failed := &call.RingError{Why: call.CauseUnreachable, Code: res.StatusCode, At: at, Unsure: r.o.claim != nil}
	if r.gated() {
		r.ua.registrar.answeredLeg(r.o.agent, r.d.CallID)
	}
	d, ack, err := r.ackOf(res)
	if err != nil {
		r.ua.log.Info("2xx not usable", zap.Error(err))
		r.voided()
		r.settleLater()
		return nil, failed
	}
	r.signalled(res)
	unusable := r.stream.Accept(r.answerIn(res))
	l := r.ua.newLeg(d, r.stream)
	l.answeredAt, l.authorize, l.asked = at, r.o.authorize, r.asked
	l.began(res)
	bye, over := r.ua.legs.enterRung(l, r)
	if err := errors.Join(unusable, r.acknowledge(d.RemoteTag, ack)); err != nil {
		r.ua.log.Info("answer not usable", zap.String("agent", r.o.agent), zap.Error(err))
		l.Hangup(call.CauseError)
		return nil, failed
	}
	if over {
		l.hungUp(bye)
		l.release()
	}
	if r.ua.ctx.Err() != nil { // Close may have hung up all legs just before this one
		l.Hangup(call.CauseShutdown)
		failed.Why = call.CauseWithdrawn
		return nil, failed
	}
	return l, nil
}

// ackOf makes the ACK of a 2xx, and the dialog that the 2xx made.
func (r *ringing) ackOf(res *sipmsg.Response) (dialog, *sipmsg.Request, error) {
	d, err := r.confirmed(res)
	if err != nil {
		return d, nil, err
	}
	ack, err := d.request(sipmsg.ACK, r.req.CSeq().SeqNo)
	if err != nil {
		return d, nil, err
	}
	h, err := r.ua.hopOf(&d)
	if err != nil {
		return d, nil, err
	}
	// RFC 3261 section 13.2.2.4 has the INVITE's credentials there; but what is for the trunk is not for who was called.
	if a := r.o.authorize; a == nil || a.from == nil || a.from(parsePeer(h.dest).Addr()) {
		for _, name := range []string{"authorization", "proxy-authorization"} {
			sipmsg.CopyHeaders(name, r.req, ack)
		}
	}
	r.ua.dispatchable(ack, h)
	return d, ack, nil
}

// acknowledge sends the ACK of a 2xx (RFC 3261 section 13.2.2.4) and keeps it for the 2xx's repetitions.
func (r *ringing) acknowledge(tag string, ack *sipmsg.Request) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acks[tag] = ack
	if err := r.ua.write(ack); err != nil {
		return fmt.Errorf("send ACK: %w", err)
	}
	return nil
}

// forksMost bounds the phones that may answer one INVITE of ours.
const forksMost = 2 * earlyMost

// voided notes that the first 2xx is not to be acknowledged: those of other phones are not to wait for that.
func (r *ringing) voided() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.void = true
}

// again is called by the transaction for every 2xx after the first: a repeated one is acknowledged again;
// one with another tag is a second phone that answered behind a fork, and is hung up.
func (r *ringing) again(res *sipmsg.Response) {
	defer r.ua.contain("2xx", nil)
	to := res.To()
	if to == nil {
		return
	}
	tag := to.Params.GetOr("tag", "")
	r.mu.Lock()
	defer r.mu.Unlock()
	ack, known := r.acks[tag]
	switch {
	case known:
		if err := r.ua.write(ack); err != nil {
			r.ua.log.Debug("ACK not sent again", zap.Error(err))
		}
	case len(r.acks) >= forksMost: // no fork has so many phones: each costs a transaction, for as long as it is sent
	case len(r.acks) == 0 && !r.void: // the first 2xx is being acknowledged this moment; this one will come again
	default:
		r.ua.background("fork", func() { r.dismiss(res) })
	}
}

// dismiss acknowledges a 2xx that nobody wants any more, and hangs it up. What it returns is told whether the phone has
// answered the BYE, once it has, or cannot any more; nil when there is no BYE.
func (r *ringing) dismiss(res *sipmsg.Response) <-chan bool {
	d, ack, err := r.ackOf(res)
	if err == nil {
		err = r.acknowledge(d.RemoteTag, ack)
	}
	if err != nil {
		r.ua.log.Info("2xx not dismissed", zap.Error(err))
		r.voided()
		return nil
	}
	return r.goodbye(d)
}

// goodbye sends the BYE of a dialog that never became a leg. It returns what dismiss does.
func (r *ringing) goodbye(d dialog) <-chan bool {
	answered := make(chan bool, 1)
	begun := r.ua.background("bye", func() {
		req, err := r.ua.byeOf(&d)
		if err == nil {
			_, err = r.ua.do(r.ua.patience, req)
		}
		if err != nil {
			r.ua.log.Debug("BYE unanswered", zap.Error(err))
		}
		answered <- err == nil
	})
	if !begun {
		return nil
	}
	return answered
}
