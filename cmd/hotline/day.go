package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"hotline/acd/forecast"
	"hotline/call"
	"hotline/config"
)

// dayFlags say which day's records are read, and where they are.
type dayFlags struct {
	Day    string `placeholder:"DAY" help:"The day, as 2026-11-21, or: today, yesterday."`
	Config string `type:"path" placeholder:"FILE" help:"The configuration; without it, the reference hotline."`
	Data   string `type:"path" placeholder:"DIR" help:"Where the records are, if not where the configuration says."`
}

// day is a day of a hotline.
type day struct {
	cfg   *config.Config
	begin time.Time
	*forecast.Day
}

// load reads the configuration, and the day's records if there is a day.
func (f *dayFlags) load(ctx context.Context) (d *day, err error) {
	cfg, err := loadConfig(f.Config)
	if err != nil {
		return nil, err
	}
	if f.Data != "" {
		cfg.Data = f.Data
	}
	d = &day{cfg: cfg}
	if f.Day == "" {
		return d, nil
	}
	if d.begin, err = dayOf(f.Day, time.Now().In(cfg.Service.Timezone)); err != nil {
		return nil, err
	}
	records, err := recordsBetween(ctx, cfg, d.begin, d.begin.AddDate(0, 0, 1))
	if err != nil {
		return nil, err
	}
	d.Day = forecast.ReadDay(records, cfg.Targets.Ring.On+cfg.Targets.Ring.Off)
	if len(d.Stays) == 0 {
		return nil, fmt.Errorf("%s: nobody waited in a queue on %s", recordsName(cfg), d.begin.Format(time.DateOnly))
	}
	return d, nil
}

// dayOf is the beginning of a day, in the time zone of now.
func dayOf(text string, now time.Time) (time.Time, error) {
	year, month, date := now.Date()
	switch text {
	case "today":
	case "yesterday":
		date--
	default:
		at, err := time.ParseInLocation(time.DateOnly, text, now.Location())
		if err != nil {
			return at, fmt.Errorf("--day %s: a day is as 2026-11-21, today or yesterday", text)
		}
		return at, nil
	}
	return time.Date(year, month, date, 0, 0, 0, 0, now.Location()), nil
}

// recordsBetween reads the calls that began in a span, page by page. It writes nothing, also while the hotline runs.
func recordsBetween(ctx context.Context, cfg *config.Config, from, to time.Time) (records []call.Record, err error) {
	r, err := openRecords(ctx, cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no call records; --config or --data says where they are: %w", cfg.Data, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	q := call.Query{Limit: call.MaxLimit, From: from, To: to}
	for {
		page, next, err := r.List(ctx, q)
		if err != nil {
			return nil, err
		}
		records = append(records, page...)
		if next == "" {
			return records, nil
		}
		q.Before = next
	}
}
