package call

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// The prompts around an agent's number (工号播报).
const (
	numberBefore = "agent-number-before"
	numberAfter  = "agent-number-after"
)

// talking is one agent's part of a call, while it lasts.
//
// What the parties hear follows from two facts in the record, so that a talk can be taken up from it:
// whether they were joined, and whether a hold is open.
type talking struct {
	c     *Call
	at    Next
	agent Leg
	talk  int // its index in the record's talks
	// apart takes down what the parties hear: the bridge, or music for a caller on hold.
	apart func()
}

// talk speaks the agent's number to both parties, joins them, and watches until one of them leaves. An
// agent's end is a result: a call whose agent was lost goes back to the head of the queue.
func talk(ctx context.Context, c *Call, at Next) (next Next) {
	agent, ok := c.legs[at.Leg]
	if !ok || c.caller == nil || len(c.rec.Talks) == 0 {
		return c.failed(ctx, fmt.Errorf("talk: no agent's leg %q, caller or talk in the call", at.Leg), ReasonBug)
	}
	t := &talking{c: c, at: at, agent: agent, talk: len(c.rec.Talks) - 1, apart: func() {}}
	defer func() { t.part(next) }()
	if err := c.answer(); err != nil {
		return c.failed(ctx, err, ReasonCallerLost)
	}
	if t.record().Joined == nil {
		if next, ok := t.announce(ctx); !ok {
			return next
		}
	}
	return t.run(ctx)
}

func (t *talking) record() *TalkRecord { return &t.c.rec.Talks[t.talk] }

// run is the talk after the announcement.
func (t *talking) run(ctx context.Context) Next {
	c := t.c
	if err := t.connect(ctx); err != nil {
		return t.broken(ctx, err)
	}
	for {
		select {
		case cmd := <-c.mailbox:
			changed, next, moved := t.handle(cmd)
			if moved {
				return next
			}
			if changed {
				if err := t.connect(ctx); err != nil {
					return t.broken(ctx, err)
				}
			}
			c.keys = c.keys[:0]
		case <-c.gone():
			return c.callerEnd()
		case <-t.agent.Context().Done():
			return t.agentEnd()
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		}
	}
}

// broken is the Next after the parties could not be joined: mostly one of them has just left.
func (t *talking) broken(ctx context.Context, err error) Next {
	switch {
	case t.c.left():
		return t.c.callerEnd()
	case t.agent.Context().Err() != nil:
		return t.agentEnd()
	default:
		return t.c.failed(ctx, err, ReasonBridge)
	}
}

// announce speaks the agent's number, to the caller and to the agent, and the notice of recording to
// a caller who has not heard it. ok is false when the call went elsewhere meanwhile.
func (t *talking) announce(ctx context.Context) (next Next, ok bool) {
	c := t.c
	clips, err := t.announcement()
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt), false
	}
	notice, err := c.notice()
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt), false
	}
	forAgent := clips
	if notice != nil { // so that both hear the number at the same time
		forAgent = append([]media.Clip{*notice}, clips...)
	}
	toAgent := c.start(ctx, t.agent.Audio(), nil, forAgent...)
	defer toAgent.stop()
	toCaller := c.start(ctx, c.caller.Audio(), notice, clips...)
	defer toCaller.stop()
	for {
		select {
		case cmd := <-c.mailbox:
			if _, next, moved := t.handle(cmd); moved {
				return next, false
			}
		case <-c.gone():
			return c.callerEnd(), false
		case <-t.agent.Context().Done():
			return t.agentEnd(), false
		case <-toCaller.done:
			if toCaller.err != nil {
				return t.broken(ctx, toCaller.err), false
			}
			return Next{}, true
		}
	}
}

func (t *talking) announcement() ([]media.Clip, error) {
	clips, err := t.c.clips([]string{numberBefore})
	if err != nil {
		return nil, err
	}
	last, err := t.c.clips([]string{numberAfter})
	if err != nil {
		return nil, err
	}
	return append(append(clips, t.c.x.Prompts.Digits(t.at.Agent)...), last...), nil
}

// handle acts on a command. changed says that what the parties hear must follow.
func (t *talking) handle(cmd Command) (changed bool, next Next, moved bool) {
	switch cmd := cmd.(type) {
	case Reoffered:
		if cmd.Leg != t.agent.ID() {
			break
		}
		held, err := cmd.Accept()
		if err != nil {
			t.c.log.Info("agent's re-offer not accepted", zap.String("agent", t.at.Agent), zap.Error(err))
			return false, Next{}, false
		}
		return t.hold(held, cmd.At), Next{}, false
	case MediaChanged:
		if cmd.Leg == t.agent.ID() {
			return t.hold(cmd.Held, cmd.At), Next{}, false
		}
	}
	next, moved = t.c.handle(cmd)
	return false, next, moved
}

// hold writes down that the agent put the caller on hold, or took it back (RFC 3264 section 8.4), and
// reports whether that is new.
func (t *talking) hold(held bool, at time.Time) (changed bool) {
	if held == t.c.held {
		return false
	}
	t.c.held = held
	talk := t.record()
	if held {
		talk.Holds = append(talk.Holds, Hold{From: at})
	} else {
		talk.Holds[len(talk.Holds)-1].To = &at
	}
	return true
}

// connect has the parties hear what they should: each other, or, while the agent holds, music.
func (t *talking) connect(ctx context.Context) error {
	t.apart()
	t.apart = func() {}
	if t.c.held {
		t.music(ctx)
		t.c.publish()
		return nil
	}
	now := time.Now()
	if err := t.bridge(t.recorder(now)); err != nil {
		return err
	}
	if talk := t.record(); talk.Joined == nil {
		talk.Joined = &now
	}
	t.c.publish()
	return nil
}

// music plays to a caller on hold. Without it they would hear silence, which is no reason to lose them.
func (t *talking) music(ctx context.Context) {
	music, err := t.c.x.Prompts.Clip(holdMusic)
	if err != nil {
		t.c.log.Error("no music for a caller on hold", zap.Error(err))
		return
	}
	music.Loop = true
	t.apart = t.c.start(ctx, t.c.caller.Audio(), nil, music).stop
}

// recorder is the call's recording, which begins at its first join; nil when there is none.
func (t *talking) recorder(now time.Time) media.Tap {
	c := t.c
	if c.recording == nil && c.x.Recorder != nil && c.rec.Unrecorded == "" {
		r, err := c.x.Recorder.Start(c.id, now)
		if err != nil {
			c.rec.Unrecorded = "not started"
			c.log.Error("call is not recorded", zap.Error(err))
			return nil
		}
		c.recording, c.rec.Recording = r, r.Name()
	}
	if c.recording == nil {
		return nil
	}
	return c.recording
}

func (t *talking) bridge(tap media.Tap) error {
	unbridge, err := t.c.x.Bridge.Bridge(t.c.caller.Audio(), t.agent.Audio(), tap)
	if err != nil {
		return fmt.Errorf("join caller and agent: %w", err)
	}
	t.apart = unbridge
	return nil
}

// agentEnd is the Next after the agent's leg ended: after a talk the call is over; an agent lost before
// it, or not by hanging up, sends the caller back to the head of the queue.
func (t *talking) agentEnd() Next {
	c, talk := t.c, t.record()
	end, _ := EndOf(t.agent)
	switch {
	case end.Why == CauseShutdown:
		c.release(BySystem)
		return c.over(ReasonShutdown)
	case talk.Joined != nil && end.By == Far && end.Why == CauseBye:
		talk.Release = ByAgent
		c.release(ByAgent)
		return c.over(ReasonAgentHangup)
	}
	c.log.Warn("agent lost, caller back to the head of the queue",
		zap.String("agent", t.at.Agent), zap.String("cause", string(end.Why)))
	return Next{Kind: Wait, Queue: t.at.Queue, Front: true, Lost: true}
}

// part takes the parties apart and writes the talk's end: the agent's, or the caller's if that was
// first.
func (t *talking) part(next Next) {
	c := t.c
	t.apart()
	why := CauseBye
	if next.End.Reason == ReasonShutdown {
		why = CauseShutdown
	}
	ended := c.drop(t.agent, why).At
	if c.left() {
		if end, _ := EndOf(c.caller); end.At.Before(ended) {
			ended = end.At
		}
	}
	t.hold(false, ended)
	talk := t.record()
	talk.Ended = &ended
	if talk.Release == "" {
		talk.Release = c.rec.Release
	}
	if talk.Release == "" { // the call goes on without this agent
		talk.Release = BySystem
	}
}
