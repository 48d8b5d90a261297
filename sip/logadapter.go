package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The limits of what sipgo may log, so that no attack makes the log grow.
const (
	quotaBurst  = 5                // lines of one message in one window
	quotaWindow = 10 * time.Second // after which the next line tells how many were left out
	quotaKinds  = 256              // messages told apart; further ones share one quota
)

// newSIPLogger lets sipgo log through zap. What comes from the net is not repeated: of a record's
// attributes only those in attrKept pass, errors by their class; a record that carries a whole
// message or a part of one is something that a stranger sent, and is logged for debugging only.
// Levels are one lower than sipgo's, since what it calls an error is a peer's mistake, not the hotline's.
// Each message is limited, see quota. Nil is silence.
func newSIPLogger(logger *zap.Logger) *slog.Logger {
	if logger == nil {
		logger = zap.NewNop()
	}
	return slog.New(&logAdapter{log: logger.Named("sipgo").WithOptions(zap.WithCaller(false)), quota: newQuota()})
}

// attrKept are the attributes that pass: their values are ours, or addresses.
var attrKept = map[string]bool{
	"caller": true, "network": true, "addr": true, "laddr": true, "raddr": true, "dur": true, "error": true,
}

// attrTold are the attributes that hold what a peer sent.
var attrTold = map[string]bool{
	"data": true, "msg": true, "req": true, "res": true, "body": true, "header": true,
}

// logAdapter is a slog.Handler; it may be used from any goroutine, and so may what is derived from it.
type logAdapter struct {
	log   *zap.Logger
	quota *quota
}

// lowered gives a slog level as zap's, one step down.
func lowered(l slog.Level) zapcore.Level {
	switch {
	case l >= slog.LevelError:
		return zapcore.WarnLevel
	case l >= slog.LevelWarn:
		return zapcore.InfoLevel
	default:
		return zapcore.DebugLevel
	}
}

// Enabled implements slog.Handler.
func (a *logAdapter) Enabled(_ context.Context, l slog.Level) bool {
	return a.log.Core().Enabled(lowered(l))
}

// Handle implements slog.Handler.
func (a *logAdapter) Handle(_ context.Context, rec slog.Record) error {
	level := lowered(rec.Level)
	fields := make([]zap.Field, 0, rec.NumAttrs()+1)
	rec.Attrs(func(at slog.Attr) bool {
		if attrTold[at.Key] {
			level = zapcore.DebugLevel
		}
		if f, ok := keep(at); ok {
			fields = append(fields, f)
		}
		return true
	})
	entry := a.log.Check(level, rec.Message)
	if entry == nil {
		return nil
	}
	n, ok := a.quota.take(rec.Message)
	if !ok {
		return nil
	}
	entry.Write(append(fields, unlogged(n))...)
	return nil
}

// unlogged says how many lines were left out, if any were.
func unlogged(n int) zap.Field {
	if n == 0 {
		return zap.Skip()
	}
	return zap.Int("unlogged", n)
}

// WithAttrs implements slog.Handler.
func (a *logAdapter) WithAttrs(attrs []slog.Attr) slog.Handler {
	fields := make([]zap.Field, 0, len(attrs))
	for _, at := range attrs {
		if f, ok := keep(at); ok {
			fields = append(fields, f)
		}
	}
	return &logAdapter{log: a.log.With(fields...), quota: a.quota}
}

// WithGroup implements slog.Handler. Groups are of no use where only attributes known by name pass.
func (a *logAdapter) WithGroup(string) slog.Handler { return a }

// keep turns an attribute into a field, if it may pass.
func keep(at slog.Attr) (zap.Field, bool) {
	if !attrKept[at.Key] {
		return zap.Skip(), false
	}
	v := at.Value.Resolve()
	if err, ok := v.Any().(error); ok {
		return zap.String("error", errorClass(err)), true
	}
	if at.Key == "error" || v.Kind() == slog.KindGroup {
		return zap.Skip(), false // an error as text, attributes within: nobody knows what of
	}
	if v.Kind() == slog.KindDuration {
		return zap.Duration(at.Key, v.Duration()), true
	}
	return zap.String(at.Key, v.String()), true
}

// errorClass says what kind of error it is without its text, which may quote what a peer sent.
func errorClass(err error) string {
	var errno syscall.Errno
	var timeout net.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error() // the system's own words
	case errors.Is(err, net.ErrClosed):
		return "closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "end of stream"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &timeout) && timeout.Timeout(): // a context's deadline too
		return "timeout"
	}
	return fmt.Sprintf("%T", innermost(err))
}

// innermost follows a chain of wrapped errors to its end.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// quota lets through quotaBurst lines of each kind in a window, and counts the others. It needs no
// goroutine: the first line after a window carries the number of those left out. It may be used
// from any goroutine.
type quota struct {
	mu    sync.Mutex
	kinds map[string]*quotaKind
}

type quotaKind struct {
	began           time.Time
	lines, unlogged int
}

func newQuota() *quota { return &quota{kinds: make(map[string]*quotaKind)} }

// take asks to log one line of a kind: whether it may be, and how many were left out before it.
func (q *quota) take(kind string) (unlogged int, ok bool) {
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.kinds[kind]
	if k == nil {
		if len(q.kinds) >= quotaKinds {
			kind = "" // shared by all that came too late
		}
		if k = q.kinds[kind]; k == nil {
			k = &quotaKind{began: now}
			q.kinds[kind] = k
		}
	}
	if now.Sub(k.began) >= quotaWindow {
		unlogged = k.unlogged
		*k = quotaKind{began: now}
	}
	if k.lines == quotaBurst {
		k.unlogged++
		return 0, false
	}
	k.lines++
	return unlogged, true
}
