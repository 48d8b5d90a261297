package call

import (
	"context"
	"errors"

	"go.uber.org/zap"
)

// Errors of a wish to have a waiting caller served by one agent, besides [ErrNotFound].
var (
	// ErrNotWaiting: the call waits in no queue, or an agent has just answered it.
	ErrNotWaiting = errors.New("the caller does not wait in a queue")
	// ErrPicked: an agent is being rung for that caller by name.
	ErrPicked = errors.New("one agent is being rung for that caller alone")
	// ErrAlarm: the caller has an alarm, for which more than one agent is rung.
	ErrAlarm = errors.New("an alarm climbs its ladder")
)

// Picked asks a waiting call to have one agent rung for its caller, before anybody else, once. Reply does not block.
type Picked struct {
	Agent string
	Reply func(error)
}

func (Picked) command() {}

// Pick has one agent rung for a caller who waits in a queue, whatever the order of callers, the agent's skills, wrap-up
// or pause; other phones that ring for the caller are taken back. If that agent does not answer, the caller goes on
// waiting in the place of before. It returns once the caller's call has taken the wish up; what becomes of it is in the
// call's record. Errors: ErrNotFound (no such call in progress), ErrNotWaiting, ErrPicked,
// ErrAlarm, or ctx's cause.
func (x *Exchange) Pick(ctx context.Context, id, agent string) error {
	reply := make(chan error, 1)
	if !x.Post(id, Picked{Agent: agent, Reply: func(err error) { reply <- err }}) {
		return ErrNotFound
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return cause(ctx)
	}
}

// First is the Next of a caller for whom one agent is rung before the others of a queue, once: where that comes to
// nothing, the caller waits in the queue as if it had not been tried.
func First(queue, agent string) Next {
	return Next{Kind: Wait, Queue: queue, Agent: agent, Once: true, Else: &Next{Kind: Wait, Queue: queue}}
}

// picked takes up the wish to have one agent rung for the caller.
func (w *waiting) picked(cmd Picked) (next Next, moved bool) {
	switch {
	case w.at.Agent != "":
		cmd.Reply(ErrPicked)
	case w.c.now.Queues[w.at.Queue].Alarm:
		cmd.Reply(ErrAlarm)
	case w.c.caller == nil || w.at.Queue == "" || w.c.internal() || !w.seat.Leave(CauseWithdrawn):
		cmd.Reply(ErrNotWaiting)
	default:
		w.c.log.Info("picked for one agent", zap.String("agent", cmd.Agent))
		cmd.Reply(nil)
		return w.keep(First(w.at.Queue, cmd.Agent)), true
	}
	return Next{}, false
}

// notHad is the Next of a caller whose one try at an agent came to nothing.
func (w *waiting) notHad(why Cause) Next {
	if w.at.Else != nil && w.c.transfer == nil {
		w.c.rec.Visits[w.visit].How = howMoved // the stay goes on
		w.at = w.keep(w.at)
	}
	return w.c.notHad(w.at, why)
}

// notHad is the Next of a caller for whom the one agent wanted cannot be rung, or did not answer.
func (c *Call) notHad(at Next, why Cause) Next {
	if at.Else == nil || c.transfer != nil {
		return c.unreached(at, why)
	}
	next := *at.Else
	next.Entered, next.Front = at.Entered, at.Front
	return next
}
