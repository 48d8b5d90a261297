package call

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// talking is one agent's part of a call, while it lasts.
//
// What the parties hear follows from two facts in the record, so that a talk can be taken up from it:
// whether they were joined, and whether a hold is open.
type talking struct {
	c     *Call
	at    Next
	agent Leg
	talk  int   // its index in the record's talks
	typed typed // by the agent
	// left: the agent, or whoever talks in an agent's place, is not this call's any more.
	left bool
	// agentHolds and makerHolds tell who holds the other. A caller has no such power, but the agent who made a call has.
	agentHolds, makerHolds bool
	// apart takes down what the parties hear: the bridge or room, or music for a caller on hold. joined: it is a bridge or
	// room, which give way to one another without a gap.
	apart  func()
	joined bool
	// watch is the supervisor on the line, nil while there is none; room joins them with the parties, who may be apart.
	watch *Supervise
	room  media.Room
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
	t.agentHolds, t.makerHolds = agent.Audio().Held(), c.by != "" && c.caller.Audio().Held() // a party who was handed over may
	c.hold(t.talk, t.agentHolds || t.makerHolds, time.Now())
	if t.record().Joined == nil && !c.internal() {
		if next, ok := t.announce(ctx); !ok {
			return next
		}
	}
	return t.run(ctx)
}

// internal reports whether this is a talk between two agents, of nobody's call, an agent's feature code, or a supervisor's ear:
// nothing is said to them of recording, and they are not recorded.
func (c *Call) internal() bool {
	return c.by != "" && c.at.Queue == "" && (c.at.Agent != "" || c.at.Kind == Code || c.at.Kind == Supervising)
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
			if next, moved := t.command(ctx, cmd); moved {
				return next
			}
		case <-c.gone():
			return t.callerGone(ctx)
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
		case <-t.watcherGone():
			if err := t.watched(ctx); err != nil {
				return t.broken(ctx, err)
			}
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown)
		}
	}
}

// callerGone is the Next after the caller's leg has ended: an agent who made the call may have wished something before.
func (t *talking) callerGone(ctx context.Context) Next {
	if t.c.by != "" {
		if next, moved := t.lastWishes(ctx); moved {
			return next
		}
	}
	return t.c.callerEnd()
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

// lastWishes acts on what is in the mailbox when an agent is gone: a phone may hang up as soon as it has asked
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

// handle acts on a command. changed says that what the parties hear must follow.
func (t *talking) handle(cmd Command) (changed bool, next Next, moved bool) {
	switch cmd := cmd.(type) {
	case Reoffered:
		if !t.mayHold(cmd.Leg) {
			break
		}
		held, err := cmd.Accept()
		if err != nil {
			t.c.log.Info("agent's re-offer not accepted", zap.String("agent", t.at.Agent), zap.Error(err))
			return false, Next{}, false
		}
		return t.holds(cmd.Leg, held, cmd.At), Next{}, false
	case MediaChanged:
		if t.mayHold(cmd.Leg) {
			return t.holds(cmd.Leg, cmd.Held, cmd.At), Next{}, false
		}
	case Referred:
		if by, may := t.mayRefer(cmd); may {
			next, moved = t.referred(cmd, by)
			return false, next, moved
		}
	case LetGo:
		return t.letGo(cmd)
	case LetGone:
		return t.letGone(cmd)
	case Supervise:
		return t.supervise(cmd), Next{}, false
	case KeyPressed:
		if cmd.Leg == t.agent.ID() {
			next, moved = t.keyed(cmd)
			return false, next, moved
		}
	}
	next, moved = t.c.handle(cmd)
	return false, next, moved
}

// mayHold reports whether a leg is of one who may put the other on hold.
func (t *talking) mayHold(leg LegID) bool {
	return leg == t.agent.ID() || t.c.by != "" && leg == t.c.caller.ID()
}

// holds takes in that one of the two who may holds the other, or does not any more. What the record has as a hold lasts
// for as long as either does. changed says that what the parties hear must follow.
func (t *talking) holds(leg LegID, held bool, at time.Time) (changed bool) {
	h := &t.agentHolds
	if leg != t.agent.ID() {
		h = &t.makerHolds
	}
	if t.left || *h == held {
		return false
	}
	*h = held
	t.c.hold(t.talk, t.agentHolds || t.makerHolds, at)
	return true
}

// connect has the parties hear what they should: each other, or, while one holds or the agent has left, the one who
// waits music.
func (t *talking) connect(ctx context.Context) error {
	c := t.c
	defer c.publish()
	together := !t.deserted() && !t.agentHolds && !t.makerHolds
	if !together || !t.joined {
		t.takeDown()
	}
	if together {
		if err := t.join(); err == nil || !t.deserted() {
			return err
		}
		t.takeDown()
	}
	waits := c.caller
	if t.makerHolds && !t.agentHolds && !t.left {
		waits = t.agent
	}
	t.apart = c.music(ctx, waits)
	return nil
}

// takeDown ends what the parties hear.
func (t *talking) takeDown() {
	t.apart()
	t.apart, t.room, t.joined = func() {}, nil, false
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

// music plays to who waits for somebody, until stop. Without it they would hear silence, which is no reason to
// lose them.
func (c *Call) music(ctx context.Context, to Leg) (stop func()) {
	music, err := c.prompts().Clip(holdMusic)
	if err != nil {
		c.log.Error("no music for who waits", zap.Error(err))
		return func() {}
	}
	music.Loop = true
	return c.start(ctx, to.Audio(), nil, music).stop
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

// bridge joins them in a bridge, or in a room with who listens. What it takes the place of is over then.
func (t *talking) bridge(tap media.Tap) error {
	if t.mix(tap) || t.joined && t.room == nil { // the room could not be had, and their bridge stands as it did
		return nil
	}
	unbridge, err := t.c.x.Bridge.Bridge(t.c.caller.Audio(), t.agent.Audio(), tap)
	if err != nil {
		return fmt.Errorf("join caller and agent: %w", err)
	}
	t.apart()
	t.apart, t.room, t.joined = unbridge, nil, true
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
	case talk.Joined != nil && end.By == Far && end.Why == CauseBye && c.now.Queues[t.at.Queue].SurveyAfterHangup:
		if next, ok := c.surveyOf(t.at.Queue); ok { // that is how one is handed over here: no release
			return next
		}
		fallthrough
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
	t.unwatch()
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
