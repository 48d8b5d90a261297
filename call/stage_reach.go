package call

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.uber.org/zap"
)

// The prompts of a callback that is being made.
const (
	callbackAgent      = "callback-agent"      // to the agent: a callback, and the queue's name follows
	callbackGreeting   = "callback-greeting"   // to the caller: who calls
	callbackUnanswered = "callback-unanswered" // to the agent
)

// reaching is the call of somebody who asked to be called back, while an agent waits for it to be answered.
type reaching struct {
	c     *Call
	at    Next
	agent Leg
	dial  *dialling
}

// reach calls the caller of a callback, for the agent who has answered and hears music meanwhile.
func reach(ctx context.Context, c *Call, at Next) (next Next) {
	agent, ok := c.legs[at.Leg]
	if !ok || c.booking == nil || c.caller != nil || c.x.Dialer == nil {
		return c.failed(ctx, fmt.Errorf("reach: no agent's leg %q, booking or dialer in the call", at.Leg), ReasonBug)
	}
	r := &reaching{c: c, at: at, agent: agent}
	defer func() {
		if next.Kind != Talk {
			r.free()
		}
	}()
	return r.run(ctx)
}

// run calls the number, and goes on with whoever answers it.
func (r *reaching) run(ctx context.Context) (next Next) {
	c := r.c
	music, err := r.entertain(ctx)
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt)
	}
	defer music()
	number := Next{Kind: Dial, Queue: r.at.Queue, Number: c.booking.Number}
	r.dial = newDialling(c, number, r.at.Agent, c.x.Callback.Ring)
	r.dial.begin(ctx)
	defer func() {
		why := CauseWithdrawn
		if next.End.Reason == ReasonShutdown {
			why = CauseShutdown
		}
		r.dial.takeBack(why)
	}()
	if next, ok := r.until(ctx, r.dial.done); !ok {
		return next
	}
	if r.dial.leg == nil {
		music()
		return r.unreached(ctx, dialCause(r.dial.err))
	}
	return r.reached(ctx)
}

// entertain tells the agent what this is, and plays music until stop. What there is no prompt for is left out.
func (r *reaching) entertain(ctx context.Context) (stop func(), err error) {
	c := r.c
	clips, err := c.clips([]string{callbackAgent})
	if err != nil {
		return nil, err
	}
	queue, err := c.clips([]string{queuePrompt + r.at.Queue})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Error("agent of a callback told no queue", zap.Error(err))
	}
	music, err := c.prompts().Clip(holdMusic)
	if err != nil {
		return nil, fmt.Errorf("music for the agent of a callback: %w", err)
	}
	music.Loop = true
	return c.start(ctx, r.agent.Audio(), nil, append(append(clips, queue...), music)...).stop, nil
}

// until acts on commands until done is closed; ok is false when the call went elsewhere meanwhile.
func (r *reaching) until(ctx context.Context, done <-chan struct{}) (next Next, ok bool) {
	c := r.c
	for {
		select {
		case <-done:
			return Next{}, true
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				return next, false
			}
			c.keys = c.keys[:0]
		case <-c.gone():
			return c.callerEnd(), false
		case <-r.agent.Context().Done():
			return r.agentLeft(), false
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown), false
		}
	}
}

// agentLeft is the Next when the agent is gone: one who was being called is kept the place for, and one who has
// answered waits at the head of the queue for another agent.
func (r *reaching) agentLeft() Next {
	b := r.c.booking
	r.c.log.Info("agent left a callback before its caller was there", zap.String("agent", r.at.Agent))
	if r.c.caller != nil {
		return r.c.backToQueue(r.at.Queue, ReasonPartyLost)
	}
	return Next{Kind: Wait, Queue: r.at.Queue, Entered: b.Entered, Front: b.Front}
}

// unreached tells the agent that nobody answered, and ends the call. That was no talk: there is nothing to write up.
func (r *reaching) unreached(ctx context.Context, why Cause) Next {
	c := r.c
	if r.at.Agent != "" {
		c.x.Desk.Moved(r.at.Agent, r.agent.ID(), c.id, "")
	}
	clips, err := c.clips([]string{callbackUnanswered})
	if err != nil {
		c.log.Error("agent of a callback not told that nobody answered", zap.Error(err))
	}
	told := c.start(ctx, r.agent.Audio(), nil, clips...)
	defer told.stop()
	if next, ok := r.until(ctx, told.done); !ok && next.Kind != Wait { // an agent who has heard enough may go
		return next
	}
	c.release(BySystem)
	return c.over(reasonOf(why))
}

// reached has whoever answered be the call's caller, and tells them who calls. The notice of recording and the
// agent's number follow in the talk.
func (r *reaching) reached(ctx context.Context) Next {
	c, leg := r.c, r.dial.leg
	r.dial.leg = nil
	c.adopt(leg) // first of all: from here on the call's end is the leg's too, whatever happens
	c.become(leg, "", "")
	close(c.found)
	at, err := leg.Answer() // the instant of its 200
	if err != nil {
		at = time.Now()
	}
	c.rec.Accepted = &at
	c.rec.Talks = append(c.rec.Talks, TalkRecord{
		Agent: r.at.Agent, Number: r.at.Number, Queue: r.at.Queue, Answered: at, Holds: []Hold{},
	})
	c.publish()
	greeting, err := c.clips([]string{callbackGreeting})
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt)
	}
	said := c.start(ctx, leg.Audio(), nil, greeting...)
	defer said.stop()
	if next, ok := r.until(ctx, said.done); !ok {
		return next
	}
	return Next{Kind: Talk, Queue: r.at.Queue, Agent: r.at.Agent, Number: r.at.Number, Leg: r.at.Leg}
}

// free lets the agent go.
func (r *reaching) free() {
	end := r.c.drop(r.agent, CauseBye)
	r.c.closeTalks(end.At)
}
