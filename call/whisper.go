package call

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// The prompts of what an agent is told before the parties are joined, and the beginning of those that name a queue.
const (
	queuePrompt    = "queue-"
	whisperAlarm   = "whisper-alarm"
	whisperWaited  = "whisper-waited"
	whisperSeconds = "whisper-seconds"
	whisperMinutes = "whisper-minutes"
)

// inMinutes is the wait from which on it is told in minutes.
const inMinutes = 2 * time.Minute

// alarmRule begins the rule of a decision of the alarm's ladder, see [Decision].
const alarmRule = "alarm:"

// whisper is what the agent alone hears while the caller hears the agent's number: whether it is an alarm, which
// queue, and how long was waited. It is empty where the queue says so, and for a party outside. What there is no
// prompt for is left out: an agent who hears less is no reason to lose a caller.
func (t *talking) whisper() []media.Clip {
	c := t.c
	if !c.now.Queues[t.at.Queue].Whisper || t.at.Agent == "" {
		return nil
	}
	var clips []media.Clip
	add := func(name string) {
		clip, err := c.now.Prompts.Clip(name)
		switch {
		case err == nil:
			clip.Loop = false
			clips = append(clips, clip)
		case !errors.Is(err, fs.ErrNotExist):
			c.log.Error("agent's whisper", zap.String("prompt", name), zap.Error(err))
		}
	}
	if t.rungForAlarm() {
		add(whisperAlarm)
	}
	add(queuePrompt + t.at.Queue)
	waited, _ := waitedSoFar(&c.rec, t.record().Answered)
	n, unit := int(waited/time.Second), whisperSeconds
	if waited >= inMinutes {
		n, unit = int(waited/time.Minute), whisperMinutes
	}
	if n > 0 {
		add(whisperWaited)
		clips = append(clips, c.now.Prompts.Count(n)...)
		add(unit)
	}
	return clips
}

// rungForAlarm reports whether the ladder of the alarm chose this agent.
func (t *talking) rungForAlarm() bool {
	for _, d := range slices.Backward(t.c.rec.Decisions) {
		if slices.Contains(d.Chosen, t.at.Agent) {
			return strings.HasPrefix(d.Rule, alarmRule)
		}
	}
	return false
}
