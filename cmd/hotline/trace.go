package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"hotline/call"
	"hotline/config"
	"hotline/store/sqlstore"
)

// traceCmd prints what a call said by SIP.
type traceCmd struct {
	Call     string `arg:"" help:"The call's id, what it begins with, or: last. With --for, whom to watch: an IP address, ADDRESS:PORT or an agent's id."`
	Config   string `type:"path" placeholder:"FILE" help:"The configuration; without it, the reference hotline."`
	Numbers  bool   `help:"Show telephone numbers in full."`
	Messages bool   `help:"Print each message's headers below its arrow."`
	JSON     bool   `name:"json" help:"Print everything as JSON."`

	For time.Duration `placeholder:"60s" help:"Print what that peer says and is told by SIP from now on, for so long: 1s to 10m. The hotline must run."`
}

// lastCall in place of an id is the call that began last.
const lastCall = "last"

// Run implements the command: it reads, and writes nothing.
func (t *traceCmd) Run(con *console) (err error) {
	cfg, err := loadConfig(t.Config)
	if err != nil {
		return con.problems(err)
	}
	ctx, stop := con.untilSignal()
	defer stop()
	if t.For != 0 {
		return t.live(ctx, con, cfg)
	}
	if cfg.SIP.TraceKeep <= 0 {
		return errors.New("sip.trace_keep is 0: no SIP messages are kept")
	}
	r, err := openRecords(ctx, cfg)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no call records; --config says where they are: %w", cfg.Data, err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	rec, ladder, err := t.find(ctx, r, cfg)
	if err != nil {
		return err
	}
	if !t.Numbers {
		open := t.open(cfg, rec)
		ladder = call.MaskLadder(ladder, open...)
		for _, number := range []*string{&rec.From, &rec.To} {
			if !slices.Contains(open, *number) {
				*number = call.Mask(*number)
			}
		}
	}
	if t.JSON {
		return t.printJSON(con, rec, ladder)
	}
	width, _ := (&screen{w: con.out}).size()
	con.say("call %s\n%s -> %s, %s%s\n\n", rec.ID, rec.From, rec.To,
		rec.Started.In(cfg.Service.Timezone).Format("2006-01-02 15:04:05.000 -0700"), verdict(rec))
	for _, line := range drawLadder(ladder, width, t.Messages) {
		con.say("%s\n", line)
	}
	return nil
}

// find reads the call and its messages. The errors tell a person what to do.
func (t *traceCmd) find(ctx context.Context, r *sqlstore.Reader, cfg *config.Config) (rec call.Record, ladder []call.SIPMessage, err error) {
	var id string
	if t.Call == lastCall {
		id, err = r.Last(ctx)
	} else {
		id, err = r.Find(ctx, t.Call)
	}
	if errors.Is(err, call.ErrNotFound) {
		if t.Call == lastCall {
			return rec, nil, fmt.Errorf("%s has no call yet", recordsName(cfg))
		}
		return rec, nil, fmt.Errorf("no call's id begins with %q in %s", t.Call, recordsName(cfg))
	}
	if err != nil {
		return rec, nil, err
	}
	if rec, err = r.Get(ctx, id); err != nil {
		return rec, nil, fmt.Errorf("read the record of call %s: %w", id, err)
	}
	ladder, err = r.Ladder(ctx, id)
	if errors.Is(err, call.ErrNotFound) {
		return rec, nil, fmt.Errorf("no SIP messages of call %s: %s", id, whyNone(rec, cfg))
	}
	return rec, ladder, err
}

// whyNone says why a call that is known has no messages.
func whyNone(rec call.Record, cfg *config.Config) string {
	if rec.Ended == nil {
		return fmt.Sprintf("it goes on; the running hotline tells at /api/v1/calls/%s/trace, and they are kept a few "+
			"seconds after each leg's end", rec.ID)
	}
	return fmt.Sprintf("they are kept for %s (sip.trace_keep), from a few seconds after the call's end on; it began %s",
		brief(cfg.SIP.TraceKeep), rec.Started.In(cfg.Service.Timezone).Format("2006-01-02 15:04:05 -0700"))
}

// open are the numbers that need not be masked: the hotline's own, and agents'.
func (t *traceCmd) open(cfg *config.Config, rec call.Record) []string {
	return append(openNumbers(cfg), rec.OwnNumber())
}

func (t *traceCmd) printJSON(con *console, rec call.Record, ladder []call.SIPMessage) error {
	enc := json.NewEncoder(con.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(struct {
		Call     string            `json:"call"`
		Messages []call.SIPMessage `json:"messages"`
	}{rec.ID, ladder}); err != nil {
		return fmt.Errorf("print SIP messages: %w", err)
	}
	return nil
}

// verdict is how a call ended, for the first line.
func verdict(rec call.Record) string {
	if rec.Ended == nil {
		return ", goes on"
	}
	return fmt.Sprintf(", %s (%s)", rec.Result, rec.Reason)
}
