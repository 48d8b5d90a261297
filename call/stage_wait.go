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
	visit   int // the stay's index in the record's visits
	offers  int // how many offers the record had before it
	saying  *playing
	talking chan struct{} // saying's done, nil while nothing is said
	rounds  int           // of prompt and music begun
	ended   bool          // the seat has; its visit is in the record
}

// wait seats the caller, says what a waiting caller hears, and goes on when an agent answers. A caller
// who came by a direct number is rung, and answered when an agent is, or after one ring. A callback has
// no caller yet: nobody is rung and nothing is said.
func wait(ctx context.Context, c *Call, at Next) (next Next) {
	seat, err := c.x.Desk.Join(c.life(ctx), Ticket{
		CallID: c.id, Queue: at.Queue, Agent: at.Agent, From: c.rec.From,
		Prefer: c.codec(), Entered: at.Entered, Front: at.Front,
	})
	if err != nil {
		return c.failed(ctx, err, ReasonNoQueue)
	}
	w := &waiting{c: c, at: at, seat: seat, visit: c.visit(at), offers: len(c.rec.Offers)}
	w.note()
	defer func() {
		w.hush()
		w.leave(w.why(next))
	}()
	return w.run(ctx)
}

// visit is the index of the stay that begins: the one that a restart left open, or a new one.
func (c *Call) visit(at Next) int {
	last := len(c.rec.Visits) - 1
	if last >= 0 && c.rec.Visits[last].Left == nil && c.rec.Visits[last].Queue == at.Queue {
		return last
	}
	c.rec.Visits = append(c.rec.Visits, Visit{Queue: at.Queue, Entered: at.Entered})
	return last + 1
}

// run waits until the stay is over.
func (w *waiting) run(ctx context.Context) Next {
	c := w.c
	var oneRing <-chan time.Time
	if c.caller != nil && c.rec.Accepted == nil {
		if err := c.caller.Ring(); err != nil {
			return c.failed(ctx, err, ReasonCallerLost)
		}
		var stop func() bool
		oneRing, stop = after(c.x.Targets.Cycle)
		defer stop()
	} else if err := w.say(ctx); err != nil {
		return c.failed(ctx, err, ReasonNoPrompt)
	}
	for {
		select {
		case a := <-w.seat.Answered():
			return w.answered(a)
		case <-w.seat.Changed():
			w.note()
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				return next
			}
			c.keys = c.keys[:0] // a waiting caller has no choices yet
		case <-c.gone():
			return c.callerEnd()
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		case <-oneRing:
			if err := w.pickUp(ctx); err != nil {
				return c.failed(ctx, err, ReasonNoPrompt)
			}
		case <-w.talking:
			if err := w.sayAgain(ctx); err != nil {
				return c.failed(ctx, err, ReasonNoPrompt)
			}
		}
	}
}

// why is the cause with which the seat is given up when the call goes elsewhere.
func (w *waiting) why(next Next) Cause {
	switch {
	case next.End.Reason == ReasonShutdown:
		return CauseShutdown
	case w.c.left():
		return CauseCancel
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
	if w.c.caller == nil {
		return nil
	}
	prompts := []string{w.c.x.Queues[w.at.Queue].WaitPrompt, holdMusic}
	if w.at.Lost && w.rounds == 0 {
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
	w.c.adopt(a.Leg) // first of all: from here on the call's end is the leg's too, whatever happens
	w.close()
	if w.c.left() {
		w.tooLate(a, CauseBye)
		return w.c.callerEnd()
	}
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
		a := <-w.seat.Answered()
		w.c.adopt(a.Leg)
		w.tooLate(a, why)
	}
	w.close()
}

// tooLate frees an agent whose answer the caller did not live to hear.
func (w *waiting) tooLate(a Answer, why Cause) {
	w.c.drop(a.Leg, why)
	w.c.log.Info("caller left in the instant of the answer", zap.String("agent", a.Agent))
}

// close writes the stay's end into the record.
func (w *waiting) close() {
	w.ended = true
	w.copy()
}

// note writes the stay as it is now into the record, and shows it.
func (w *waiting) note() {
	w.copy()
	w.c.publish()
}

func (w *waiting) copy() {
	r := &w.c.rec
	visit, offers := w.seat.Visit()
	r.Visits[w.visit] = visit
	r.Offers = append(r.Offers[:w.offers], offers...)
	if at := w.seat.PromiseClock(); r.PromiseClock == nil && !at.IsZero() {
		r.PromiseClock = &at
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
