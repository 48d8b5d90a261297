package media

import (
	"time"

	"go.uber.org/zap"
)

// contain, deferred, makes of a panic the end of one stream: the engine's goroutines, and the calls whose
// streams they serve besides, go on. Every lock of this package is released by a defer wherever something
// can panic under it, so Close finds none held.
func (s *stream) contain(where string) {
	v := recover()
	if v == nil {
		return
	}
	s.engine.log.Error("panic contained: stream closed", zap.String("where", where),
		zap.Stringer("local", s.local), zap.Any("panic", v), zap.Stack("stack"))
	s.engine.o.OnPanic(where, v)
	if err := s.Close(); err != nil {
		s.engine.log.Warn("stream not closed well after a panic", zap.Error(err))
	}
	if s.onFault != nil {
		s.faulted.Do(s.onFault)
	}
}

// turnContained is turn for the wheel, which turns for all streams.
func (s *stream) turnContained(due time.Time, frame []byte) {
	defer s.contain("media: turn")
	s.turn(due, frame)
}
