package call

import (
	"cmp"
	"context"
	"slices"

	"go.uber.org/zap"

	"hotline/media"
)

// Bounds of what menus may keep of one call: what comes of keys and of other people's answers is not to cost
// memory without end.
const (
	MaxAnswers = 32  // names
	MaxAnswer  = 256 // octets, of a name and of a value
)

// AlarmKey leads to the gas alarm at once: in every prompt of every menu that has no use of its own for the
// key. The zero value is none.
type AlarmKey struct {
	Key media.Key
	To  Next
}

// isAlarm reports whether a key is the alarm's here.
func (c *Call) isAlarm(k media.Key) bool {
	return c.now.Alarm.Key != 0 && k == c.now.Alarm.Key && !slices.Contains(c.own, k)
}

// pressed is a key that the caller pressed, for a menu: or ErrMoved, when it is the alarm's.
func (c *Call) pressed(k media.Key) (media.Key, error) {
	if !c.isAlarm(k) {
		return k, nil
	}
	c.log.Info("alarm key pressed in a menu", zap.String("menu", c.at.Menu))
	c.Chose(cmp.Or(c.at.Menu, c.at.Queue, string(c.at.Kind)), k.String())
	c.keys = c.keys[:0]
	c.moved = c.now.Alarm.To
	return 0, ErrMoved
}

// Own implements Line.
func (c *Call) Own(keys ...media.Key) { c.own = keys }

// Caller implements Line.
func (c *Call) Caller() string {
	if c.rec.Private {
		return ""
	}
	return c.rec.From
}

// Get implements Line.
func (c *Call) Get(name string) string { return c.rec.Answers[name] }

// Set implements Line.
func (c *Call) Set(name, value string) bool {
	_, known := c.rec.Answers[name]
	if len(name) > MaxAnswer || len(value) > MaxAnswer || !known && len(c.rec.Answers) >= MaxAnswers {
		return false
	}
	if c.rec.Answers == nil {
		c.rec.Answers = make(map[string]string)
	}
	c.rec.Answers[name] = value
	return true
}

// Speak implements Line.
func (c *Call) Speak(language string) bool {
	if _, ok := c.now.Languages[language]; !ok {
		return false
	}
	c.rec.Language = language
	return true
}

// prompts are those of the caller's language.
func (c *Call) prompts() Prompts {
	if p, ok := c.now.Languages[c.rec.Language]; ok {
		return p
	}
	return c.now.Prompts
}

// During implements Line.
func (c *Call) During(ctx context.Context, f func(ctx context.Context), prompts ...string) error {
	p, err := c.play(ctx, prompts...)
	if err != nil {
		return err
	}
	defer p.stop()
	within, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	defer func() {
		cancel()
		<-done
	}()
	go func() {
		defer close(done)
		c.contained("menu", func() { f(within) })
	}()
	return c.attend(ctx, done)
}
