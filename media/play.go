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
	if err := s.load(r); err != nil || r == nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	s.playMu.Lock()
	defer s.playMu.Unlock()
	if s.reel == r {
		s.reel = nil
		return context.Cause(ctx)
	}
	return <-r.done // something else ended it in the same instant
}

// load puts a reel on in place of the one that plays; nil only takes that off.
func (s *stream) load(r *reel) error {
	s.playMu.Lock()
	defer s.playMu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.bridged.Load() != nil {
		return ErrReplaced
	}
	s.unload(ErrReplaced)
	s.reel = r
	s.live.Store(true)
	return nil
}

func (s *stream) stopPlaying(why error) {
	s.playMu.Lock()
	defer s.playMu.Unlock()
	s.unload(why)
}

// unload is called under playMu.
func (s *stream) unload(why error) {
	if s.reel != nil {
		s.reel.done <- why
		s.reel = nil
	}
}

// turn sends the frame that is due: of what is played, else silence, so that phones which wait for
// our first packet, and the NATs before them, have it; and a report now and then. Called by the wheel
// alone.
func (s *stream) turn(due time.Time, frame []byte) {
	if s.untilReport--; s.untilReport <= 0 {
		s.untilReport = reportTurns()
		s.report(due)
		s.rtcp.drain(rtcpMost)
	}
	if s.bridged.Load() != nil {
		if s.out.overlaid.Load() {
			s.out.carry(due, frame)
		}
		return
	}
	r, last := s.unreel(frame)
	if r != nil && r.press != nil {
		if r.press.step(s.out, due) {
			s.finish(r)
		}
		return
	}
	if r == nil {
		if !s.live.Load() {
			return
		}
		silence(frame)
	}
	s.out.frame(due, frame, r != nil)
	if last {
		s.finish(r)
	}
}

// unreel is the reel that plays, if one does; its next frame, if it has clips, and whether that is the last.
func (s *stream) unreel(frame []byte) (r *reel, last bool) {
	s.playMu.Lock()
	defer s.playMu.Unlock()
	if s.reel != nil && s.reel.press == nil {
		last = s.reel.read(frame)
	}
	return s.reel, last
}

// finish ends a Play whose last sample has been sent, unless something else just did.
func (s *stream) finish(r *reel) {
	s.playMu.Lock()
	defer s.playMu.Unlock()
	if s.reel == r {
		s.unload(nil)
	}
}
