package call

import (
	"time"

	"go.uber.org/zap"
)

// turned is the Next of a caller whom a queue turned away: where the queue sends those, else back to it, so
// that nobody is dropped in silence. The desk takes up at once what a reload changed, so the settings that the call
// goes by need not say where a limit leads that is new.
func (w *waiting) turned(why Overflow) Next {
	c, at := w.c, w.at
	c.noteTurned(at.Queue)
	c.tell(Event{Kind: EventOverflow, At: time.Now(), Queue: at.Queue, Step: string(why)})
	now, _ := c.x.settings()
	next, ok := c.now.Queues[at.Queue].Overflow[why]
	if !ok {
		next, ok = now.Queues[at.Queue].Overflow[why]
	}
	if !ok {
		c.log.Error("a queue turned a caller away and says nowhere to: the caller stays", zap.String("queue", at.Queue),
			zap.String("overflow", string(why)))
		return w.keep(Next{Kind: Wait})
	}
	c.log.Info("queue overflows", zap.String("queue", at.Queue), zap.String("overflow", string(why)),
		zap.String("next", string(next.Kind)))
	if next.Kind == Dial {
		return w.keep(next)
	}
	return next
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
