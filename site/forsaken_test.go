package site_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

func (l *link) lags(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lag = by
}

func (l *link) releases() []call.Token {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]call.Token(nil), l.released...)
}

// TestForsaken: a claim that was abandoned is never released by its owner, however late the log tells it of the claim, and
// whenever the desk gives it back, if at all.
func TestForsaken(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 20 * time.Millisecond, 400 * time.Millisecond, 8 * time.Second} {
		for _, given := range []time.Duration{-1, 0, 30 * time.Millisecond, time.Second} {
			t.Run(fmt.Sprintf("log %v late, given back after %v", lag, given), func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					t := w.t
					a, b := two(w)
					w.answerAfter = 10 * time.Millisecond
					b.edge.mute = true
					a.link.lags(lag)
					l := a.talk("8002", "call-1")
					token := w.claims()["8002"].Token
					require.NotZero(t, token)
					l.Hangup(call.CauseSilent)
					if given >= 0 {
						time.Sleep(given)
						a.Release("8002", "call-1", call.SiteRest{})
					}
					within(t, 4*time.Second, "b ends the leg, and clears it", func() bool { return b.edge.endedLegOf("8002") && len(w.claims()) == 0 })
					time.Sleep(20 * time.Second)
					require.NotContains(t, a.link.releases(), token)
					a.link.lags(0)
					b.edge.mu.Lock()
					b.edge.mute = false
					b.edge.mu.Unlock()
					within(t, 10*time.Second, "it can be rung again", func() bool {
						r := a.ring(t.Context(), "8002", "call-2")
						if <-r.done; r.err != nil {
							a.Release("8002", "call-2", call.SiteRest{})
							return false
						}
						r.leg.Hangup(call.CauseBye)
						a.Release("8002", "call-2", call.SiteRest{})
						return true
					})
					within(t, 2*time.Second, "and is given back", func() bool { return len(w.claims()) == 0 })
				})
			})
		}
	}
}
