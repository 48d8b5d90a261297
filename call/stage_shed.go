package call

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"
)

// ShedMenu is what a caller hears for whom no line was left but one of those held back for alarms.
type ShedMenu struct {
	// Queue is the alarms'.
	Queue string
	// Keys lead there, each by itself.
	Keys string
	// Prompts say that all lines are busy, and which key is for an alarm.
	Prompts []string
}

// shedWait is how long a caller has for the key, once all was said; and shedTries how often it is said.
const (
	shedWait  = 5 * time.Second
	shedTries = 2
)

// shed asks whether the caller has an alarm, and ends the call if not: politely, which a refusal is not, and
// soon, since the line is held back for others.
func shed(ctx context.Context, c *Call, at Next) Next {
	m, ok := c.now.Shed[at.Menu]
	if !ok {
		return c.over(ReasonBadRoute)
	}
	if err := c.answer(); err != nil {
		return c.failed(ctx, err, ReasonCallerLost)
	}
	for range shedTries {
		key, err := c.Ask(ctx, shedWait, m.Prompts...)
		switch {
		case err == nil && strings.ContainsRune(m.Keys, rune(key)):
			c.Chose(string(Shed), string(rune(key)))
			c.log.Info("an alarm on a line held back", zap.String("queue", m.Queue))
			return Next{Kind: Wait, Queue: m.Queue}
		case err != nil && !errors.Is(err, ErrNoKey):
			return c.failed(ctx, err, ReasonNoPrompt)
		}
	}
	c.Chose(string(Shed), "otherwise")
	c.release(BySystem)
	return c.over(ReasonOverload)
}
