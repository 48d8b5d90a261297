package media

import (
	"net/netip"
	"runtime/debug"
	"time"

	"go.uber.org/zap"
)

// contain, deferred on the shard, makes of a panic the end of one line: the shard, and the calls whose lines it serves
// besides, go on. What else is to be done about it is the teller's.
func (l *line) contain(where string) {
	if v := recover(); v != nil {
		l.fail(where, v)
	}
}

// fail ends a line for a fault of ours, without another word: it may have been in what would be said.
func (l *line) fail(where string, v any) {
	s, stack := l.stream, debug.Stack()
	err := l.cut()
	s.core.teller.tell(s, func() { s.fault(where, v, stack, err) })
}

// contain, deferred by the teller, does the same for what is told.
func (s *stream) contain(where string) {
	if v := recover(); v != nil {
		s.fault(where, v, debug.Stack(), nil)
	}
}

// fault logs a panic, ends its stream, and has its leg told. Called by the teller.
func (s *stream) fault(where string, v any, stack []byte, err error) {
	log := s.core.log.With(zap.Stringer("local", s.local))
	log.Error("panic contained: stream closed", zap.String("where", where),
		zap.Any("panic", v), zap.ByteString("stack", stack), zap.NamedError("sockets", err))
	s.core.o.OnPanic(where, v)
	if err := s.Close(); err != nil {
		log.Warn("stream not closed well after a panic", zap.Error(err))
	}
	if s.onFault != nil {
		s.faulted.Do(s.onFault)
	}
}

// turnContained is turn for the wheel, which turns for all lines of a shard.
func (l *line) turnContained(due time.Time, passed int, frame []byte) (rest int) {
	defer l.contain("media: turn")
	return l.turn(due, passed, frame)
}

// controlContained is control for whoever reads the RTCP port.
func (l *line) controlContained(b []byte, from netip.AddrPort, now time.Time) {
	defer l.contain("media: report")
	if !l.closed {
		if len(l.captured) > 0 {
			l.heard(b, from, true, now)
		}
		l.control(b, from, now)
	}
}
