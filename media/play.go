package media

import (
	"context"
	"time"
)

// Play implements Stream. To a far end that is held, or with which nothing is agreed yet, it plays
// unheard, at the same pace: a menu's time goes on while the caller has us on hold. On a bridged
// stream it returns ErrReplaced.
func (s *stream) Play(ctx context.Context, clips ...Clip) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.run(ctx, newReel(clips))
}

// run puts a reel on and waits until it is over, or ctx is; a nil reel is over at once.
func (s *stream) run(ctx context.Context, r *reel) error {
	err := ErrClosed
	s.do(func() { err = s.line.load(r) })
	if err != nil || r == nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	cut := false
	s.do(func() {
		if cut = s.line.reel == r; cut {
			s.line.reel = nil
		}
	})
	if cut {
		return context.Cause(ctx)
	}
	return <-r.done // something else ended it in the same instant
}

// load puts a reel on in place of the one that plays; nil only takes that off.
func (l *line) load(r *reel) error {
	if l.closed {
		return ErrClosed
	}
	if l.bridged != nil {
		return ErrReplaced
	}
	l.unload(ErrReplaced)
	l.reel = r
	l.live = true
	return nil
}

// unload ends the Play whose reel is on, if one is.
func (l *line) unload(why error) {
	if l.reel != nil {
		l.reel.done <- why
		l.reel = nil
	}
}

// turn sends the frame that is due: of what is played, else silence, so that phones which wait for
// our first packet, and the NATs before them, have it; and a report now and then. Called by the wheel: passed is how
// many of its turns there were since the last call, this one included, rest after how many it is to call again. Whoever
// gives a bridged line something to send must stir it.
func (l *line) turn(due time.Time, passed int, frame []byte) (rest int) {
	if l.untilReport -= passed; l.untilReport <= 0 {
		l.untilReport = reportTurns()
		l.report(time.Now())
	}
	l.judge(due, passed)
	switch {
	case l.out.keys.n > 0:
		if l.bridged != nil && l.bridged.chair != nil {
			l.bridged.chair.next(due, frame)
		}
		l.out.keys.step(l.out, due, frame)
		l.deafen(due)
	case l.bridged != nil && l.bridged.chair != nil:
		l.bridged.chair.turn(due, frame)
	case l.bridged != nil && l.out.over.alaw == nil:
		return min(l.untilReport, l.monitor.untilJudged)
	case l.bridged != nil:
		l.out.carry(due, frame)
	case l.reel != nil && l.reel.press != nil:
		l.deafen(due)
		if l.reel.press.step(l.out, due, frame) {
			l.unload(nil)
		}
	case l.reel != nil:
		last := l.reel.read(frame)
		l.out.frame(due, frame, true)
		if last {
			l.unload(nil)
		}
	case l.live:
		silence(frame)
		l.out.frame(due, frame, false)
	}
	return 1
}
