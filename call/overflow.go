package call

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"
)

// faultWays are whose ways a caller is sent whom a fault of the desk keeps from being matched, the first that the queue
// has.
var faultWays = []Overflow{QueueFault, QueueTooLong, QueueExpected, QueueFull, QueueEmpty, QueueClosed}

// errUnmatched: a fault kept a caller from being matched, wherever there is to go.
var errUnmatched = errors.New("a fault of the desk's keeps this caller from being matched")

// turned is the Next of a caller whom a queue turned away: where the queue sends those, else back to it, so
// that nobody is dropped in silence. Who comes back to a queue whose desk has a fault over them is told that we are
// sorry, and the call ends. The desk takes up at once what a reload changed, so the settings that the call
// goes by need not say where a limit leads that is new.
func (w *waiting) turned(ctx context.Context, why Overflow) Next {
	c, at := w.c, w.at
	if why == QueueFault {
		if slices.Contains(c.faultsIn, at.Queue) {
			return w.unmatched(ctx)
		}
		c.faultsIn = append(c.faultsIn, at.Queue)
	}
	c.noteTurned(at.Queue)
	c.tell(Event{Kind: EventOverflow, At: time.Now(), Queue: at.Queue, Step: string(why)})
	next, ok := c.wayFrom(at.Queue, why)
	if !ok {
		c.log.Error("a queue turned a caller away and says nowhere to: the caller stays", zap.String("queue", at.Queue),
			zap.String("overflow", string(why)))
		return w.keep(Next{Kind: Wait})
	}
	if c.caller == nil && next.Kind != Wait {
		return w.unmatched(ctx) // a callback has nobody yet who could go there; it is tried again
	}
	c.log.Info("queue overflows", zap.String("queue", at.Queue), zap.String("overflow", string(why)),
		zap.String("next", string(next.Kind)))
	if next.Kind == Dial {
		return w.keep(next)
	}
	return next
}

// wayFrom is where a queue sends callers whom it turns away for a reason.
func (c *Call) wayFrom(queue string, why Overflow) (next Next, ok bool) {
	reasons := []Overflow{why}
	if why == QueueFault {
		reasons = faultWays
	}
	now, _ := c.x.settings()
	for _, o := range []*Options{c.now, now} {
		for _, why := range reasons {
			if next, ok = o.Queues[queue].Overflow[why]; ok {
				return next, true
			}
		}
	}
	return Next{}, false
}

// unmatched ends a call that a fault of the desk's has kept from being matched, wherever it went: with an apology, if
// there is somebody on the line.
func (w *waiting) unmatched(ctx context.Context) Next {
	w.hush()
	err := errUnmatched
	if w.c.caller != nil && w.c.rec.Accepted != nil {
		if said := w.c.Say(ctx, lateApology); said != nil {
			err = said
		}
	}
	return w.c.failed(ctx, err, ReasonPanic)
}

// keep adds the place in the queue to a Next that leads back to it, or may: from a wish to be called back, or a number
// outside that is not reached.
func (w *waiting) keep(next Next) Next {
	visit, _ := w.seat.Visit()
	next.Queue, next.Front, next.Entered = w.at.Queue, w.at.Front, visit.Entered
	if visit.Since != nil {
		next.Entered = *visit.Since
	}
	return next
}
