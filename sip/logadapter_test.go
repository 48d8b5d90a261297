package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// stranger is what an attacker sends; nothing of it may be logged.
const stranger = "INVITE sip:13912345678@h SIP/2.0 stranger"

func TestLogAdapterLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		log := newSIPLogger(zap.New(core)).With("caller", "Transport<UDP>")
		parseErr := fmt.Errorf("field %q: %w", stranger, sipmsg.ErrParseLineNoCRLF)
		for range 1000 {
			log.Error("failed to parse", "error", parseErr, "data", stranger)
		}
		log.Error("Read connection error", "error", net.ErrClosed)
		require.Equal(t, quotaBurst+1, logs.Len(), "one message's flood does not silence another")

		time.Sleep(quotaWindow)
		log.Error("failed to parse", "error", parseErr, "data", stranger)
		last := logs.All()[logs.Len()-1]
		require.Equal(t, map[string]any{
			"caller": "Transport<UDP>", "error": fmt.Sprintf("%T", sipmsg.ErrParseLineNoCRLF),
			"unlogged": int64(1000 - quotaBurst),
		}, last.ContextMap())
		require.Equal(t, zapcore.DebugLevel, last.Level, "what strangers send is for debugging")
		for _, e := range logs.All() {
			require.NotContains(t, fmt.Sprint(e.Message, e.ContextMap()), "stranger")
		}
	})
}

func TestLogAdapterAttributes(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	log := newSIPLogger(zap.New(core))
	log.WithGroup("g").With("req", stranger, "laddr", "192.0.2.1:5060").Warn("m",
		"raddr", "192.0.2.7:5071", "dur", time.Second, "tx", stranger, "key", stranger, "callid", stranger,
		"error", stranger, slog.Group("caller", "data", stranger), stranger, stranger)
	require.Equal(t, 1, logs.Len())
	e := logs.All()[0]
	require.Equal(t, zapcore.InfoLevel, e.Level)
	require.Equal(t, "192.0.2.1:5060", e.ContextMap()["laddr"])
	require.Equal(t, "192.0.2.7:5071", e.ContextMap()["raddr"])
	require.Equal(t, time.Second, e.ContextMap()["dur"])
	require.NotContains(t, fmt.Sprint(e.ContextMap()), "stranger")
}

func TestLogAdapterLevels(t *testing.T) {
	for slogLevel, want := range map[slog.Level]zapcore.Level{
		slog.LevelError: zapcore.WarnLevel, slog.LevelWarn: zapcore.InfoLevel,
		slog.LevelInfo: zapcore.DebugLevel, slog.LevelDebug: zapcore.DebugLevel,
	} {
		core, logs := observer.New(zap.DebugLevel)
		newSIPLogger(zap.New(core)).Log(t.Context(), slogLevel, "m")
		require.Equal(t, want, logs.All()[0].Level)
	}
	core, logs := observer.New(zap.InfoLevel)
	log := newSIPLogger(zap.New(core))
	require.False(t, log.Enabled(t.Context(), slog.LevelInfo))
	require.True(t, log.Enabled(t.Context(), slog.LevelWarn))
	log.Error("failed to parse", "data", stranger)
	require.Zero(t, logs.Len())
	newSIPLogger(nil).Error("silence")
}

func TestErrorClass(t *testing.T) {
	wrapped := func(err error) error { return fmt.Errorf("%s: %w", stranger, err) }
	for want, err := range map[string]error{
		"connection refused":  wrapped(&net.OpError{Op: "write", Err: os.NewSyscallError("sendto", syscall.ECONNREFUSED)}),
		"closed":              wrapped(net.ErrClosed),
		"cancelled":           wrapped(context.Canceled),
		"timeout":             wrapped(context.DeadlineExceeded),
		"*errors.errorString": wrapped(errors.New(stranger)),
	} {
		require.Equal(t, want, errorClass(err))
	}
}

// TestQuotaIsBounded: messages without end do not make the quota grow.
func TestQuotaIsBounded(t *testing.T) {
	q := newQuota()
	passed := 0
	for i := range 10 * quotaKinds {
		if _, ok := q.take(fmt.Sprint(i)); ok {
			passed++
		}
	}
	require.LessOrEqual(t, len(q.kinds), quotaKinds+1)
	require.Equal(t, quotaKinds+quotaBurst, passed)
}
