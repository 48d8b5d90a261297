package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// steps is what a process has started and must stop: named, last in, first out, each within a time of
// its own. One that fails or hangs does not keep the rest from being stopped.
type steps struct {
	log  *zap.Logger
	list []stopStep
}

type stopStep struct {
	name   string
	within time.Duration
	stop   func(context.Context) error
}

// stopWithin bounds a step that has no time of its own.
const stopWithin = 10 * time.Second

func (s *steps) add(name string, within time.Duration, stop func(context.Context) error) {
	s.list = append(s.list, stopStep{name: name, within: within, stop: stop})
}

// addClose adds a step that is a plain Close.
func (s *steps) addClose(name string, stop func() error) {
	s.add(name, stopWithin, func(context.Context) error { return stop() })
}

// background runs f until it is stopped; the step cancels it and waits. Its error while it is not being
// stopped goes to failed.
func (s *steps) background(name string, failed func(error), f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var (
		wg  sync.WaitGroup
		err error
	)
	wg.Go(func() {
		err = f(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("ended by itself")
			}
			failed(fmt.Errorf("%s: %w", name, err))
		} else if errors.Is(err, context.Canceled) {
			err = nil
		}
	})
	s.addClose(name, func() error {
		cancel()
		wg.Wait()
		return err
	})
}

// stop stops everything, and returns every step's error.
func (s *steps) stop(ctx context.Context) error {
	var errs []error
	for i := len(s.list) - 1; i >= 0; i-- {
		step := s.list[i]
		if err := s.one(ctx, step); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", step.name, err))
		}
	}
	s.list = nil
	return errors.Join(errs...)
}

func (s *steps) one(ctx context.Context, step stopStep) error {
	if step.within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), step.within)
		defer cancel()
	}
	begun := time.Now()
	done := make(chan error, 1)
	go func() { done <- step.stop(ctx) }()
	select {
	case err := <-done:
		s.log.Debug("stopped", zap.String("step", step.name), zap.Duration("took", time.Since(begun)))
		return err
	case <-ctx.Done():
		if step.within == 0 { // its own ctx is its deadline: it ends when told
			return <-done
		}
		return fmt.Errorf("not within %s", step.within)
	}
}
