package main

import (
	"context"
	"errors"
	"maps"
	"slices"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
	"hotline/media"
)

func (a *app) openDesk() (err error) {
	o := deskOptions(a.cfg)
	o.Phones, o.Dialer, o.Open = a.ua, a.ua, openBy(a.cfg, a.calendars)
	o.OnShift, o.OnEvent = a.store.SaveShift, a.tell
	// The exchange is wired after the desk, and before either runs.
	o.OnAlarm = func(s acd.AlarmStep) { a.alarmed(s) }
	o.OnCode = a.annotate
	a.siteOfDesk(&o)
	o.OnPanic, o.Logger, o.Registry = a.panicked, a.log.Named("acd"), a.registry
	ctx := context.Background()
	if o.Shifts, err = a.store.Shifts(ctx); a.withoutRecords(err) != nil {
		return err
	}
	if a.center, err = acd.New(o); err != nil {
		return err
	}
	return errors.Join(a.withoutRecords(a.rememberPlaces()), a.withoutRecords(a.remember(ctx)))
}

// deskOptions are the desk's as the configuration has them: also a simulation goes by them.
func deskOptions(cfg *config.Config) acd.Options {
	o := acd.Options{
		Ageing: cfg.Ageing, Location: cfg.Service.Timezone, Rings: cfg.Targets.AnswerRings,
		Ring:   acd.Ring{On: cfg.Targets.Ring.On, Off: cfg.Targets.Ring.Off},
		Ladder: alarmLadder(cfg.Alarm), Codes: codes(cfg.Codes),
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Queues)) {
		q := cfg.Queues[name]
		o.Queues = append(o.Queues, acd.Queue{
			Name: name, Priority: q.Priority, Alarm: name == cfg.Alarm.Queue, Strategy: string(q.Strategy), Progress: q.Progress,
			Level: q.Level, Widen: widening(q.Widen), WrapUp: q.WrapUp,
			AfterReject: q.AfterReject, AfterBusy: q.AfterBusy, AfterNoAnswer: q.AfterNoAnswer,
			Unreachable: q.Unreachable, WrapUpMax: q.WrapUpMax, Codes: q.Codes, Digits: q.Digits,
			AutoPause: q.AutoPause, LastAgent: acd.LastAgent{Within: q.LastAgent.Within, Wait: q.LastAgent.Wait},
			Limits: limitsOf(q), Rejoin: q.Rejoin,
		})
	}
	for _, g := range cfg.Agents {
		o.Agents = append(o.Agents, acd.Agent{ID: g.ID, Name: g.Name, Skills: g.Skills, Weight: g.Weight, Supervisor: g.Role == config.Supervisor})
	}
	return o
}

func widening(steps []config.Widening) []acd.Widening {
	out := make([]acd.Widening, len(steps))
	for i, w := range steps {
		out[i] = acd.Widening{After: w.After, Level: w.Level}
	}
	return out
}

func (a *app) openExchange() (err error) {
	a.exchange, err = call.NewExchange(a.callOptions())
	return err
}

// callOptions are those of all calls.
func (a *app) callOptions() call.Options {
	s := a.callSettings()
	o := call.Options{
		Menus: s.Menus, Desk: a.center, Bridge: a.engine, Listener: a.engine, Records: a.store, Prompts: s.Prompts, Dialer: a.ua,
		Queues: s.Queues, Targets: s.Targets, Shed: s.Shed, Languages: s.Languages, Alarm: s.Alarm,
		Shifts: a.center, OnFinished: func(r call.Record) { a.center.Finished(r) },
		OnPlaceLeft: func(p call.LeftPlace) { a.center.Remember(p.Queue, p.Number, p.Entered, p.Left) },
		OnEvent:     a.tell, OnPanic: a.panicked, Logger: a.log.Named("call"), Registry: a.registry,
		Survey: call.SurveyOptions{Code: a.cfg.Codes.Survey}, Callback: a.callbackOptions(),
		Node:        a.cfg.Node.Name,
		Supervision: call.SuperviseOptions{Phones: a.phones(), Code: a.cfg.Codes.Listen}, Supervisors: s.Supervisors,
	}
	if a.recorder != nil { // a nil *Recorder in the interface would not be nil
		o.Recorder = a.recorder
	}
	return o
}

// callSettings are what calls go by, of the configuration.
func (a *app) callSettings() call.Settings {
	s := call.Settings{
		Menus: a.menus, Prompts: a.prompts, Languages: make(map[string]call.Prompts, len(a.languages)),
		Queues: make(map[string]call.QueueOptions, len(a.cfg.Queues)), Targets: a.targets(), Shed: a.shedMenus(),
	}
	if alarm := a.cfg.Alarm; alarm.Key != "" && alarm.Queue != "" {
		s.Alarm = call.AlarmKey{Key: media.Key(alarm.Key[0]), To: call.Next{Kind: call.Wait, Queue: alarm.Queue}}
	}
	for tag, set := range a.languages {
		s.Languages[tag] = set
	}
	for name, q := range a.cfg.Queues {
		o := waitingIn(q)
		o.Alarm = name == a.cfg.Alarm.Queue
		s.Queues[name] = o
	}
	s.Supervisors = make(map[string]bool)
	for _, g := range a.cfg.Agents {
		if g.Role == config.Supervisor {
			s.Supervisors[g.ID] = true
		}
	}
	return s
}

func (a *app) targets() call.Targets {
	t := a.cfg.Targets
	return call.Targets{
		Rings: t.AnswerRings, Cycle: t.Ring.On + t.Ring.Off, Talk: t.Talk, TalkWarn: t.TalkWarn, Hold: t.Hold,
		Wait: t.ServiceLevel.Within,
	}
}
