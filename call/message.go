package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// MessageRecord is what a caller left word of.
type MessageRecord struct {
	// Name is the recording's, as [Record.Recording]; the caller is its left side.
	Name  string    `json:"name"`
	At    time.Time `json:"at"` // when it began
	Queue string    `json:"queue,omitempty"`
	// Seconds is how long it is; 0 while it is being left, and for good where the process died then.
	Seconds float64 `json:"seconds"`
}

// Messages are all that the caller left word of, in order.
func (r *Record) Messages() []MessageRecord {
	all := slices.Clone(r.EarlierMessages)
	if r.Message != nil {
		all = append(all, *r.Message)
	}
	return all
}

// MessageOptions say how a message is taken.
type MessageOptions struct {
	// Queue is whom it is for; empty means the last one that the caller waited in.
	Queue string
	// Max is how long it may become, and Silence after how long without a sound it ends.
	Max, Silence time.Duration
	// End is the key that ends it; any other is ignored.
	End media.Key
	// Again: it takes the place of the one left before, which stays where nothing comes of this one.
	Again bool
}

// Listener hears one party alone. media.Engine is one.
type Listener interface {
	Listen(s media.Stream, tap media.Tap) (stop func(), err error)
}

const (
	// leastMessage is the shortest message: less is somebody who thought better of it.
	leastMessage = time.Second
	// messageSuffix tells a message's recording from the call's.
	messageSuffix = "-message"
	// listenEvery is how often it is looked whether a caller has fallen silent.
	listenEvery = 100 * time.Millisecond
)

// messageBeep is what a caller speaks after.
var messageBeep = media.Tone(1000, 300*time.Millisecond)

// Errors of Leave.
var (
	// ErrNoMessage: nothing was said, or too little.
	ErrNoMessage = errors.New("no message was left")
	// ErrNotKept: what would be said could not be kept.
	ErrNotKept = errors.New("messages cannot be kept")
)

// hearing is the tap of a message: what is heard is recorded, and when a sound was heard last is noted.
type hearing struct {
	media.Tap
	sound atomic.Pointer[time.Time]
}

// Frame implements media.Tap.
func (h *hearing) Frame(f media.Frame) {
	if !media.Silent(f.ALaw) {
		h.sound.Store(&f.At)
	}
	h.Tap.Frame(f)
}

// Leave implements Line.
func (c *Call) Leave(ctx context.Context, o MessageOptions) error {
	if c.x.Recorder == nil || c.x.Listener == nil || !o.Again && len(c.rec.Messages()) >= MaxMessages {
		return ErrNotKept
	}
	beep, err := c.playClips(ctx, []media.Clip{messageBeep})
	if err != nil {
		return err
	}
	err = c.attend(ctx, beep.done)
	beep.stop()
	switch {
	case err != nil:
		return err
	case !c.rec.NoticeHeard: // by who holds us: nobody is recorded who was not told
		return ErrNoMessage
	}
	c.keys = c.keys[:0] // what was pressed before the beep ends nothing
	began := time.Now()
	recording, err := c.x.Recorder.Start(c.id+messageSuffix, began)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	defer func() { _ = recording.Close(time.Now()) }() // done before, unless by a fault: it must not go on
	before, earlier := c.rec.Message, c.rec.EarlierMessages
	left := &MessageRecord{Name: recording.Name(), At: began, Queue: o.Queue}
	if n := len(c.rec.Visits); o.Queue == "" && n > 0 {
		left.Queue = c.rec.Visits[n-1].Queue
	}
	if !o.Again || before == nil {
		c.rec.EarlierMessages, c.rec.Message = c.rec.Messages(), left
		c.publish() // so that it is found should the process die
	}
	heard := &hearing{Tap: recording}
	stop, err := c.x.Listener.Listen(c.caller.Audio(), heard)
	if err == nil {
		err = c.untilSaid(ctx, heard, began, o)
		stop()
	}
	ended := time.Now()
	if e, over := EndOf(c.caller); over {
		ended = e.At
	}
	if last := heard.sound.Load(); last == nil || last.Sub(began) < leastMessage {
		c.rec.EarlierMessages, c.rec.Message = earlier, before
		c.publish()
		c.discard(recording)
		return cmp.Or(err, ErrNoMessage)
	}
	c.keepMessage(recording, *left, ended, o.Again)
	return err
}

// keepMessage ends the recording of a message that is one; again: it takes the place of the one left before.
func (c *Call) keepMessage(recording Recording, left MessageRecord, ended time.Time, again bool) {
	if err := recording.Close(ended); err != nil {
		c.log.Error("message is not whole", zap.String("recording", recording.Name()), zap.Error(err))
	}
	left.Seconds = ended.Sub(left.At).Seconds()
	c.rec.Message = &left // another than was shown before
	c.publish()
	if again && c.message != nil {
		c.discard(c.message)
	}
	c.message = recording
}

// discard takes a recording away that nothing names any more.
func (c *Call) discard(r Recording) {
	if err := r.Discard(); err != nil {
		c.log.Error("recording not taken away", zap.String("recording", r.Name()), zap.Error(err))
	}
}

// Hear implements Line.
func (c *Call) Hear(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	clips, err := c.clips(prompts)
	if err != nil {
		return 0, err
	}
	if c.message == nil {
		return c.ask(ctx, wait, clips)
	}
	var said media.Clip
	unread := errFault // unless the function below returns
	if err := c.During(ctx, func(context.Context) { said, unread = c.message.Said() }); err != nil {
		return 0, err
	}
	if unread != nil { // it is kept all the same
		c.log.Error("message cannot be heard", zap.String("recording", c.message.Name()), zap.Error(unread))
		return c.ask(ctx, wait, clips)
	}
	return c.ask(ctx, wait, append([]media.Clip{said}, clips...))
}

// untilSaid returns when the message is over: by the key, by silence, by its length, or by the caller's leaving, whose
// error it returns.
func (c *Call) untilSaid(ctx context.Context, heard *hearing, began time.Time, o MessageOptions) error {
	within, cancel := context.WithTimeout(context.Background(), o.Max)
	defer cancel()
	look := time.NewTicker(listenEvery)
	defer look.Stop()
	for {
		select {
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				c.moved = next
				return ErrMoved
			}
			if over, err := c.pressedEnd(o.End); over || err != nil {
				return err
			}
		case <-look.C:
			since := began
			if last := heard.sound.Load(); last != nil {
				since = *last
			}
			if time.Since(since) >= o.Silence {
				return nil
			}
		case <-within.Done():
			return nil
		case <-c.gone():
			return cause(c.caller.Context())
		case <-ctx.Done():
			return cause(ctx)
		}
	}
}

// pressedEnd takes the keys pressed, and reports whether one of them ends the message.
func (c *Call) pressedEnd(end media.Key) (over bool, err error) {
	for len(c.keys) > 0 && !over {
		key, err := c.pressed(c.keys[0])
		if err != nil {
			return false, err
		}
		c.keys = c.keys[1:]
		over = key == end
	}
	return over, nil
}
