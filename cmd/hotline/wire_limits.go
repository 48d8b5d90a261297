package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/acd"
	"hotline/calendar"
	"hotline/call"
	"hotline/config"
	"hotline/media"
)

// limitsOf are a queue's limits as the desk has them.
func limitsOf(q config.Queue) acd.Limits {
	return acd.Limits{
		MaxWaiting: q.MaxWaiting, MaxWait: q.MaxWait, MaxExpected: q.MaxExpected,
		TurnWhenEmpty: q.WhenEmpty == config.EmptyTurn,
	}
}

// openBy reports whether a queue takes callers at an instant.
func openBy(cfg *config.Config, calendars map[string]*calendar.Calendar) func(queue string, at time.Time) bool {
	hours := make(map[string]*calendar.Calendar, len(cfg.Queues))
	for name, q := range cfg.Queues {
		if c := calendars[q.Hours]; c != nil {
			hours[name] = c
		}
	}
	return func(queue string, at time.Time) bool { return hours[queue] == nil || hours[queue].Open(at) }
}

// overflowOf is the desk's reason for each of the configuration's.
var overflowOf = map[config.Overflow]call.Overflow{
	config.OverflowFull: call.QueueFull, config.OverflowEmpty: call.QueueEmpty,
	config.OverflowClosed: call.QueueClosed, config.OverflowTooLong: call.QueueTooLong, config.OverflowExpected: call.QueueExpected,
}

// waitingIn is what a call needs to know of a queue that it waits in.
func waitingIn(q config.Queue) call.QueueOptions {
	o := call.QueueOptions{
		WaitPrompt: q.WaitPrompt, Whisper: q.Whisper, Survey: q.Survey, SurveyAfterHangup: q.SurveyAfterHangup,
		Overflow: map[call.Overflow]call.Next{},
		Treatment: call.Treatment{
			Music: q.Music, Position: q.Position.Every, Expected: q.Position.Expected, Keys: map[media.Key]call.Next{},
		},
	}
	for why, to := range q.Overflow {
		o.Overflow[overflowOf[why]] = leadsTo(to)
	}
	for _, p := range q.Prompts {
		o.Prompts = append(o.Prompts, call.TimedPrompt{Prompt: p.Prompt, Every: p.Every})
	}
	for key, to := range q.Keys {
		next := call.Next{Kind: call.Callback}
		if !to.Callback {
			next = leadsTo(to.Destination)
		}
		o.Keys[media.Key(key[0])] = next // one character, as was checked
	}
	return o
}

// Places of callers who were waiting when the process before this one ended, or had left shortly before, are looked
// for in the calls that began so long ago at most, and so many of them at most.
const (
	placesSince = time.Hour
	placesAmong = 10_000
)

// rememberPlaces tells the desk of them. Who was cut off by the end of that process can call again from now on only, so
// that for them the time counts from now.
func (a *app) rememberPlaces() error {
	now := time.Now()
	query := call.Query{From: now.Add(-placesSince), Limit: call.MaxLimit}
	var records []call.Record
	for len(records) < placesAmong {
		page, next, err := a.store.List(context.Background(), query)
		if err != nil {
			return fmt.Errorf("look for places in queues to be taken up again: %w", err)
		}
		records = append(records, page...)
		if next == "" {
			break
		}
		query.Before = next
	}
	places := placesLeft(records)
	for _, p := range slices.Backward(places) {
		if p.CutOff {
			p.Left = now
		}
		a.center.Remember(p.Queue, p.Number, p.Entered, p.Left)
	}
	a.log.Debug("places in queues that may be taken up again", zap.Int("places", len(places)))
	return nil
}

// placesLeft are the places that were left in calls, the newest first. Of a caller's calls the newest counts.
func placesLeft(newestFirst []call.Record) (places []call.LeftPlace) {
	type who struct{ queue, number string }
	seen := map[who]bool{}
	for _, r := range newestFirst {
		p, left := r.LeftPlace()
		if w := (who{p.Queue, p.Number}); left && !seen[w] {
			places = append(places, p)
		}
		for _, v := range r.Visits {
			seen[who{v.Queue, r.From}] = true
		}
	}
	return places
}
