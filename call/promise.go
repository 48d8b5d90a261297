package call

import (
	"time"

	"hotline/media"
)

// What was promised is watched while it can still be kept. The instants follow from the facts in the record, so
// that no stage has to say that a clock begins or ends: whenever the facts change, the call's one timer is set
// for the next of them. It wakes the call through its mailbox, which every stage serves.

// due is the command by which a call's own timer wakes it: an instant has come that the call watches for.
type due struct{}

// talkWarn is the instant of the agent's warning before the second promise is broken. It is no event: the
// agent alone hears it.
const talkWarn EventKind = "talk-warn"

// The soft tones that an agent hears while talking. Nobody else does, and no recording.
var (
	warnTone   = media.Beeps(440, 300*time.Millisecond, 1)
	brokenTone = media.Beeps(440, 300*time.Millisecond, 2)
	alarmTone  = media.Beeps(880, 120*time.Millisecond, 4)
)

// tones are the instants at which the agent hears one.
var tones = map[EventKind]media.Clip{talkWarn: warnTone, EventTalkBroken: brokenTone}

// milestone is an instant at which part or all of what was promised is used up, if the facts stay as they are.
type milestone struct {
	kind EventKind
	at   time.Time
	// elapsed is what is used up then, and target what was promised; of which hold, if it is one's.
	elapsed, target time.Duration
	hold            time.Time
}

// watch is what a call remembers of what it watches for. It belongs to the call's goroutine, but for the timer's
// function, which only posts.
type watch struct {
	told map[EventKind]bool // once per call
	held time.Time          // when the hold began that was told of last
	// timer runs until at; nil before it is set first.
	timer *time.Timer
	at    time.Time
}

// milestones are the instants that the facts of a record lead to, those past included: in the order of kinds.
// Nothing was promised to agents, who hear no such clocks in calls of their own; and rings and waiting mean
// nothing while there is no caller.
func milestones(r *Record, t Targets, caller bool, now time.Time) []milestone {
	if r.agentMade() {
		return nil
	}
	var all []milestone
	add := func(kind EventKind, used, part, target time.Duration, pace int) {
		if target > 0 && part > 0 && pace > 0 {
			// Rounded up: at the instant itself the part is used up.
			left := (part - used + time.Duration(pace) - 1) / time.Duration(pace)
			all = append(all, milestone{kind: kind, at: now.Add(left), elapsed: part, target: target})
		}
	}
	if caller && len(r.Talks) == 0 {
		if r.PromiseClock != nil {
			used, rings := now.Sub(*r.PromiseClock), time.Duration(t.Rings)*t.Cycle
			add(EventRingHalf, used, rings/2, rings, 1)
			add(EventRingBroken, used, rings, rings, 1)
		}
		used, open := waitedSoFar(r, now)
		add(EventWaitLong, used, t.Wait, t.Wait, open)
	}
	used, open := talkedSoFar(r, now)
	add(EventTalkHalf, used, t.Talk/2, t.Talk, open)
	add(talkWarn, used, t.TalkWarn, t.Talk, open)
	add(EventTalkBroken, used, t.Talk, t.Talk, open)
	for _, talk := range r.Talks {
		if n := len(talk.Holds) - 1; n >= 0 && talk.Holds[n].To == nil && talk.Ended == nil {
			add(EventHoldLong, now.Sub(talk.Holds[n].From), t.Hold, t.Hold, 1)
			if t.Hold > 0 {
				all[len(all)-1].hold = talk.Holds[n].From
			}
		}
	}
	return all
}

// waitedSoFar is what was waited in all stays until now, and how many of them go on.
func waitedSoFar(r *Record, now time.Time) (used time.Duration, open int) {
	for i := range r.Visits {
		v := &r.Visits[i]
		used += v.lasted() + v.LeftOut.Waited
		if v.Left == nil {
			used += now.Sub(v.Entered)
			open++
		}
	}
	return used, open
}

// talkedSoFar is what was talked with all agents until now, and how many of the talks go on: two, while one who
// asked for a transfer stays until it is decided.
func talkedSoFar(r *Record, now time.Time) (used time.Duration, open int) {
	for _, talk := range r.Talks {
		if talk.Ended == nil {
			used += now.Sub(talk.Answered)
			open++
		} else {
			used += talk.Ended.Sub(talk.Answered)
		}
	}
	return used, open
}

// lookAhead sets the timer for the next instant that was not told of yet.
func (c *Call) lookAhead() {
	var next time.Time
	now := time.Now()
	for _, m := range milestones(&c.rec, c.now.Targets, c.caller != nil, now) {
		if !c.watch.knows(m) && (next.IsZero() || m.at.Before(next)) {
			next = m.at
		}
	}
	w := &c.watch
	switch {
	case next.Equal(w.at):
	case w.timer == nil:
		w.at = next
		w.timer = time.AfterFunc(next.Sub(now), func() { c.post(due{}) })
	case !w.at.IsZero() && !w.timer.Stop(): // it has fired, and its command is still to be acted on
	default:
		w.at = next
		if !next.IsZero() {
			w.timer.Reset(next.Sub(now))
		}
	}
}

// wake tells of what has come, and looks ahead again.
func (c *Call) wake() {
	c.watch.at = time.Time{}
	now := time.Now()
	for _, m := range milestones(&c.rec, c.now.Targets, c.caller != nil, now) {
		if !m.at.After(now) && !c.watch.knows(m) {
			c.reached(m, now)
		}
	}
	c.lookAhead()
}

// lookNoMore stops the timer. It tells first of a promise that the finished record says was broken, should the
// call have ended in that instant: whoever counts events and records finds the same.
func (c *Call) lookNoMore() {
	if c.watch.timer != nil {
		c.watch.timer.Stop()
	}
	r, t, now := &c.rec, c.now.Targets, time.Now()
	broken := func(met *bool, kind EventKind, target time.Duration) {
		if m := (milestone{kind: kind, elapsed: target, target: target}); met != nil && !*met && !c.watch.knows(m) {
			c.reached(m, now)
		}
	}
	broken(r.RingsMet, EventRingBroken, time.Duration(t.Rings)*t.Cycle)
	broken(r.TalkMet, EventTalkBroken, t.Talk)
}

// knows reports whether a milestone was told of, or a later one of the same clock.
func (w *watch) knows(m milestone) bool {
	if m.kind == EventHoldLong {
		return w.held.Equal(m.hold)
	}
	return w.told[m.kind]
}

// reached remembers a milestone and tells those who can act on it.
func (c *Call) reached(m milestone, now time.Time) {
	if m.kind == EventHoldLong {
		c.watch.held = m.hold
	} else {
		if c.watch.told == nil {
			c.watch.told = make(map[EventKind]bool)
		}
		c.watch.told[m.kind] = true
	}
	if tone, ok := tones[m.kind]; ok {
		c.signal(tone)
	}
	if m.kind == talkWarn {
		return
	}
	e := Event{Kind: m.kind, At: now, Elapsed: m.elapsed, Target: m.target}
	if n := len(c.rec.Talks); n > 0 {
		e.Queue, e.Agent = c.rec.Talks[n-1].Queue, c.rec.Talks[n-1].Agent
	} else if n := len(c.rec.Visits); n > 0 {
		e.Queue = c.rec.Visits[n-1].Queue
	}
	c.tell(e)
}

// tell tells those who can act on it of something about this call. A number that its caller asked not to be
// shown is not.
func (c *Call) tell(e Event) {
	e.Call = c.id
	if !c.rec.Private {
		e.From = c.rec.From
	}
	c.x.OnEvent(e)
}

// signal has the agents who talk in this call hear a soft tone, and those who wait in it: for the caller of a callback,
// or for whom they want to hand the caller on to. Nobody else does.
func (c *Call) signal(tone media.Clip) {
	var hear []Leg
	switch c.at.Kind { //nolint:exhaustive // no agent is on the line in any other
	case Wait, Dial:
		hear = append(hear, c.referrer())
	case Talk, Reach:
		if c.at.Agent != "" {
			hear = append(hear, c.legs[c.at.Leg])
		}
		if c.by != "" {
			hear = append(hear, c.caller)
		}
	}
	for _, l := range hear {
		if l != nil {
			l.Audio().Tone(tone)
		}
	}
}
