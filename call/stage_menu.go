package call

import (
	"cmp"
	"context"
	"errors"

	"go.uber.org/zap"
)

// route goes where the number dialled leads. Numbers are resolved at the door (package sip), so a
// Route that gets here names a menu, a queue or an agent.
func route(_ context.Context, c *Call, at Next) Next {
	if at.Menu == "" && at.Queue == "" && at.Agent == "" && at.Code == "" {
		return c.over(ReasonBadRoute)
	}
	return resolved(at)
}

// menu answers the caller and lets them choose.
func menu(ctx context.Context, c *Call, at Next) Next {
	if err := c.answer(); err != nil {
		return c.failed(ctx, err, ReasonCallerLost)
	}
	defer c.Own() // none, outside a menu
	next, err := c.now.Menus.Walk(ctx, c, at.Menu)
	for _, other := range c.otherSettings() {
		if !errors.Is(err, ErrNoMenu) {
			break
		}
		c.now = other
		next, err = c.now.Menus.Walk(ctx, c, at.Menu)
	}
	if err != nil {
		return c.failed(ctx, err, ReasonNoPrompt)
	}
	if next.Kind == Done { // what came of the call is not undone by a menu after it
		next.End.Result = c.outcome(next.End.Result)
	}
	return next
}

// outcome is the result of a call that a menu ends: a caller who talked to somebody was served,
// and one who left a message has left it.
func (c *Call) outcome(said Result) Result {
	return cmp.Or(c.rec.came(), said)
}

// failed is the Next after an error of a line: the caller may have left, or a command may have moved
// the call; anything else ends it for the reason given.
func (c *Call) failed(ctx context.Context, err error, why Reason) Next {
	if errors.Is(err, ErrMoved) {
		return c.moved
	}
	if c.caller != nil && c.caller.Context().Err() != nil {
		return c.callerEnd()
	}
	if errors.Is(err, ErrNoMenu) {
		why = ReasonNoMenu
	}
	if errors.Is(err, ErrNoQueue) {
		why = ReasonNoQueue
	}
	if ctx.Err() != nil {
		why = ReasonShutdown
	}
	c.log.Error("call cannot go on", zap.String("reason", string(why)), zap.Error(err))
	c.release(BySystem)
	return c.over(why)
}
