package call

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/media"
)

// noticePrompt says that the call is recorded. It is put before whatever is said first, on every
// number, until it was heard to its end.
const noticePrompt = "recorded"

var _ Line = (*Call)(nil)

// NeededPrompts are the prompts that calls say whatever the configuration is, besides the digits of
// agents' numbers. A hotline without one of them would fail in the middle of a call.
func NeededPrompts() []string {
	return []string{
		noticePrompt, holdMusic, lostApology, lateApology, numberBefore, numberAfter,
		positionBefore, positionAfter, expectedBefore, expectedAfter, expectedSoon,
		callbackConfirm, callbackDone, callbackNot, callbackAgent, callbackUnanswered, callbackGreeting,
		numberUnreached, superviseNot,
	}
}

// Ask implements Line.
func (c *Call) Ask(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	clips, err := c.clips(prompts)
	if err != nil {
		return 0, err
	}
	return c.ask(ctx, wait, clips)
}

// ask plays clips and waits for a key, as Ask does.
func (c *Call) ask(ctx context.Context, wait time.Duration, clips []media.Clip) (media.Key, error) {
	if k, ok := c.takeKey(); ok {
		return c.pressed(k)
	}
	p, err := c.playClips(ctx, clips)
	if err != nil {
		return 0, err
	}
	defer p.stop()
	done := p.done
	var timeout <-chan time.Time
	for {
		select {
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				c.moved = next
				return 0, ErrMoved
			}
			if k, ok := c.takeKey(); ok {
				return c.pressed(k)
			}
		case <-c.gone():
			return 0, cause(c.caller.Context())
		case <-ctx.Done():
			return 0, cause(ctx)
		case <-done:
			if p.err != nil {
				return 0, p.err
			}
			var stop func() bool
			timeout, stop = after(wait)
			defer stop()
			done = nil
		case <-timeout:
			return 0, ErrNoKey
		}
	}
}

// Say implements Line.
func (c *Call) Say(ctx context.Context, prompts ...string) error {
	p, err := c.play(ctx, prompts...)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := c.attend(ctx, p.done); err != nil {
		return err
	}
	return p.err
}

// attend serves the mailbox until done. Keys wait for the next Ask, but for the alarm's, which waits for
// nothing.
func (c *Call) attend(ctx context.Context, done <-chan struct{}) error {
	for {
		if i := slices.IndexFunc(c.keys, c.isAlarm); i >= 0 {
			_, err := c.pressed(c.keys[i])
			return err
		}
		select {
		case cmd := <-c.mailbox:
			if next, moved := c.handle(cmd); moved {
				c.moved = next
				return ErrMoved
			}
		case <-c.gone():
			return cause(c.caller.Context())
		case <-ctx.Done():
			return cause(ctx)
		case <-done:
			return nil
		}
	}
}

// MaxMenuPath bounds the way through menus that a record keeps, in octets: a key that leads back to its menu can be
// pressed for hours. What comes beyond is an ellipsis.
const MaxMenuPath = 4096

const pathCut = "/…"

// Chose implements Line.
func (c *Call) Chose(menu, choice string) {
	step := menu + "/" + choice
	switch path := c.rec.MenuPath; {
	case path == "":
		c.rec.MenuPath = step
	case len(path)+1+len(step)+len(pathCut) <= MaxMenuPath:
		c.rec.MenuPath = path + "/" + step
	case !strings.HasSuffix(path, pathCut):
		c.rec.MenuPath = path + pathCut
	}
}

// playing is something being said to a leg, in a goroutine that stop waits for.
type playing struct {
	done chan struct{} // closed at the end; then err is set
	err  error
	// heard: the notice of recording was played to its end, and to somebody. Set when done is closed.
	heard bool
	stop  func()
}

// play begins to say prompts to the caller, the notice of recording before them if it is due.
func (c *Call) play(ctx context.Context, prompts ...string) (*playing, error) {
	clips, err := c.clips(prompts)
	if err != nil {
		return nil, err
	}
	return c.playClips(ctx, clips)
}

// playClips is play for what has been found already.
func (c *Call) playClips(ctx context.Context, clips []media.Clip) (_ *playing, err error) {
	var notice *media.Clip
	if len(clips) > 0 { // between the digits of a number nothing is said
		if notice, err = c.notice(); err != nil {
			return nil, err
		}
	}
	return c.noted(c.start(ctx, c.caller.Audio(), notice, clips...)), nil
}

// noted has the record say, once p was stopped, whether the notice was heard.
func (c *Call) noted(p *playing) *playing {
	stop := p.stop
	p.stop = func() {
		stop()
		c.rec.NoticeHeard = c.rec.NoticeHeard || p.heard
	}
	return p
}

// notice is what says that the call is recorded, while that is due.
func (c *Call) notice() (*media.Clip, error) {
	if c.rec.NoticeHeard || c.internal() {
		return nil, nil
	}
	return c.noticeClip()
}

// noticeClip is what says that the call is recorded; nil when calls are not.
func (c *Call) noticeClip() (*media.Clip, error) {
	if c.x.Recorder == nil {
		return nil, nil
	}
	clip, err := c.prompts().Clip(noticePrompt)
	if err != nil {
		return nil, fmt.Errorf("say that the call is recorded: %w", err)
	}
	return &clip, nil
}

// start plays clips on a stream, the notice before them if there is one.
func (c *Call) start(ctx context.Context, s media.Stream, notice *media.Clip, clips ...media.Clip) *playing {
	ctx, cancel := context.WithCancel(ctx)
	p := &playing{done: make(chan struct{})}
	p.stop = func() {
		cancel()
		<-p.done
	}
	go func() {
		defer close(p.done)
		p.err = errFault // unless the function below returns
		c.contained("play", func() { p.heard, p.err = say(ctx, s, notice, clips) })
	}()
	return p
}

// say plays the notice, if it is due, and then clips; heard tells whether the notice was played to its
// end, and to somebody: who has us on hold hears nothing of it.
func say(ctx context.Context, s media.Stream, notice *media.Clip, clips []media.Clip) (heard bool, err error) {
	if notice != nil {
		heard = !s.Held()
		if err := s.Play(ctx, *notice); err != nil {
			return false, err
		}
		heard = heard && !s.Held()
	}
	if len(clips) > 0 {
		err = s.Play(ctx, clips...)
	}
	return heard, err
}

// clips finds prompts to be said once each, in order: what goes on for ever is asked for by itself.
func (c *Call) clips(prompts []string) ([]media.Clip, error) {
	clips := make([]media.Clip, 0, len(prompts))
	for _, name := range prompts {
		clip, err := c.prompts().Clip(name)
		if err != nil {
			return nil, fmt.Errorf("prompt %q: %w", name, err)
		}
		clip.Loop = false
		clips = append(clips, clip)
	}
	return clips, nil
}
