package call

import (
	"context"

	"hotline/media"
)

// The prompts around an agent's number (工号播报).
const (
	numberBefore = "agent-number-before"
	numberAfter  = "agent-number-after"
)

// announce speaks the agent's number, to the caller and to the agent, and the notice of recording to whom
// it is due, so that all is heard by both at the same time. Who holds us meanwhile has heard nothing, and is told
// when that is over: nobody is joined, and so recorded, before. ok is false when the call went elsewhere meanwhile.
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
	deaf, next, ok := t.tell(ctx, notice, clips)
	for ok && deaf != nil {
		if next, ok = t.untilBack(ctx, deaf); ok {
			deaf, next, ok = t.tell(ctx, notice, nil)
		}
	}
	return next, ok
}

// tell says the notice, if it is due, and then clips to both; an agent who is whispered something hears that
// meanwhile. deaf is one who is owed the notice and did not hear it,
// nil when there is none.
func (t *talking) tell(ctx context.Context, notice *media.Clip, clips []media.Clip) (deaf Leg, next Next, ok bool) {
	c := t.c
	owed, other := c.caller, t.agent
	if t.at.Number != "" && c.by != "" { // here the agent is the caller, and the party the one to be told
		owed, other = other, owed
	}
	noticeToo, said := notice, clips
	var whisper []media.Clip
	if len(clips) > 0 { // not when only the notice is told again
		whisper = t.whisper()
	}
	if len(whisper) > 0 {
		noticeToo, said = nil, whisper
	}
	toOther := c.start(ctx, other.Audio(), noticeToo, said...)
	defer toOther.stop()
	toOwed := c.noted(c.start(ctx, owed.Audio(), notice, clips...))
	defer toOwed.stop()
	heard := []*playing{toOwed}
	if t.at.Number != "" || len(whisper) > 0 { // who was not told before is not joined before
		heard = append(heard, toOther)
	}
	if next, ok = t.listen(ctx, heard); !ok || notice == nil {
		return nil, next, ok
	}
	switch {
	case !toOwed.heard && (owed == t.agent || !c.rec.NoticeHeard):
		deaf = owed
	case t.at.Number != "" && other == t.agent && !toOther.heard:
		deaf = other
	}
	return deaf, Next{}, true
}

// listen waits until what is being said was heard to its end.
func (t *talking) listen(ctx context.Context, said []*playing) (next Next, ok bool) {
	for _, p := range said {
		if next, ok = t.serve(ctx, p.done, func() bool { return false }); !ok {
			return next, false
		}
		if p.err != nil {
			return t.broken(ctx, p.err), false
		}
	}
	return Next{}, true
}

// untilBack waits until one who holds us does not any more. The other hears music.
func (t *talking) untilBack(ctx context.Context, deaf Leg) (next Next, ok bool) {
	waits := t.c.caller
	if deaf == waits {
		waits = t.agent
	}
	defer t.c.music(ctx, waits)()
	return t.serve(ctx, nil, func() bool { return !deaf.Audio().Held() })
}

// serve acts on commands until done is closed, or one of them was enough. ok is false when the call went elsewhere
// meanwhile.
func (t *talking) serve(ctx context.Context, done <-chan struct{}, enough func() bool) (next Next, ok bool) {
	c := t.c
	for !enough() {
		select {
		case cmd := <-c.mailbox:
			if _, next, moved := t.handle(cmd); moved {
				return next, false
			}
		case <-c.gone():
			return c.callerEnd(), false
		case <-t.agent.Context().Done():
			return t.agentEnd(), false
		case <-ctx.Done():
			return c.failed(ctx, cause(ctx), ReasonShutdown), false
		case <-done:
			return Next{}, true
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
	return append(append(clips, t.c.prompts().Digits(t.at.Agent)...), last...), nil
}
