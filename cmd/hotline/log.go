package main

import (
	"fmt"
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// logFlags choose how much is logged, and in which form.
type logFlags struct {
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least important lines logged: debug, info, warn or error."`
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
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}

// isTerminal reports whether a person may be looking at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
