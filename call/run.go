package call

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.uber.org/zap"
)

// stage does one part of a call and returns where the call goes next. Stages do not call each other.
// A stage that returns leaves nothing behind it: what it played is stopped, its seat is given up, its
// bridge is taken down.
type stage func(ctx context.Context, c *Call, at Next) Next

// stages, by kind. Done has none: what follows it is finish.
var stages = map[Kind]stage{
	Route: route,
	Menu:  menu,
	Shed:  shed,
	Wait:  wait,
	Dial:  dial,
	Talk:  talk,
	Code:  code,

	Callback: askCallback,
	Reach:    reach,

	Supervising: supervise,
}

// Run is the way of a call, whatever began it: it moves from stage to stage until Done, and then
// finishes the call, exactly once, whatever happened. It owns the call and returns when the record
// is written.
//
// ctx is the process's: it is not cancelled by a leg's end, and not by a shutdown that drains.
func Run(ctx context.Context, c *Call, at Next) {
	c.x.add(c)
	defer c.x.remove(c)
	c.begin()
	for at.Kind != Done {
		at = c.enter(at)
		next := step(ctx, c, at)
		if !Allowed(at.Kind, next.Kind) {
			c.log.Error("forbidden move", zap.String("from", string(at.Kind)), zap.String("to", string(next.Kind)))
			next = c.over(ReasonBug)
		}
		at = next
	}
	c.finish(ctx, at.End)
}

// step runs one stage and contains its panic to this call.
func step(ctx context.Context, c *Call, at Next) (next Next) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("panic in a call", zap.String("stage", string(at.Kind)),
				zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", debug.Stack()))
			c.x.OnPanic("call/"+string(at.Kind), v)
			c.release(BySystem)
			next = c.over(ReasonPanic)
		}
	}()
	s := c.x.stages[at.Kind]
	if s == nil {
		return c.over(ReasonBug)
	}
	return s(ctx, c, at)
}

// contained does one thing of a call's end; a panic in it must not keep the rest from being done.
func (c *Call) contained(what string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("panic at a call's end", zap.String("in", what),
				zap.String("panic", fmt.Sprint(v)), zap.ByteString("stack", debug.Stack()))
			c.x.OnPanic("call/"+what, v)
		}
	}()
	f()
}
