package call

import (
	"context"

	"go.uber.org/zap"
)

// numberUnreached tells a caller that a number outside, which they or a queue chose, cannot be reached.
const numberUnreached = "number-unreached"

// notReached is the Next after a number outside was not reached: for whoever asked for a transfer, or dialled it, what
// [Call.unreached] says. A caller whom a menu or a queue led there is told, and goes on where that says, or in the
// old place in the queue; only where neither is there does the call end.
func (c *Call) notReached(ctx context.Context, at Next, why Cause) Next {
	leadsOn := at.Else != nil || !at.Entered.IsZero()
	if c.transfer != nil || c.caller == nil || !leadsOn && (c.by != "" || c.rec.Accepted == nil) {
		return c.unreached(at, why)
	}
	c.log.Info("number outside not reached", zap.String("cause", string(why)))
	if c.left() {
		return c.callerEnd()
	}
	if c.rec.Accepted != nil { // who is still rung hears nothing
		if err := c.Say(ctx, numberUnreached); err != nil {
			return c.failed(ctx, err, ReasonNoPrompt)
		}
	}
	switch {
	case at.Else != nil && at.Else.Kind == Done:
		return DoneWith(c.outcome(at.Else.End.Result), at.Else.End.Reason)
	case at.Else != nil:
		return *at.Else
	case leadsOn:
		return Next{Kind: Wait, Queue: at.Queue, Entered: at.Entered, Front: at.Front}
	default:
		return c.unreached(at, why)
	}
}
