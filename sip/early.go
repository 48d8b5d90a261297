package sip

import (
	"strconv"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// early is an early dialog of an INVITE of ours: one phone that rings, of several behind a fork (RFC 3261
// section 12.1.2). ringing.mu guards it.
type early struct {
	// d is complete once a reliable 18x came, the first thing that we answer in the dialog; its CSeqs go on
	// in the dialog that a 2xx makes of this one.
	d   dialog
	seq uint32 // RSeq of the last reliable 18x that was taken in order, 0 before the first
	// answer is the description in the first reliable 18x that had one: it is the answer to our offer, whatever
	// the 2xx says (RFC 3261 section 13.2.1). It is the stream's when this dialog is the one that is
	// answered: until then any phone may be. One in an unreliable 18x is only a preview of the 2xx's.
	answer []byte
	lost   bool // its phone does not know it any more
}

// provisional takes a 1xx: a reliable one is acknowledged in its early dialog, once (RFC 3262 section 4).
func (r *ringing) provisional(res *sipmsg.Response) {
	r.heard = true
	if res.StatusCode == sipmsg.StatusTrying {
		return
	}
	e, prack, err := r.prackOf(res)
	if err != nil {
		r.ua.log.Info("18x not usable", zap.Error(err))
		return
	}
	if prack != nil {
		r.sendPrack(e, prack)
	}
}

// prackOf notes a 18x, and makes the PRACK that it is owed, if any: none for one that is not reliable, was taken
// before, or came out of order, since the far end repeats what is not acknowledged.
func (r *ringing) prackOf(res *sipmsg.Response) (*early, *sipmsg.Request, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.earlyOf(res)
	seq, reliable := rseqOf(res)
	if e == nil || !reliable {
		return nil, nil, nil
	}
	switch {
	case e.lost, e.seq != 0 && seq != e.seq+1:
		return nil, nil, nil
	case e.seq == 0:
		d, err := r.d.answeredBy(res)
		if err != nil {
			return nil, nil, err
		}
		e.d = d
	}
	req, err := e.d.request(sipmsg.PRACK, 0)
	if err != nil {
		return nil, nil, err
	}
	h, err := r.ua.hopOf(&e.d)
	if err != nil {
		return nil, nil, err
	}
	ack := rack{seq: seq, cseq: res.CSeq().SeqNo, method: sipmsg.INVITE}
	req.AppendHeader(sipmsg.NewHeader("RAck", ack.String()))
	r.ua.dispatchable(req, h)
	e.seq = seq
	if e.answer == nil && mediaType(res) == sdpType {
		e.answer = res.Body()
	}
	return e, req, nil
}

// earlyOf finds or begins the early dialog of a 18x; nil when it has none, or there are too many. The caller
// holds r.mu.
func (r *ringing) earlyOf(res *sipmsg.Response) *early {
	tag, ok := remoteTag(res)
	if !ok {
		return nil
	}
	e := r.early[tag]
	if e == nil && len(r.early) < earlyMost {
		e = &early{}
		r.early[tag] = e
	}
	return e
}

// remoteTag is the far end's tag in a response; "" is one as well, that of a phone of RFC 2543 (RFC 3261 section
// 12.1.2).
func remoteTag(res *sipmsg.Response) (tag string, ok bool) {
	to := res.To()
	if to == nil {
		return "", false
	}
	return to.Params.GetOr("tag", ""), true
}

// rseqOf is the number of a reliable 18x; false for one that is not (RFC 3262 section 7.1).
func rseqOf(res *sipmsg.Response) (uint32, bool) {
	if !requires(res, optionReliable) || count(res, "rseq") != 1 {
		return 0, false
	}
	seq, err := strconv.ParseUint(res.GetHeader("rseq").Value(), 10, 32)
	return uint32(seq), err == nil && seq != 0
}

// sendPrack sends a PRACK, and waits for its answer in the background: the INVITE's own responses must be read
// meanwhile.
func (r *ringing) sendPrack(e *early, req *sipmsg.Request) {
	tx, err := r.ua.request(r.ua.patience, req)
	if err != nil {
		r.ua.log.Debug("PRACK not sent", zap.Error(err))
		return
	}
	waits := r.ua.background("prack", func() {
		defer time.AfterFunc(ackWithin*r.ua.o.T1, tx.Terminate).Stop()
		res, err := await(r.ua.patience, tx)
		if r.ua.patience.Err() != nil {
			return
		}
		switch {
		case err != nil:
			r.lose(e, err)
		case res.StatusCode == sipmsg.StatusCallTransactionDoesNotExists, res.StatusCode == sipmsg.StatusRequestTimeout:
			r.lose(e, &StatusError{Method: sipmsg.PRACK.String(), Code: res.StatusCode})
		case !res.IsSuccess():
			r.ua.log.Debug("PRACK refused", zap.Int("code", res.StatusCode))
		}
	})
	if !waits {
		tx.Terminate()
	}
}

// lose ends an early dialog in which a PRACK got no answer, or 408 or 481 (RFC 3261 section 12.2.1.2). When it
// was the last, nobody rings any more, and run takes the INVITE back.
func (r *ringing) lose(e *early, why error) {
	r.ua.log.Debug("early dialog lost", zap.Error(why))
	r.mu.Lock()
	defer r.mu.Unlock()
	e.lost = true
	ours := false // it may be of an INVITE before
	for _, other := range r.early {
		if !other.lost {
			return
		}
		ours = ours || other == e
	}
	if !ours {
		return
	}
	select {
	case r.allLost <- struct{}{}:
	default: // run knows
	}
}

// begin forgets the early dialogs of an INVITE that is sent anew: they ended with its final response.
func (r *ringing) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.early, r.allLost = make(map[string]*early), make(chan struct{}, 1)
}

// confirmed is the dialog that a 2xx makes: of its early dialog, with the target and the route set of the 2xx (RFC
// 3261 section 13.2.2.4), or from nothing.
func (r *ringing) confirmed(res *sipmsg.Response) (dialog, error) {
	tag, _ := remoteTag(res)
	r.mu.Lock()
	from := r.d
	if e := r.early[tag]; e != nil && e.seq != 0 {
		from = e.d
	}
	r.mu.Unlock()
	return from.answeredBy(res)
}

// answerIn is the description that answers our offer, in the dialog that a 2xx makes.
func (r *ringing) answerIn(res *sipmsg.Response) []byte {
	tag, _ := remoteTag(res)
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.early[tag]; e != nil && e.answer != nil {
		return e.answer
	}
	return res.Body()
}
