package call

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// The prompts of a callback, as a waiting caller hears them.
const (
	callbackConfirm = "callback-confirm" // 1 asks for it, any other key goes on waiting
	callbackDone    = "callback-booked"
	callbackNot     = "callback-refused"
)

// confirmWithin is how long a caller may think.
const confirmWithin = 6 * time.Second

// askCallback asks a caller who wants to be called back to confirm it, and books it. Who does not, or cannot have
// it, goes back to the queue, to the old place.
func askCallback(ctx context.Context, c *Call, at Next) Next {
	back := Next{Kind: Wait, Queue: at.Queue, Entered: at.Entered, Front: at.Front}
	c.keys = c.keys[:0]
	if why := c.noCallback(); why != nil {
		return c.callbackRefused(ctx, back, why)
	}
	switch key, err := c.Ask(ctx, confirmWithin, callbackConfirm); {
	case errors.Is(err, ErrNoKey):
		return back
	case err != nil:
		return c.unbooked(c.failed(ctx, err, ReasonNoPrompt))
	case key != '1':
		return back
	}
	b := Booking{
		ID: uuid.Must(uuid.NewV7()).String(), Origin: c.id, Number: c.rec.From, To: c.rec.To, Language: c.rec.Language,
		Queue: at.Queue, Entered: at.Entered, Front: at.Front, Asked: time.Now(), Due: time.Now(),
	}
	refused := errFault // unless the function below returns
	// A caller who hangs up meanwhile has asked for it all the same, so it is booked whether they are there or not.
	err := c.During(ctx, func(ctx context.Context) { refused = c.x.callbacks.book(context.WithoutCancel(ctx), b) })
	if refused != nil {
		if err != nil {
			return c.unbooked(c.failed(ctx, err, ReasonNoPrompt))
		}
		return c.callbackRefused(ctx, back, refused)
	}
	c.rec.Callback = b.ID
	c.log.Info("callback booked", zap.String("callback", b.ID), zap.String("queue", b.Queue))
	if err == nil {
		err = c.Say(ctx, callbackDone)
	}
	switch {
	case c.left():
		c.callerEnd() // notes who released the call
	case errors.Is(err, ErrMoved) && c.moved.Kind != Done:
		return c.moved // by the alarm's key, which works in the last prompt too
	case err != nil:
		c.log.Warn("callback booked, and its caller not told", zap.Error(err))
	}
	return DoneWith(CalledFor, ReasonCallback)
}

// Why a caller cannot be called back, besides the errors of Bookings.
var (
	errNoCallbacks   = errors.New("callbacks are not made")
	errNotAsserted   = errors.New("no number that a trunk asserted, and that may be used")
	errNumberNowhere = errors.New("the number may not be called")
)

// noCallback is why the caller cannot be called back; nil if nothing is known to be against it. Only a number that
// a trunk asserted counts: who types a number of somebody else must not have the hotline ring there.
func (c *Call) noCallback() error {
	if c.x.Callback.Bookings == nil || c.x.Dialer == nil {
		return errNoCallbacks
	}
	if c.rec.From == "" || c.rec.Private || !c.rec.asserted() {
		return errNotAsserted
	}
	if ever, _ := c.x.Callback.Allowed(c.rec.From); !ever {
		return errNumberNowhere
	}
	return nil
}

// callbackRefused tells the caller that there is to be no callback, and has them wait on.
func (c *Call) callbackRefused(ctx context.Context, back Next, why error) Next {
	c.x.callbacks.outcomes.WithLabelValues(callbackRefused).Inc()
	c.log.Info("callback refused", zap.String("queue", back.Queue), zap.Error(why))
	if err := c.Say(ctx, callbackNot); err != nil {
		return c.unbooked(c.failed(ctx, err, ReasonNoPrompt))
	}
	return back
}

// unbooked is the Next of a caller who left, or was moved, without having booked anything: that is how the stay in the
// queue ended, as it would be had the caller left from there.
func (c *Call) unbooked(next Next) Next {
	if n := len(c.rec.Visits); n > 0 {
		how := howMoved
		if why := c.whyLeft(next); why == CauseShutdown {
			how = string(ReasonShutdown)
		} else if why == CauseCancel {
			how = string(Abandoned)
		}
		c.rec.Visits[n-1].How = how
		c.leftPlace()
	}
	return next
}

// howMoved is how a visit ended whose caller went elsewhere, as package acd says it too.
const howMoved = "moved"
