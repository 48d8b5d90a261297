package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"hotline/call"
)

// logFlags choose how much is logged, and in which form.
type logFlags struct {
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least important lines logged: debug, info, warn or error. Audits are logged whatever it is."`
	LogFormat string `enum:"auto,json,console" default:"auto" help:"json for machines, console for people; auto is console on a terminal."`
}

// logger writes to w, which is the process's standard error.
func (l logFlags) logger(w io.Writer) (*zap.Logger, error) {
	level, err := zapcore.ParseLevel(l.LogLevel)
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	form := zap.NewProductionEncoderConfig()
	form.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	form.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(form)
	if l.LogFormat == "console" || l.LogFormat == "auto" && isTerminal(w) {
		form.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		form.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(form)
	}
	if toJournal(w) {
		encoder = journalEncoder{encoder}
	}
	return zap.New(auditing{zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), min(level, zapcore.InfoLevel)), level}), nil
}

// auditing is a core that writes lines from a level up, and audits whatever the level.
type auditing struct {
	zapcore.Core // it writes audits, and everything from the level up

	level zapcore.Level
}

// With implements [zapcore.Core].
func (a auditing) With(fields []zapcore.Field) zapcore.Core {
	return auditing{a.Core.With(fields), a.level}
}

// Check implements [zapcore.Core].
func (a auditing) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Level < a.level && e.LoggerName != call.AuditName && !strings.HasSuffix(e.LoggerName, "."+call.AuditName) {
		return checked
	}
	return a.Core.Check(e, checked)
}

// isTerminal reports whether a person may be looking at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
