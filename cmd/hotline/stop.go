package main

import (
	"context"
	"errors"
	"sync"
)

// errStopped: the person at the terminal wants no more of it.
var errStopped = errors.New("stopped by a signal")

// untilSignal is a context for a command that computes: a signal ends it. stop waits for what listens.
func (c *console) untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-c.signals:
			cancel(errStopped)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watch.Wait()
	}
}

// orStopped is what read returns, or errStopped if ctx ends by a signal before it does; read then goes on until the
// process ends, since nothing ends the reading of a terminal.
func orStopped[T any](ctx context.Context, read func() (T, error)) (got T, err error) {
	type answer struct {
		got T
		err error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		a.got, a.err = read()
		done <- a
	}()
	select {
	case a := <-done:
		return a.got, a.err
	case <-ctx.Done():
		return got, context.Cause(ctx)
	}
}
