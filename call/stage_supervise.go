package call

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

const (
	// superviseNot is what a supervisor hears where there is nothing to be heard.
	superviseNot = "supervise-not"
	// SuperviseRing is how long a supervisor's phone rings.
	SuperviseRing = 30 * time.Second
)

// supervising is a supervisor's own call, while they are on the line of a talk in another.
type supervising struct {
	c    *Call
	at   Next
	done bool // they were on the line
	// verdicts are the answers to what was asked of the other call; over is closed when that has ended it, by end: once,
	// though a wish that met the end may have had the other call begin anew.
	verdicts chan verdict
	over     chan struct{}
	end      func()
}

// verdict is the answer to a wish for a mode.
type verdict struct {
	mode Mode
	err  error
}

// supervise has a supervisor hear a talk: rings their phone, unless it is on the line, and lends its stream to the
// other call. The keys 1, 2 and 3 choose the mode.
func supervise(ctx context.Context, c *Call, at Next) Next {
	if !c.x.supervisors.claim(c.by, c, at.Call) {
		return supervisedNot(ctx, c, ErrEngaged)
	}
	defer c.x.supervisors.free(c.by, c)
	c.rec.Kind, c.rec.Origin = KindSupervision, at.Call
	c.Own(c.now.Alarm.Key) // who presses more keys has no alarm
	defer c.Own()
	if now, _ := c.x.settings(); !now.Supervisors[c.by] { // by a reload after they were let in, and before the claim
		return supervisedNot(ctx, c, ErrNoSupervisor)
	}
	over := make(chan struct{})
	s := &supervising{
		c: c, at: at, verdicts: make(chan verdict, mailboxSize), over: over, end: sync.OnceFunc(func() { close(over) }),
	}
	if c.caller == nil {
		if next, ok := s.ring(ctx); !ok {
			return next
		}
	}
	if err := c.answer(); err != nil {
		return c.failed(ctx, err, ReasonCallerLost)
	}
	if c.x.engaged(c.by, c.id) {
		return supervisedNot(ctx, c, ErrEngaged)
	}
	s.ask(at.Mode, func(error) {})
	return s.run(ctx)
}

// ring rings the supervisor's phone; ok is false when nobody is there, and next is what follows.
func (s *supervising) ring(ctx context.Context) (next Next, ok bool) {
	c := s.c
	if c.x.Supervision.Phones == nil {
		return c.failed(ctx, ErrNoSupervisor, ReasonUnreachable), false
	}
	d := newDialling(c, s.at, c.by, SuperviseRing)
	d.try = func(ctx context.Context) (Leg, error) {
		return c.x.Supervision.Phones.Ring(ctx, RingRequest{Agent: c.by, From: c.rec.To, CallID: c.id})
	}
	d.begin(ctx)
	defer func() { d.takeBack(CauseWithdrawn) }()
	if err := c.attend(ctx, d.done); err != nil {
		return c.failed(ctx, err, ReasonShutdown), false
	}
	if d.leg == nil {
		c.release(BySystem)
		return c.over(reasonOf(dialCause(d.err))), false
	}
	leg := d.leg
	d.leg = nil
	c.adopt(leg) // first of all: from here on the call's end is the leg's too, whatever happens
	c.become(leg, c.by, "")
	c.x.Desk.Engaged(c.by, leg)
	return Next{}, true
}

// ask asks the other call for a mode; tell is told what came of it.
func (s *supervising) ask(mode Mode, tell func(error)) {
	c := s.c
	reply := func(err error) {
		tell(err)
		select {
		case s.verdicts <- verdict{mode, err}:
		default: // nobody waits for it any more
		}
	}
	if !c.x.Post(s.at.Call, Supervise{
		By: c.by, Leg: c.caller.ID(), Audio: c.caller.Audio(), Gone: c.caller.Context().Done(), Mode: mode,
		Reply: reply, Over: s.end,
	}) {
		reply(ErrNotTalking)
	}
}

func (s *supervising) run(ctx context.Context) Next {
	c := s.c
	for {
		select {
		case v := <-s.verdicts:
			if v.err != nil && !s.done {
				return supervisedNot(ctx, c, v.err)
			}
			s.changed(v)
		case <-s.over:
			c.release(BySystem)
			return DoneWith(Informed, ReasonSupervised)
		case cmd := <-c.mailbox:
			if next, moved := s.handle(cmd); moved {
				return next
			}
			c.keys = c.keys[:0]
		case <-c.gone():
			if next := c.callerEnd(); !s.done || next.End.Reason == ReasonShutdown {
				return next
			}
			return DoneWith(Informed, ReasonSupervised)
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		}
	}
}

// handle acts on a command.
func (s *supervising) handle(cmd Command) (next Next, moved bool) {
	c := s.c
	switch cmd := cmd.(type) {
	case KeyPressed:
		if mode, ok := modeOf(cmd.Key); ok && cmd.Leg == c.caller.ID() {
			s.ask(mode, func(error) {})
		}
		return Next{}, false
	case SetMode:
		s.ask(cmd.Mode, cmd.Reply)
		return Next{}, false
	case HangUp:
		if cmd.Why == ReasonWithdrawn {
			c.release(BySystem)
			return DoneWith(Informed, ReasonSupervised), true
		}
	case LetGo: // there is no party here
		cmd.Reply(LetGone{})
		return Next{}, false
	}
	return c.handle(cmd)
}

// changed tells the supervisor alone which mode it is: as many beeps as the key that chooses it.
func (s *supervising) changed(v verdict) {
	if v.err != nil {
		s.c.log.Info("supervisor's mode not changed", zap.String("mode", string(v.mode)), zap.Error(v.err))
		return
	}
	first := !s.done
	s.done = true
	for i, mode := range Modes() {
		if mode == v.mode && (!first || mode != ModeListen) {
			s.c.caller.Audio().Tone(media.Beeps(modeFreq, modeBeep, i+1))
		}
	}
}

// What a beep sounds like that tells a mode.
const (
	modeFreq = 425
	modeBeep = 60 * time.Millisecond
)

// supervisedNot tells a supervisor that there is nothing to be heard.
func supervisedNot(ctx context.Context, c *Call, why error) Next {
	c.log.Info("not supervised", zap.String("by", c.by), zap.Error(why))
	if c.caller != nil {
		if err := errors.Join(c.answer(), c.Say(ctx, superviseNot)); err != nil {
			return c.failed(ctx, err, ReasonNoPrompt)
		}
	}
	c.release(BySystem)
	return DoneWith(Informed, ReasonCode)
}
