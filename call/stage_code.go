package call

import (
	"context"
	"strings"

	"go.uber.org/zap"
)

// codeUnknown is what a phone hears whose code nobody acts on.
const codeUnknown = "code-unknown"

// code acts on a feature code that an agent's phone dialled, and says what came of it.
func code(ctx context.Context, c *Call, at Next) Next {
	if err := c.answer(); err != nil {
		return c.failed(ctx, err, ReasonCallerLost)
	}
	if agent, ok := c.listens(at.Code); ok {
		if id := c.x.talkOf(agent); id != "" {
			return Next{Kind: Supervising, Call: id, Mode: ModeListen}
		}
		return supervisedNot(ctx, c, ErrNotTalking)
	}
	c.Own(c.now.Alarm.Key) // an agent who presses more keys has no alarm
	defer c.Own()
	said := codeUnknown
	if c.x.Shifts != nil && c.by != "" {
		var err error
		if said, err = c.x.Shifts.Do(c.by, at.Code); err != nil {
			c.log.Info("feature code refused", zap.String("agent", c.by), zap.String("code", at.Code), zap.Error(err))
		}
	}
	if err := c.Say(ctx, said); err != nil {
		return c.failed(ctx, err, ReasonNoPrompt)
	}
	c.release(BySystem)
	return DoneWith(Informed, ReasonCode)
}

// listens is the agent whose talk a supervisor wants to hear by a code, if it is that code and a supervisor's.
func (c *Call) listens(dialled string) (agent string, ok bool) {
	agent, ok = strings.CutPrefix(dialled, c.x.Supervision.Code)
	return agent, ok && c.x.Supervision.Code != "" && c.now.Supervisors[c.by]
}
