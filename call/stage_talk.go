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
	// left: the agent, or whoever talks in an agent's place, is not this call's any more.
	left bool
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
	c.hold(t.talk, agent.Audio().Held(), time.Now()) // a party who was handed over may hold
	if t.record().Joined == nil && !c.internal() {
		if next, ok := t.announce(ctx); !ok {
			return next
		}
	}
	return t.run(ctx)
}

// internal reports whether this is a talk between two agents, of nobody's call: nothing is said to them,
// and they are not recorded.
func (c *Call) internal() bool { return c.by != "" && c.at.Queue == "" && c.at.Agent != "" }

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
			if next, moved := t.command(ctx, cmd); moved {
				return next
			}
		case <-c.gone():
			return c.callerEnd()
		case <-t.agentGone():
			if next, moved := t.lastWishes(ctx); moved {
				return next
			}
			if c.transfer == nil {
				return t.agentEnd()
			}
			if err := t.connect(ctx); err != nil {
				return t.broken(ctx, err)
			}
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		}
	}
}

// command acts on a command, and has the parties hear what follows from it.
func (t *talking) command(ctx context.Context, cmd Command) (next Next, moved bool) {
	changed, next, moved := t.handle(cmd)
	if moved {
		return next, true
	}
	if changed {
		if err := t.connect(ctx); err != nil {
			return t.broken(ctx, err), true
		}
	}
	t.c.keys = t.c.keys[:0]
	return Next{}, false
}

// lastWishes acts on what is in the mailbox when the agent is gone: a phone may hang up as soon as it has asked
// for a transfer, and has then asked first.
func (t *talking) lastWishes(ctx context.Context) (next Next, moved bool) {
	for range len(t.c.mailbox) { // what comes meanwhile is not the agent's
		select {
		case cmd := <-t.c.mailbox:
			if next, moved := t.command(ctx, cmd); moved {
				return next, true
			}
		default: // HangUp makes room for itself
		}
	}
	return Next{}, false
}

// agentGone is closed when the agent's leg has ended; it never is once that was seen.
func (t *talking) agentGone() <-chan struct{} {
	if t.left {
		return nil
	}
	return t.agent.Context().Done()
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

// announce speaks the agent's number, to the caller and to the agent, and the notice of recording to whom
// it is due, so that all is heard by both at the same time. ok is false when the call went elsewhere
// meanwhile.
func (t *talking) announce(ctx context.Context) (next Next, ok bool) {
	c := t.c
	clips, err := t.announcement()
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt), false
	}
	notice, err := t.notice()
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt), false
	}
	owed, other := c.caller.Audio(), t.agent.Audio()
	if t.at.Number != "" && c.by != "" { // here the agent is the caller, and the party the one to be told
		owed, other = other, owed
	}
	toBoth := clips
	if notice != nil {
		toBoth = append([]media.Clip{*notice}, clips...)
	}
	toOther := c.start(ctx, other, nil, toBoth...)
	defer toOther.stop()
	toOwed := c.start(ctx, owed, notice, clips...)
	defer toOwed.stop()
	heard := []*playing{toOwed}
	if t.at.Number != "" { // who was not told before is not joined before
		heard = append(heard, toOther)
	}
	return t.listen(ctx, heard)
}

// listen waits until what is being said was heard to its end.
func (t *talking) listen(ctx context.Context, said []*playing) (next Next, ok bool) {
	c := t.c
	for len(said) > 0 {
		select {
		case cmd := <-c.mailbox:
			if _, next, moved := t.handle(cmd); moved {
				return next, false
			}
		case <-c.gone():
			return c.callerEnd(), false
		case <-t.agent.Context().Done():
			return t.agentEnd(), false
		case <-said[0].done:
			if said[0].err != nil {
				return t.broken(ctx, said[0].err), false
			}
			said = said[1:]
		}
	}
	return Next{}, true
}

// notice is what says that the call is recorded, while that is due: to a caller who has not heard it, and to
// every number outside, whatever its caller has heard.
func (t *talking) notice() (*media.Clip, error) {
	if t.at.Number == "" {
		return t.c.notice()
	}
	return t.c.noticeClip()
}

// announcement is the agent's number; one outside has none that is spoken.
func (t *talking) announcement() ([]media.Clip, error) {
	if t.at.Number != "" {
		return nil, nil
	}
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
		return !t.left && t.c.hold(t.talk, held, cmd.At), Next{}, false
	case MediaChanged:
		if cmd.Leg == t.agent.ID() {
			return !t.left && t.c.hold(t.talk, cmd.Held, cmd.At), Next{}, false
		}
	case Referred:
		if cmd.Leg == t.agent.ID() {
			next, moved = t.referred(cmd)
			return false, next, moved
		}
	case LetGo:
		return t.letGo(cmd)
	case LetGone:
		return t.letGone(cmd)
	}
	next, moved = t.c.handle(cmd)
	return false, next, moved
}

// connect has the parties hear what they should: each other, or, while the agent holds or has left, music.
func (t *talking) connect(ctx context.Context) error {
	c := t.c
	t.takeDown()
	defer c.publish()
	if !t.deserted() && !c.held {
		if err := t.join(); err == nil || !t.deserted() {
			return err
		}
	}
	t.apart = c.music(ctx)
	return nil
}

// takeDown ends what the parties hear.
func (t *talking) takeDown() {
	t.apart()
	t.apart = func() {}
}

// join has the parties hear each other.
func (t *talking) join() error {
	now := time.Now()
	if err := t.bridge(t.recorder(now)); err != nil {
		return err
	}
	if talk := t.record(); talk.Joined == nil {
		talk.Joined = &now
	}
	return nil
}

// music plays to a caller who waits for somebody, until stop. Without it they would hear silence, which is
// no reason to lose them.
func (c *Call) music(ctx context.Context) (stop func()) {
	music, err := c.x.Prompts.Clip(holdMusic)
	if err != nil {
		c.log.Error("no music for a caller on hold", zap.Error(err))
		return func() {}
	}
	music.Loop = true
	return c.start(ctx, c.caller.Audio(), nil, music).stop
}

// recorder is the call's recording, which begins at its first join; nil when there is none.
func (t *talking) recorder(now time.Time) media.Tap {
	c := t.c
	if c.internal() {
		return nil
	}
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
	case end.By == Far && end.Why == CauseBye && t.at.Queue != "" && c.spurned.hungUpOn(t.at.Leg, end.At):
		c.log.Info("agent's phone hung up when its transfer failed, caller back to the head of the queue",
			zap.String("agent", t.at.Agent))
		return c.backToQueue(t.at.Queue, ReasonPartyLost)
	case (talk.Joined != nil || t.at.Queue == "") && end.By == Far && end.Why == CauseBye:
		talk.Release = ByAgent
		c.release(ByAgent)
		return c.over(ReasonAgentHangup)
	}
	c.log.Warn("agent lost, caller back to the head of the queue if there is one",
		zap.String("agent", t.at.Agent), zap.String("cause", string(end.Why)))
	return c.backToQueue(t.at.Queue, ReasonPartyLost)
}

// part takes the parties apart and writes the talk's end: the agent's, or the caller's if that was first.
// An agent whose transfer is under way stays until it is decided.
func (t *talking) part(next Next) {
	c := t.c
	t.takeDown()
	stays := c.transfer != nil && (next.Kind == Wait || next.Kind == Dial)
	if !stays { // before the BYE, so that the phone hears what became of its wish
		c.endTransfer(next.End.transferCause())
	}
	if t.left || stays {
		return
	}
	why := CauseBye
	if next.End.Reason == ReasonShutdown {
		why = CauseShutdown
	}
	c.closeTalk(t.talk, c.drop(t.agent, why).At)
}
