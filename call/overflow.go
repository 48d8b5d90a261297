package call

import (
	"time"

	"go.uber.org/zap"
)

// turned is the Next of a caller whom a queue turned away: where the queue sends those, else back to it, so
// that nobody is dropped in silence.
func (c *Call) turned(at Next, why Overflow) Next {
	c.noteTurned(at.Queue)
	c.tell(Event{Kind: EventOverflow, At: time.Now(), Queue: at.Queue, Step: string(why)})
	next, ok := c.now.Queues[at.Queue].Overflow[why]
	if !ok {
		c.log.Error("a queue turned a caller away and says nowhere to", zap.String("queue", at.Queue),
			zap.String("overflow", string(why)))
		return c.over(ReasonNoQueue)
	}
	c.log.Info("queue overflows", zap.String("queue", at.Queue), zap.String("overflow", string(why)),
		zap.String("next", string(next.Kind)))
	return next
}
