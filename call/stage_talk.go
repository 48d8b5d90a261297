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
type talking struct {
	c        *Call
	at       Next
	agent    Leg
	talk     int // its index in the record's talks
	unbridge func()
}

// talk speaks the agent's number to both parties, joins them, and watches until one of them leaves. An
// agent's end is a result: a call whose agent was lost goes back to the head of the queue.
func talk(ctx context.Context, c *Call, at Next) Next {
	agent, ok := c.legs[at.Leg]
	if !ok {
		return c.failed(fmt.Errorf("talk: agent's leg %q is not the call's", at.Leg), ReasonBug)
	}
	t := &talking{c: c, at: at, agent: agent, talk: len(c.rec.Talks) - 1, unbridge: func() {}}
	next := t.run(ctx)
	t.part(next)
	return next
}

func (t *talking) run(ctx context.Context) Next {
	c := t.c
	if err := c.answer(); err != nil {
		return c.failed(err, ReasonCallerLost)
	}
	if next, ok := t.announce(ctx); !ok {
		return next
	}
	if err := t.join(time.Now()); err != nil {
		return c.failed(err, ReasonBridge)
	}
	for {
		select {
		case cmd := <-c.mailbox:
			if r, ok := cmd.(Reoffered); ok && r.Leg == t.agent.ID() {
				if err := t.reoffered(ctx, r); err != nil {
					return c.failed(err, ReasonBridge)
				}
				break
			}
			if next, moved := c.handle(cmd); moved {
				return next
			}
			c.keys = c.keys[:0]
		case <-c.gone():
			return c.callerEnd()
		case <-t.agent.Context().Done():
			return t.agentEnd()
		case <-ctx.Done():
			return c.failed(cause(ctx), ReasonShutdown)
		}
	}
}

// announce speaks the agent's number, to the caller and to the agent, and the notice of recording to
// a caller who has not heard it. ok is false when the call went elsewhere meanwhile.
func (t *talking) announce(ctx context.Context) (next Next, ok bool) {
	c := t.c
	before, err := c.clips([]string{numberBefore})
	if err != nil {
		return c.failed(err, ReasonNoPrompt), false
	}
	last, err := c.clips([]string{numberAfter})
	if err != nil {
		return c.failed(err, ReasonNoPrompt), false
	}
	clips := append(append(before, c.x.Prompts.Digits(t.at.Agent)...), last...)
	var notice []string
	if c.x.Recorder != nil && !c.told {
		notice = []string{noticePrompt}
	}
	first, err := c.clips(notice)
	if err != nil {
		return c.failed(err, ReasonNoPrompt), false
	}
	toAgent := c.start(ctx, t.agent.Audio(), nil, append(first, clips...)...)
	defer toAgent.stop()
	var due *media.Clip
	if len(first) > 0 {
		due = &first[0]
	}
	toCaller := c.start(ctx, c.caller.Audio(), due, clips...)
	defer toCaller.stop()
	for {
		select {
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				return next, false
			}
		case <-c.gone():
			return c.callerEnd(), false
		case <-t.agent.Context().Done():
			return t.agentEnd(), false
		case <-toCaller.done:
			if toCaller.err != nil {
				return c.failed(toCaller.err, ReasonNoPrompt), false
			}
			return Next{}, true
		}
	}
}

// join bridges the parties, and begins the recording at the first join of a call.
func (t *talking) join(now time.Time) error {
	c := t.c
	if c.recording == nil && c.x.Recorder != nil && c.rec.Unrecorded == "" {
		r, err := c.x.Recorder.Start(c.id, now)
		if err != nil {
			c.rec.Unrecorded = "not started"
			c.log.Error("call is not recorded", zap.Error(err))
		} else {
			c.recording = r
			c.rec.Recording = r.Name()
		}
	}
	if err := t.bridge(); err != nil {
		return err
	}
	c.rec.Talks[t.talk].Joined = &now
	c.publish()
	return nil
}

func (t *talking) bridge() error {
	var tap media.Tap
	if t.c.recording != nil {
		tap = t.c.recording
	}
	unbridge, err := t.c.x.Bridge.Bridge(t.c.caller.Audio(), t.agent.Audio(), tap)
	if err != nil {
		return fmt.Errorf("join caller and agent: %w", err)
	}
	t.unbridge = unbridge
	return nil
}

// reoffered answers the agent's re-INVITE. When it puts the caller on hold the caller hears music until
// it is taken back, and the record has how long that was (RFC 3264 section 8.4).
func (t *talking) reoffered(ctx context.Context, r Reoffered) error {
	c := t.c
	held, err := r.Accept()
	if err != nil {
		c.log.Info("agent's re-offer not accepted", zap.String("agent", t.at.Agent), zap.Error(err))
		return nil
	}
	switch {
	case held && !c.held:
		t.hold(ctx, r.At)
	case !held && c.held:
		t.resume(r.At)
		if err := t.bridge(); err != nil {
			return err
		}
	}
	c.publish()
	return nil
}

func (t *talking) hold(ctx context.Context, at time.Time) {
	c := t.c
	t.unbridge()
	c.held = true
	talk := &c.rec.Talks[t.talk]
	talk.Holds = append(talk.Holds, Hold{From: at})
	music, err := c.x.Prompts.Clip(holdMusic)
	if err != nil {
		c.log.Error("no music for a caller on hold", zap.Error(err))
		t.unbridge = func() {}
		return
	}
	music.Loop = true
	p := c.start(ctx, c.caller.Audio(), nil, music)
	t.unbridge = p.stop
}

func (t *talking) resume(at time.Time) {
	t.unbridge()
	t.unbridge = func() {}
	t.c.held = false
	holds := t.c.rec.Talks[t.talk].Holds
	holds[len(holds)-1].To = &at
}

// agentEnd is the Next after the agent's leg ended: after a talk the call is over; an agent lost before
// it, or not by hanging up, sends the caller back to the head of the queue.
func (t *talking) agentEnd() Next {
	c := t.c
	end, _ := EndOf(t.agent)
	talk := &c.rec.Talks[t.talk]
	if talk.Joined != nil && end.By == Far && end.Why == CauseBye {
		talk.Release = ByAgent
		c.release(ByAgent)
		return c.over(ReasonAgentHangup)
	}
	talk.Release = BySystem
	c.log.Warn("agent lost, caller back to the head of the queue",
		zap.String("agent", t.at.Agent), zap.String("cause", string(end.Why)))
	return Next{Kind: Wait, Queue: t.at.Queue, Front: true}
}

// part takes the parties apart and writes the talk's end.
func (t *talking) part(next Next) {
	c := t.c
	t.unbridge()
	why := CauseBye
	if next.End.Reason == ReasonShutdown {
		why = CauseShutdown
	}
	end := c.drop(t.agent, why)
	if c.held {
		t.c.held = false
		holds := c.rec.Talks[t.talk].Holds
		holds[len(holds)-1].To = &end.At
	}
	talk := &c.rec.Talks[t.talk]
	talk.Ended = &end.At
	if talk.Release == "" {
		talk.Release = c.rec.Release
	}
}
