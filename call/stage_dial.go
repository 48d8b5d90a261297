package call

import (
	"context"
	"errors"
	"time"
)

// dialling is one try at a number outside, while it lasts.
type dialling struct {
	c      *Call
	at     Next
	cancel context.CancelCauseFunc
	rang   chan struct{} // has a token when an 18x came
	done   chan struct{} // closed when the dialer returned; then leg or err is set
	leg    Leg
	err    error
	// hush stops the music of a caller who is answered already.
	hush func()
	// by is the agent for whom it is done, and limit how long the number may take to answer.
	by    string
	limit time.Duration
	// try calls the number.
	try func(ctx context.Context) (Leg, error)
}

// dial calls a number outside: for an agent who dialled it and hears ringing meanwhile, or as the target of
// a transfer while the caller hears music. One try, as for an agent asked for by name.
func dial(ctx context.Context, c *Call, at Next) (next Next) {
	defer func() { c.dialledInVain(at, next) }()
	if c.x.Dialer == nil || c.caller == nil {
		return c.notReached(ctx, at, CauseForbidden)
	}
	d := newDialling(c, at, c.by, dialLimit)
	if c.transfer != nil {
		d.by = c.transfer.back.Agent
	}
	if c.rec.Accepted == nil {
		if err := c.caller.Ring(); err != nil {
			return c.failed(ctx, err, ReasonCallerLost)
		}
	} else {
		d.hush = c.music(ctx, c.caller)
	}
	defer func() { d.hush() }()
	d.begin(ctx)
	defer func() { d.takeBack(c.whyLeft(next)) }()
	return d.run(ctx)
}

func newDialling(c *Call, at Next, by string, limit time.Duration) *dialling {
	d := &dialling{
		c: c, at: at, by: by, limit: limit, rang: make(chan struct{}, 1), done: make(chan struct{}), hush: func() {},
	}
	r := DialRequest{Number: at.Number, CallID: c.id, Prefer: c.codec(), Progress: func(int, time.Time) {
		select {
		case d.rang <- struct{}{}:
		default:
		}
	}}
	if !c.rec.agentMade() {
		r.Dialled = c.rec.To
	}
	if c.rec.asserted() && c.booking == nil { // who is called back is not shown their own number
		r.Caller, r.Private = c.rec.From, c.rec.Private
	}
	d.try = func(ctx context.Context) (Leg, error) {
		r.Agent = d.by
		return c.x.Dialer.Dial(ctx, r)
	}
	return d
}

// dialLimit is how long a number outside may take to answer: longer than carriers let it ring, and within what the
// phone that asked is told of its transfer. A trunk that dies after its 18x would never say no.
const dialLimit = 2 * time.Minute

// begin has the number called, on a goroutine that takeBack waits for.
func (d *dialling) begin(ctx context.Context) {
	c := d.c
	ctx, d.cancel = context.WithCancelCause(ctx)
	go func() {
		defer close(d.done)
		ctx, stop := context.WithTimeoutCause(ctx, d.limit, CancelCause{Why: CauseNoAnswer})
		defer stop()
		d.err = errFault // unless the function below returns
		c.contained("dial", func() { d.leg, d.err = d.try(ctx) })
	}()
}

func (d *dialling) run(ctx context.Context) Next {
	c := d.c
	for {
		select {
		case <-d.done:
			if d.leg != nil {
				return d.answered()
			}
			d.hush()
			return c.notReached(ctx, d.at, dialCause(d.err))
		case <-d.rang:
			c.targetRings()
		case cmd := <-c.mailbox:
			if next, moved := d.handle(cmd); moved {
				return next
			}
			c.keys = c.keys[:0]
		case <-c.referrerGone():
			c.dropReferrer()
		case <-c.gone():
			return c.callerEnd()
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		}
	}
}

func (d *dialling) handle(cmd Command) (next Next, moved bool) {
	c := d.c
	switch cmd := cmd.(type) {
	case LetGo:
		return d.letGo(cmd)
	case KeyPressed: // a caller who hears music waits, and may have an alarm; an agent's phone dials keys of its own
		if c.by == "" && cmd.Leg == c.caller.ID() && c.isAlarm(cmd.Key) {
			c.chose()
			c.settleTransfer(CauseCancel)
			c.Chose("dial", cmd.Key.String())
			return c.now.Alarm.To, true
		}
	}
	return c.handle(cmd)
}

// answered is the Next after the number answered.
func (d *dialling) answered() Next {
	c, leg := d.c, d.leg
	d.leg = nil
	c.adopt(leg)
	if c.left() {
		c.drop(leg, CauseBye)
		return c.callerEnd()
	}
	c.transferred()
	answered, err := leg.Answer() // the instant of its 200
	if err != nil {
		answered = time.Now()
	}
	c.rec.Talks = append(c.rec.Talks, TalkRecord{Number: d.at.Number, Queue: d.at.Queue, Answered: answered, Holds: []Hold{}})
	return Next{Kind: Talk, Queue: d.at.Queue, Number: d.at.Number, Leg: leg.ID()}
}

// dialCause is why a dialer did not reach a number.
func dialCause(err error) Cause {
	if failed, ok := errors.AsType[*RingError](err); ok {
		return failed.Why
	}
	return CauseError
}

// letGo answers a call that asks for the party being called: as [waiting.letGo].
func (d *dialling) letGo(cmd LetGo) (next Next, moved bool) {
	c := d.c
	if !c.mayLetGo(cmd) {
		cmd.Reply(LetGone{})
		return Next{}, false
	}
	d.cancel(CancelCause{Why: CauseWithdrawn})
	<-d.done
	if d.leg == nil {
		return c.letGoOf(cmd, d.at), true
	}
	a := Answer{Leg: d.leg}
	next = d.answered()
	if next.Kind != Talk {
		cmd.Reply(LetGone{})
		return next, true
	}
	if c.give(cmd, a, len(c.rec.Talks)-1) {
		return c.gaveAway(), true
	}
	return next, true
}

// takeBack ends the try, and hangs up a party whose answer crossed that.
func (d *dialling) takeBack(why Cause) {
	d.cancel(CancelCause{Why: why})
	<-d.done
	if d.leg != nil {
		d.leg.Hangup(why)
	}
}
