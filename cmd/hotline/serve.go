package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"hotline/config"
)

// serveCmd answers the hotline until a signal.
type serveCmd struct {
	Config string   `type:"path" placeholder:"FILE" help:"The configuration; without it, the reference hotline on loopback."`
	Log    logFlags `embed:""`
}

// Run implements the command.
func (s *serveCmd) Run(con *console) error {
	cfg, err := loadConfig(s.Config)
	if err != nil {
		return sayProblems(con.err, err)
	}
	log, err := s.Log.logger(con.err)
	if err != nil {
		return err
	}
	a, err := newApp(cfg, log)
	if err != nil {
		return err
	}
	banner(con.out, a)
	return a.serve(con)
}

func loadConfig(path string) (*config.Config, error) {
	if path == "" {
		return config.Reference()
	}
	return config.Load(path)
}

// sayProblems writes what is wrong with a configuration, one line each, or returns any other error.
func sayProblems(w io.Writer, err error) error {
	var problems config.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
	return errSaid
}

// serve waits for a signal, or for a part to fail, and takes everything down in order.
func (a *app) serve(con *console) error {
	var failure error
	select {
	case s := <-con.signals:
		a.log.Info("draining: no new calls", zap.Stringer("signal", s), zap.Duration("at most", a.cfg.Drain))
	case failure = <-a.failed:
		a.log.Error("a part failed; shutting down", zap.Error(failure))
	}
	return errors.Join(failure, a.shutdown(con, failure == nil))
}

// shutdown refuses new calls, lets the live ones go on for as long as the drain allows (a second signal
// ends that at once), and stops everything.
func (a *app) shutdown(con *console, patient bool) error {
	a.draining.Store(true)
	a.ua.Drain()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.Drain)
	defer cancel()
	if !patient {
		cancel()
	}
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case s := <-con.signals:
			a.log.Warn("second signal: hanging up", zap.Stringer("signal", s))
			cancel()
		case <-over:
		}
	}()
	begun := time.Now()
	cut := a.exchange.Drain(ctx)
	a.log.Info("drained", zap.Duration("took", time.Since(begun)), zap.Int("hung up", cut))
	return a.steps.stop(context.Background())
}
