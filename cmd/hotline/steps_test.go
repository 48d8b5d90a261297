package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

var errBroken = errors.New("broken")

// TestStepsBackwards: last in, first out; one that fails and one that hangs keep nobody from being
// stopped, and both are told.
func TestStepsBackwards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var stopped []string
		s := steps{log: zap.NewNop()}
		note := func(name string, err error) {
			s.add(name, func() error {
				stopped = append(stopped, name)
				return err
			})
		}
		release := make(chan struct{})
		note("first", nil)
		note("second", errBroken)
		s.add("third", func() error {
			<-release
			return nil
		})
		note("fourth", nil)
		begun := time.Now()
		err := s.stop()
		require.Equal(t, []string{"fourth", "second", "first"}, stopped)
		require.ErrorIs(t, err, errBroken)
		require.ErrorIs(t, err, errHangs)
		require.ErrorContains(t, err, "stop second")
		require.ErrorContains(t, err, "stop third")
		require.Equal(t, stopWithin, time.Since(begun))
		require.NoError(t, s.stop(), "a second stop has nothing to do")
		require.Len(t, stopped, 3)
		close(release)
	})
}

// TestBackground: a part that runs until it is stopped has nothing to tell; its error while being stopped
// is the step's; one that ends by itself is told at once, and not a second time.
func TestBackground(t *testing.T) {
	t.Parallel()
	until := func(err error) func(context.Context) error {
		return func(ctx context.Context) error {
			<-ctx.Done()
			return err
		}
	}
	for name, c := range map[string]struct {
		run         func(context.Context) error
		told, atEnd error
	}{
		"until stopped":       {run: until(nil)},
		"with ctx's error":    {run: until(context.Canceled)},
		"fails while stopped": {run: until(errBroken), atEnd: errBroken},
		"fails by itself":     {run: func(context.Context) error { return errBroken }, told: errBroken},
		"ends by itself":      {run: func(context.Context) error { return nil }, told: errEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told []error
				s := steps{log: zap.NewNop()}
				s.background("part", func(err error) { told = append(told, err) }, c.run)
				synctest.Wait()
				if c.told == nil {
					require.Empty(t, told)
				} else {
					require.Len(t, told, 1)
					require.ErrorIs(t, told[0], c.told)
				}
				require.ErrorIs(t, s.stop(), c.atEnd)
			})
		})
	}
}
