package call

import (
	"cmp"
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
	lateApology = "apology-late"
)

// waiting is one stay in a queue, while it lasts.
type waiting struct {
	c       *Call
	at      Next
	seat    Seat
	visit   int        // the stay's index in the record's visits
	before  Visit      // what the record said of the stay, if it goes on
	offers  []Offer    // those that the record had before it
	reasons []Decision // those from before
	saying  *playing
	talking chan struct{} // saying's done, nil while nothing is said
	sorry   string        // what the next round begins with
	late    <-chan time.Time
	unlate  func() bool // stops the timer behind late
	ended   bool        // the seat has; its visit is in the record
	t       treating
}

// wait seats the caller, says what a waiting caller hears, and goes on when an agent answers. A caller
// who came by a direct number is rung, and answered when an agent is, or after one ring. A callback has
// no caller yet: nobody is rung and nothing is said.
func wait(ctx context.Context, c *Call, at Next) (next Next) {
	if why := c.waitsNoMore(); why != "" {
		c.release(BySystem)
		return c.over(why)
	}
	seat, err := c.x.Desk.Join(c.life(ctx), Ticket{
		CallID: c.id, Queue: at.Queue, Agent: at.Agent, Once: at.Once, From: cmp.Or(c.shown, c.rec.From), Private: c.rec.Private,
		To: c.rec.To, Prefer: c.codec(), Entered: at.Entered, Front: at.Front,
		Asserted: c.rec.asserted(), Stay: c.caller == nil || c.wasTurned(at.Queue),
	})
	if err != nil && at.Once && !c.left() && ctx.Err() == nil {
		c.log.Info("nobody to be asked for by name", zap.String("agent", at.Agent), zap.Error(err))
		return c.notHad(at, CauseUnreachable)
	}
	if err != nil {
		return c.failed(ctx, err, ReasonNoQueue)
	}
	w := &waiting{
		c: c, at: at, seat: seat, visit: c.visit(at), offers: slices.Clone(c.rec.Offers), reasons: slices.Clone(c.rec.Decisions),
		unlate: func() bool { return false },
	}
	if w.visit != nobodysQueue {
		w.before = c.rec.Visits[w.visit]
	}
	if at.Lost {
		w.sorry = lostApology
	}
	w.note()
	defer func() {
		w.unlate()
		w.unschedule()
		w.hush()
		w.leave(c.whyLeft(next))
		if next.Kind == Callback {
			c.rec.Visits[w.visit].How = howCallback
		}
	}()
	return w.run(ctx)
}

// nobodysQueue is the index of a stay that is none: a call between two people waits in no queue.
const nobodysQueue = -1

// visit is the index of the stay that begins: the one that goes on, or a new one.
func (c *Call) visit(at Next) int {
	if at.Queue == "" {
		return nobodysQueue
	}
	if last, ok := c.reopened(at); ok {
		return last
	}
	return c.rec.enter(Visit{Queue: at.Queue, Entered: at.Entered})
}

// run waits until the stay is over.
func (w *waiting) run(ctx context.Context) Next {
	c := w.c
	var oneRing <-chan time.Time
	if c.caller != nil && c.rec.Accepted == nil {
		if err := c.caller.Ring(); err != nil {
			return c.failed(ctx, err, ReasonCallerLost)
		}
		if !w.at.Once { // who asks for one person hears ringing until that one answers
			var stop func() bool
			oneRing, stop = after(c.now.Targets.Cycle)
			defer stop()
		}
	} else if err := w.say(ctx); err != nil {
		return c.failed(ctx, err, ReasonNoPrompt)
	}
	for {
		var err error
		select {
		case a := <-w.seat.Answered():
			return w.answered(a)
		case why := <-w.seat.Failed():
			w.close()
			return w.notHad(why)
		case why := <-w.seat.Turned():
			w.close()
			return w.turned(ctx, why)
		case <-w.seat.Changed():
			w.note()
		case <-c.referrerGone():
			c.dropReferrer()
		case cmd := <-c.mailbox:
			if next, moved := w.handle(cmd); moved {
				return next
			}
			c.keys = c.keys[:0] // those of a waiting caller mean something at once, or nothing
		case <-c.gone():
			return c.callerEnd()
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		case <-oneRing:
			err = w.pickUp(ctx)
		case <-w.late:
			err = w.apologise(ctx)
		case <-w.talking:
			err = w.sayAgain(ctx)
		case <-w.t.tick:
			err = w.ticked(ctx)
		case p := <-w.seat.Placed():
			err = w.placed(ctx, p)
		}
		if err != nil {
			return c.failed(ctx, err, ReasonNoPrompt)
		}
	}
}

func (w *waiting) handle(cmd Command) (next Next, moved bool) {
	switch cmd := cmd.(type) {
	case LetGo:
		return w.letGo(cmd)
	case KeyPressed:
		return w.keyed(cmd)
	case Picked:
		return w.picked(cmd)
	default:
		return w.c.handle(cmd)
	}
}

// whyLeft is the cause with which a seat, or a try at a number, is given up when the call goes elsewhere.
func (c *Call) whyLeft(next Next) Cause {
	switch {
	case next.End.Reason == ReasonShutdown:
		return CauseShutdown
	case c.left():
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

// watch sets the timer for the instant from which the first promise can no longer be kept.
func (w *waiting) watch() {
	clock := w.c.rec.PromiseClock
	if w.late != nil || w.c.apologised || clock == nil || len(w.c.rec.Talks) > 0 {
		return // set, said, not begun, or kept by an answer
	}
	t := w.c.now.Targets
	lost := clock.Add(time.Duration(t.Rings) * t.Cycle)
	w.late, w.unlate = after(max(0, time.Until(lost)))
}

// apologise tells a caller whose promise was broken so, once.
func (w *waiting) apologise(ctx context.Context) error {
	w.late, w.c.apologised = nil, true
	if w.c.caller == nil || w.c.rec.Accepted == nil {
		return nil
	}
	w.hush()
	w.sorry = lateApology
	return w.say(ctx)
}

// sayAgain goes on when what was being said, or played, has ended, if it did so well.
func (w *waiting) sayAgain(ctx context.Context) error {
	err := w.saying.err
	music := w.t.music
	w.hush()
	if err != nil {
		return err
	}
	if err := w.sayNews(ctx); err != nil || w.saying != nil {
		return err
	}
	if music {
		return w.say(ctx)
	}
	return w.playMusic(ctx, nil) // what was said before it began with the notice
}

// say begins a round of what the waiting caller hears: first an apology if one is due, then the
// queue's prompt; the music follows.
func (w *waiting) say(ctx context.Context) error {
	if w.c.caller == nil {
		return nil
	}
	w.treat()
	var prompts []string
	if w.sorry != "" {
		prompts = append(prompts, w.sorry)
		w.sorry = ""
	}
	if !w.at.Once && w.at.Queue != "" { // who is handed on to one person is in nobody's queue
		prompts = append(prompts, w.c.now.Queues[w.at.Queue].WaitPrompt)
	}
	if len(prompts) == 0 {
		notice, err := w.c.notice()
		if err != nil {
			return err
		}
		return w.playMusic(ctx, notice)
	}
	clips, err := w.c.clips(prompts)
	if err != nil {
		return err
	}
	return w.speak(ctx, clips)
}

// speak begins to say clips, which are not to be cut short by news.
func (w *waiting) speak(ctx context.Context, clips []media.Clip) error {
	p, err := w.c.playClips(ctx, clips)
	if err != nil {
		return err
	}
	w.saying, w.talking, w.t.music = p, p.done, false
	return nil
}

// playMusic begins the music, to be heard once, after the notice if it is due.
func (w *waiting) playMusic(ctx context.Context, notice *media.Clip) error {
	clips, err := w.c.clips([]string{cmp.Or(w.treatment().Music, holdMusic)})
	if err != nil {
		return err
	}
	p := w.c.start(ctx, w.c.caller.Audio(), notice, clips...)
	w.saying, w.talking, w.t.music = p, p.done, true
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
	w.c.transferred()
	w.c.chose()
	if w.c.caller == nil {
		return Next{Kind: Reach, Queue: a.Queue, Agent: a.Agent, Number: a.Number, Leg: a.Leg.ID()}
	}
	w.c.rec.Talks = append(w.c.rec.Talks, TalkRecord{
		Agent: a.Agent, Number: a.Number, Queue: a.Queue, Answered: a.At, Holds: []Hold{},
	})
	return Next{Kind: Talk, Queue: a.Queue, Agent: a.Agent, Number: a.Number, Leg: a.Leg.ID()}
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
	w.watch()
	w.c.publish()
}

func (w *waiting) copy() {
	r := &w.c.rec
	visit, offers := w.seat.Visit()
	if w.visit != nobodysQueue {
		if w.before.Since != nil { // the place is from a call before this one, and the wait is not
			visit.Entered, visit.Since, visit.Rejoined = w.before.Entered, w.before.Since, true
		}
		r.Visits[w.visit] = visit
	}
	r.Offers = AddOffers(slices.Clone(w.offers), offers...)
	r.Decisions = AddDecisions(slices.Clone(w.reasons), w.seat.Decisions()...)
	if slices.ContainsFunc(offers, func(o Offer) bool { return o.Rung != nil }) {
		w.c.targetRings()
	}
	if at := w.seat.PromiseClock(); r.PromiseClock == nil && !at.IsZero() && !r.agentMade() && !r.calledBack() {
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
