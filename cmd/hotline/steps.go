package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// steps is what a process has started and must stop: named, last in, first out, each within stopWithin.
// One that fails or hangs does not keep the rest from being stopped. Its methods are called from one
// goroutine at a time.
type steps struct {
	log  *zap.Logger
	list []step
}

type step struct {
	name string
	stop func() error
}

// stopWithin bounds a step. SIP waits 4 s for far ends that do not answer a BYE, the recorder 10 s for a
// disk, the store 5 s.
const stopWithin = 15 * time.Second

var (
	errEnded = errors.New("ended by itself")
	errHangs = errors.New("did not stop in time")
)

// add adds a step; stop is called once.
func (s *steps) add(name string, stop func() error) {
	s.list = append(s.list, step{name: name, stop: stop})
}

// background runs f until it is stopped; the step cancels it and waits. If f ends before, failed is told
// so, and the step has nothing more to say.
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
				err = errEnded
			}
			failed(fmt.Errorf("%s: %w", name, err))
			err = nil
		} else if errors.Is(err, context.Canceled) {
			err = nil
		}
	})
	s.add(name, func() error {
		cancel()
		wg.Wait()
		return err
	})
}

// stop stops everything, and returns every step's error. It is done once: a second call does nothing.
func (s *steps) stop() error {
	var errs []error
	for _, step := range slices.Backward(s.list) {
		begun := time.Now()
		if err := step.within(stopWithin); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", step.name, err))
		}
		s.log.Debug("stopped", zap.String("step", step.name), zap.Duration("took", time.Since(begun)))
	}
	s.list = nil
	return errors.Join(errs...)
}

// within stops one. A step that hangs keeps its goroutine: the process is about to end.
func (s step) within(d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- s.stop() }()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%w (%s)", errHangs, d)
	}
}
