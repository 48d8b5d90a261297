package call

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// The prompts of waiting that no queue names.
const (
	holdMusic   = "hold-music"
	lostApology = "apology-lost"
)

// waiting is one stay in a queue, while it lasts.
type waiting struct {
	c       *Call
	at      Next
	seat    Seat
	saying  *playing
	talking chan struct{} // saying's done, nil while nothing is said
	rounds  int           // of prompt and music begun
	ended   bool          // the seat has; its visit is in the record
}

// wait seats the caller, says what a waiting caller hears, and goes on when an agent answers. A caller
// who came by a direct number is rung, and answered when an agent is, or after one ring.
func wait(ctx context.Context, c *Call, at Next) (next Next) {
	entered := time.Now()
	seat, err := c.x.Desk.Join(c.life(ctx), Ticket{
		CallID: c.id, Queue: at.Queue, Agent: at.Agent, From: c.rec.From,
		Prefer: c.codec(), Entered: entered, Front: at.Front,
	})
	if err != nil {
		return c.failed(err, ReasonNoQueue)
	}
	c.rec.Visits = append(c.rec.Visits, Visit{Queue: at.Queue, Entered: entered})
	c.publish()
	w := &waiting{c: c, at: at, seat: seat}
	defer func() {
		w.hush()
		w.leave(w.why(next))
	}()
	return w.run(ctx)
}

// run waits until the stay is over.
func (w *waiting) run(ctx context.Context) Next {
	c := w.c
	var oneRing <-chan time.Time
	if c.rec.Accepted == nil {
		if err := c.caller.Ring(); err != nil {
			return c.failed(err, ReasonCallerLost)
		}
		var stop func() bool
		oneRing, stop = after(c.x.Targets.Cycle)
		defer stop()
	} else if err := w.say(ctx); err != nil {
		return c.failed(err, ReasonNoPrompt)
	}
	for {
		select {
		case a := <-w.seat.Answered():
			return w.answered(a)
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				return next
			}
			c.keys = c.keys[:0] // a waiting caller has no choices yet
		case <-c.gone():
			return c.callerEnd()
		case <-ctx.Done():
			return c.failed(cause(ctx), ReasonShutdown)
		case <-oneRing:
			if err := w.pickUp(ctx); err != nil {
				return c.failed(err, ReasonNoPrompt)
			}
		case <-w.talking:
			if err := w.sayAgain(ctx); err != nil {
				return c.failed(err, ReasonNoPrompt)
			}
		}
	}
}

// why is the cause with which the seat is given up when the call goes elsewhere.
func (w *waiting) why(next Next) Cause {
	switch {
	case w.c.caller != nil && w.c.caller.Context().Err() != nil:
		return CauseCancel
	case next.End.Reason == ReasonShutdown:
		return CauseShutdown
	default:
		return CauseWithdrawn
	}
}

// pickUp answers a caller who has been rung long enough, so that they hear something.
func (w *waiting) pickUp(ctx context.Context) error {
	if err := w.c.answer(); err != nil {
		return err
	}
	return w.say(ctx)
}

// sayAgain goes on with the next round, if the one that ended did so well.
func (w *waiting) sayAgain(ctx context.Context) error {
	err := w.saying.err
	w.hush()
	if err != nil {
		return err
	}
	return w.say(ctx)
}

// say begins a round of what the waiting caller hears: first an apology if an agent was lost, then the
// queue's prompt and music. A round that ends is followed by the next; an answer cuts it short.
func (w *waiting) say(ctx context.Context) error {
	prompts := []string{w.c.x.Queues[w.at.Queue].WaitPrompt, holdMusic}
	if w.at.Front && w.rounds == 0 {
		prompts = slices.Insert(prompts, 0, lostApology)
	}
	w.rounds++
	p, err := w.c.play(ctx, prompts...)
	if err != nil {
		return err
	}
	w.saying, w.talking = p, p.done
	return nil
}

// hush stops what is being said.
func (w *waiting) hush() {
	if w.saying != nil {
		w.saying.stop()
		w.saying, w.talking = nil, nil
	}
}

// answered takes the agent who answered into the call, if the caller lived to hear it.
func (w *waiting) answered(a Answer) Next {
	w.close()
	if w.c.caller.Context().Err() != nil {
		w.tooLate(a, CauseBye)
		return w.c.callerEnd()
	}
	w.c.adopt(a.Leg)
	w.c.rec.Talks = append(w.c.rec.Talks, TalkRecord{Agent: a.Agent, Queue: a.Queue, Answered: a.At, Holds: []Hold{}})
	return Next{Kind: Talk, Queue: a.Queue, Agent: a.Agent, Leg: a.Leg.ID()}
}

// leave gives the seat up, unless it has ended. If the answer won the race, the agent's leg is ours,
// and is hung up: the caller is not there any more.
func (w *waiting) leave(why Cause) {
	if w.ended {
		return
	}
	if !w.seat.Leave(why) {
		w.tooLate(<-w.seat.Answered(), why)
	}
	w.close()
}

// tooLate frees an agent whose answer the caller did not live to hear.
func (w *waiting) tooLate(a Answer, why Cause) {
	a.Leg.Hangup(why)
	w.c.log.Info("caller left in the instant of the answer", zap.String("agent", a.Agent))
}

// close writes the stay into the record.
func (w *waiting) close() {
	w.ended = true
	visit, offers := w.seat.Visit()
	w.c.rec.Visits[len(w.c.rec.Visits)-1] = visit
	w.c.rec.Offers = append(w.c.rec.Offers, offers...)
	if at := w.seat.PromiseClock(); w.c.rec.PromiseClock == nil && !at.IsZero() {
		w.c.rec.PromiseClock = &at
	}
}

// life is how long the call has a use for a seat: as long as its caller is there.
func (c *Call) life(ctx context.Context) context.Context {
	if c.caller == nil {
		return ctx
	}
	return c.caller.Context()
}

// codec is what the caller's leg speaks, for the agent's phone to prefer.
func (c *Call) codec() media.Codec {
	if c.caller == nil {
		return ""
	}
	return c.caller.Audio().Codec()
}
