package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/acd"
	"hotline/calendar"
	"hotline/call"
	"hotline/config"
	"hotline/egress"
	"hotline/ivr"
	"hotline/media/prompts"
)

// openPrompts reads the prompts and the menus. Whether every prompt is there was checked with the
// configuration.
func (a *app) openPrompts() error {
	a.egress = egress.New(ivr.MaxLookup)
	a.steps.add("HTTP to others", a.egress.Close)
	return a.readPrompts()
}

// readPrompts reads them, once there is what looks up for menus.
func (a *app) readPrompts() (err error) {
	log := a.log.Named("prompts")
	a.prompts, err = prompts.New(prompts.Options{
		Folder: a.cfg.Prompts.Folder, Language: a.cfg.Service.Language, Logger: log,
	})
	if err != nil {
		return err
	}
	a.languages = make(map[string]*prompts.Set)
	for _, tag := range spoken(a.cfg) {
		set, err := prompts.New(prompts.Options{
			Folder: a.cfg.Prompts.Folder, Language: tag, Fallback: a.prompts, Logger: log,
		})
		if err != nil {
			return err
		}
		a.languages[tag] = set
	}
	if a.calendars, err = calendars(a.cfg); err != nil {
		return err
	}
	for name, c := range a.calendars {
		if now := time.Now(); !c.Known(now) || !c.Known(now.AddDate(0, 1, 0)) {
			a.log.Warn("holidays of the time to come are not known: until an upgrade, give them as exceptions",
				zap.String("calendar", name))
		}
	}
	for _, w := range a.cfg.Warnings {
		log.Warn("configuration", zap.Stringer("at", w))
	}
	a.menus, err = a.readMenus()
	return err
}

// spoken are the languages that menus let callers choose.
func spoken(cfg *config.Config) []string {
	tags := map[string]bool{}
	for _, m := range cfg.Menus {
		for _, tag := range m.Languages {
			tags[tag] = true
		}
	}
	return slices.Sorted(maps.Keys(tags))
}

// calendars are those of the configuration.
func calendars(cfg *config.Config) (map[string]*calendar.Calendar, error) {
	all := make(map[string]*calendar.Calendar, len(cfg.Calendars))
	for name, c := range cfg.Calendars {
		o := calendar.Options{
			Location: c.Timezone, Holidays: c.Holidays, Exceptions: make(map[calendar.Date][]calendar.Span, len(c.Exceptions)),
		}
		for day, hours := range c.Week {
			o.Week[day] = spans(hours)
		}
		for date, hours := range c.Exceptions {
			o.Exceptions[calendar.Date(date)] = spans(hours)
		}
		made, err := calendar.New(o)
		if err != nil {
			return nil, fmt.Errorf("calendar %s: %w", name, err)
		}
		all[name] = made
	}
	return all, nil
}

func spans(hours []config.Hours) []calendar.Span {
	var all []calendar.Span
	for _, h := range hours {
		all = append(all, calendar.Span(h))
	}
	return all
}

// findPrompts tells a configuration's check which prompts there are not; without names, which of those
// that are said whatever the configuration is.
func findPrompts(folder, language string, names ...string) (missing []string, err error) {
	set, err := prompts.New(prompts.Options{Folder: folder, Language: language})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = slices.Concat(call.NeededPrompts(), acd.CodePrompts(), prompts.DigitNames("0123456789"),
			[]string{ivr.DefaultNoKey, ivr.DefaultInvalidKey, busyAlarmOnly, keyStar, keyPound})
	}
	return set.Missing(names...), nil
}

func (a *app) readMenus() (*ivr.Menus, error) {
	o := menuOptions(a.cfg)
	o.Prompts, o.Languages = a.prompts, slices.Collect(maps.Keys(a.languages))
	for name, c := range a.calendars {
		o.Calendars[name] = c
	}
	o.HTTP, o.Logger, o.Registry = a.egress, a.log.Named("ivr"), a.registry
	// The store is wired after the menus, and before anybody calls.
	o.Outages = func(ctx context.Context) ([]call.Outage, error) { return a.store.Outages(ctx) }
	return ivr.New(o)
}

// menuOptions are the menus of the configuration, without what is around them.
func menuOptions(cfg *config.Config) ivr.Options {
	o := ivr.Options{
		Menus: make(map[string]ivr.MenuOptions, len(cfg.Menus)), Calendars: make(map[string]ivr.Hours, len(cfg.Calendars)),
		Spell: prompts.DigitNames,
	}
	for name, m := range cfg.Menus {
		l := m.Lookup
		o.Menus[name] = ivr.MenuOptions{
			Kind: string(m.Kind), Prompt: m.Prompt, Wait: m.Wait, Tries: m.Tries,
			Keys: eachLeads(m.Keys), Next: leadsTo(m.Next), Otherwise: leadsTo(m.Otherwise),
			Digits: ivr.DigitsOptions(m.Digits),
			Hours:  ivr.HoursOptions{Calendar: m.Calendar, Open: leadsTo(m.Open), Closed: leadsTo(m.Closed)},
			Lookup: ivr.LookupOptions{
				URL: l.URL, Method: l.Method, Send: l.Send, Token: l.Token.Reveal(), Timeout: l.Timeout,
				Field: l.Field, Cases: eachLeads(l.Cases), Set: l.Set,
			},
			Survey:    ivr.SurveyOptions(m.Survey),
			Voicemail: ivr.VoicemailOptions(m.Voicemail),
			Languages: m.Languages, Area: m.Area,
		}
	}
	return o
}

// told are the problems of menus that the configuration's own checks tell, with better words.
var told = map[ivr.ProblemKind]bool{ivr.Dangling: true, ivr.BadNext: true, ivr.NoCalendar: true}

// checkMenus judges the menus of a configuration by the graph that callers would walk.
func checkMenus(cfg *config.Config) (found []config.Finding) {
	o := menuOptions(cfg)
	set, fault := prompts.New(prompts.Options{Folder: cfg.Prompts.Folder, Language: cfg.Service.Language})
	if fault == nil {
		o.Prompts = set
	}
	for _, tag := range spoken(cfg) {
		_, err := prompts.New(prompts.Options{Folder: cfg.Prompts.Folder, Language: tag})
		if !errors.Is(err, prompts.ErrNone) && !errors.Is(err, prompts.ErrBadLanguage) {
			o.Languages = append(o.Languages, tag) // what else is wrong is wrong with the files, and not with the menu
			if err != nil && fault == nil {        // a fault that the service's language has too is told already
				found = append(found, config.Finding{Path: "prompts.folder", Found: err.Error(), Want: config.WantFolder})
			}
		}
	}
	_, err := ivr.New(o)
	for _, p := range ivr.Problems(err) {
		if !told[p.Kind] {
			found = append(found, config.Finding{Path: "menus." + p.Menu + "." + p.Field, Found: p.Detail, Want: p.Want})
		}
	}
	return found
}

func eachLeads(places map[string]config.Destination) map[string]call.Next {
	all := make(map[string]call.Next, len(places))
	for key, to := range places {
		all[key] = leadsTo(to)
	}
	return all
}

// leadsTo turns a destination of the configuration into where a call goes.
func leadsTo(d config.Destination) call.Next {
	switch {
	case d.Menu != "":
		return call.Next{Kind: call.Menu, Menu: d.Menu}
	case d.Dial != "":
		return call.Next{Kind: call.Dial, Number: d.Dial}
	case d.Hangup:
		return call.DoneWith(call.Informed, call.ReasonMenu)
	case d.Agent != "":
		return call.First(d.Queue, d.Agent)
	case d.Queue != "":
		return call.Next{Kind: call.Wait, Queue: d.Queue}
	default:
		return call.Next{}
	}
}
