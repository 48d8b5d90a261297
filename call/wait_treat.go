package call

import (
	"context"
	"slices"
	"time"

	"hotline/media"
)

// The prompts around a waiting caller's place, and the wait to be expected.
const (
	positionBefore = "position-before"
	positionAfter  = "position-after"
	expectedBefore = "expected-before"
	expectedAfter  = "expected-after"
	expectedSoon   = "expected-soon" // less than a minute
)

// Treatment is what a waiting caller hears besides the queue's prompt, and may press.
//
// A round is the queue's prompt and then the music, once; after it comes the next. What falls due meanwhile is said
// at once where there is music, which then begins anew, and otherwise when what is being said has ended. An answer cuts
// all of it short.
type Treatment struct {
	// Music is the prompt that is played; empty means hold-music.
	Music string
	// Position is after how long at the earliest the caller is told the place in the queue again, if it has got better;
	// the first time it is told as soon as it is known. 0: never.
	Position time.Duration
	// Expected: with the place, the wait to be expected is told, in whole minutes, when it is known and less than
	// what was told last.
	Expected bool
	// Prompts are said each after so long, again and again.
	Prompts []TimedPrompt
	// Keys are where a key leads. One of kind [Callback] gets the queue and the place from the stay.
	Keys map[media.Key]Next
}

// TimedPrompt is a prompt said to a waiting caller each time Every has passed.
type TimedPrompt struct {
	Prompt string
	Every  time.Duration
}

// treating is what a waiting caller was told, and is to be told.
type treating struct {
	begun bool
	// due is what falls due when: a prompt by its name, the place by none.
	due  []dueAt
	tick <-chan time.Time
	// music: what is being played is the music, which gives way to news.
	music bool
	// prompts, position and minutes are to be said; 0 and -1 are none.
	prompts           []string
	position, minutes int
	stop              func() bool // stops the timer behind tick
}

// told is what a caller was told of the place in one stay, however often it is gone on with: 0 and -1 are none.
type told struct{ visit, position, minutes int }

type dueAt struct {
	at     time.Time
	every  time.Duration
	prompt string
}

// treatment is the queue's; who is handed on to one person is in nobody's queue, and hears music only.
func (w *waiting) treatment() Treatment {
	if w.at.Once || w.at.Queue == "" {
		return Treatment{}
	}
	return w.c.now.Queues[w.at.Queue].Treatment
}

// treat begins the treatment: the times count from when the caller hears something.
func (w *waiting) treat() {
	if w.t.begun {
		return
	}
	w.t.begun, w.t.minutes = true, -1
	if w.c.told == nil || w.c.told.visit != w.visit {
		w.c.told = &told{visit: w.visit, minutes: -1}
	}
	if w.at.Lost {
		w.c.told.position = 1 // as the apology says
	}
	t, now := w.treatment(), time.Now()
	for _, p := range t.Prompts {
		w.t.due = append(w.t.due, dueAt{now.Add(p.Every), p.Every, p.Prompt})
	}
	if t.Position > 0 {
		w.t.due = append(w.t.due, dueAt{now.Add(t.Position), t.Position, ""})
		w.seat.AskPlace()
	}
	w.schedule()
}

// schedule sets the timer for what falls due next.
func (w *waiting) schedule() {
	w.unschedule()
	if len(w.t.due) == 0 {
		return
	}
	next := slices.MinFunc(w.t.due, func(a, b dueAt) int { return a.at.Compare(b.at) })
	w.t.tick, w.t.stop = after(max(0, time.Until(next.at)))
}

func (w *waiting) unschedule() {
	if w.t.stop != nil {
		w.t.stop()
	}
}

// ticked takes in what is due now.
func (w *waiting) ticked(ctx context.Context) error {
	now := time.Now()
	for i := range w.t.due {
		d := &w.t.due[i]
		if d.at.After(now) {
			continue
		}
		d.at = d.at.Add(d.every)
		switch {
		case d.prompt == "":
			w.seat.AskPlace()
		case !slices.Contains(w.t.prompts, d.prompt):
			w.t.prompts = append(w.t.prompts, d.prompt)
		}
	}
	w.schedule()
	return w.sayNews(ctx)
}

// placed takes in the place that the desk told. Only what is better than what the caller was told is news; what was to
// be said before it is not so any more.
func (w *waiting) placed(ctx context.Context, p Place) error {
	knows := w.c.told
	w.t.position, w.t.minutes = 0, -1
	if knows.position == 0 || p.Position < knows.position {
		w.t.position = p.Position
	}
	if w.treatment().Expected && p.Expected >= 0 {
		if m := wholeMinutes(p.Expected); knows.minutes < 0 || m < knows.minutes {
			w.t.minutes = m
		}
	}
	return w.sayNews(ctx)
}

// wholeMinutes rounds a wait to minutes; 0 is less than one.
func wholeMinutes(d time.Duration) int {
	if d < time.Minute {
		return 0
	}
	return int(d.Round(time.Minute) / time.Minute)
}

// sayNews says what there is to be told, unless something else is being said: then it follows.
func (w *waiting) sayNews(ctx context.Context) error {
	if w.saying != nil && !w.t.music {
		return nil
	}
	clips, err := w.news()
	if err != nil || len(clips) == 0 {
		return err
	}
	w.hush()
	return w.speak(ctx, clips)
}

// news takes what there is to be told.
func (w *waiting) news() (clips []media.Clip, err error) {
	names := func(names ...string) {
		if err != nil {
			return
		}
		var more []media.Clip
		more, err = w.c.clips(names)
		clips = append(clips, more...)
	}
	if w.t.position > 0 {
		w.c.told.position = w.t.position
		names(positionBefore)
		clips = append(clips, w.c.prompts().Number(w.t.position)...)
		names(positionAfter)
	}
	if w.t.minutes >= 0 {
		w.c.told.minutes = w.t.minutes
	}
	switch {
	case w.t.minutes == 0:
		names(expectedSoon)
	case w.t.minutes > 0:
		names(expectedBefore)
		clips = append(clips, w.c.prompts().Count(w.t.minutes)...)
		names(expectedAfter)
	}
	names(w.t.prompts...)
	w.t.position, w.t.minutes, w.t.prompts = 0, -1, nil
	return clips, err
}

// keyed goes where a key of the waiting caller leads. If the answer was first, the key is ignored.
func (w *waiting) keyed(cmd KeyPressed) (next Next, moved bool) {
	if w.c.caller == nil || cmd.Leg != w.c.caller.ID() {
		return Next{}, false
	}
	next, ok := w.treatment().Keys[cmd.Key]
	if !ok && w.c.isAlarm(cmd.Key) && w.at.Queue != w.c.now.Alarm.To.Queue && !w.c.internal() {
		next, ok = w.c.now.Alarm.To, true
	}
	if !ok || !w.seat.Leave(CauseWithdrawn) {
		return Next{}, false
	}
	w.c.chose()
	w.c.Chose(w.at.Queue, cmd.Key.String())
	w.c.settleTransfer(CauseCancel) // whoever asked for one is let go, and may be rung
	if next.Kind == Callback || next.Kind == Dial {
		next = w.keep(next)
	}
	return next, true
}
