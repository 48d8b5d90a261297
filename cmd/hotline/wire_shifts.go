package main

import (
	"context"
	"fmt"
	"time"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
)

// maxRemembered bounds the records of before that the desk is told at the start: a second's work, and more calls
// than a hotline of a hundred agents has in a day.
const maxRemembered = 20_000

// remember tells the desk of the calls that ended before this start: today's, for the figures, and those whose
// callers may still prefer their last agent; the newest of them when there are too many.
func (a *app) remember(ctx context.Context) error {
	now := time.Now().In(a.cfg.Service.Timezone)
	y, m, d := now.Date()
	since := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	for _, q := range a.cfg.Queues {
		if from := now.Add(-q.LastAgent.Within); from.Before(since) {
			since = from
		}
	}
	query := call.Query{From: since, Limit: call.MaxLimit}
	for told := 0; told < maxRemembered; {
		page, next, err := a.store.List(ctx, query)
		if err != nil {
			return fmt.Errorf("read the calls of before: %w", err)
		}
		a.center.Finished(page...)
		told += len(page)
		if query.Before = next; next == "" {
			break
		}
	}
	return nil
}

// codes are what agents' phones dial, as the desk wants them.
func codes(c config.Codes) acd.Codes {
	return acd.Codes{
		Login: c.Login, Logout: c.Logout, Pause: c.Pause, Ready: c.Ready, WrapUp: c.WrapUp, Extend: c.Extend, End: c.End,
		Reasons: c.Reasons,
	}
}
