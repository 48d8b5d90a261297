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
