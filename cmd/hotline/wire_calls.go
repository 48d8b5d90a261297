package main

import (
	"context"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
)

func (a *app) openDesk() (err error) {
	o := acd.Options{
		Ageing: a.cfg.Ageing, Location: a.cfg.Service.Timezone,
		Phones: a.ua, Rings: a.cfg.Targets.AnswerRings,
		Ring:  acd.Ring{On: a.cfg.Targets.Ring.On, Off: a.cfg.Targets.Ring.Off},
		Codes: codes(a.cfg.Codes), OnShift: a.store.SaveShift,
		// The exchange is wired after the desk, and before either runs.
		OnCode:  func(id, agent string, code call.WrapUpCode) { a.exchange.Annotate(id, agent, code) },
		OnEvent: a.tell, OnPanic: a.panicked, Logger: a.log.Named("acd"), Registry: a.registry,
	}
	ctx := context.Background()
	if o.Shifts, err = a.store.Shifts(ctx); err != nil {
		return err
	}
	for name, q := range a.cfg.Queues {
		o.Queues = append(o.Queues, acd.Queue{
			Name: name, Priority: q.Priority, Alarm: name == alarmQueue, Strategy: string(q.Strategy),
			Level: q.Level, Widen: widening(q.Widen), WrapUp: q.WrapUp,
			AfterReject: q.AfterReject, AfterBusy: q.AfterBusy, AfterNoAnswer: q.AfterNoAnswer,
			Unreachable: q.Unreachable, WrapUpMax: q.WrapUpMax, Codes: q.Codes, Digits: q.Digits,
			AutoPause: q.AutoPause, LastAgent: acd.LastAgent{Within: q.LastAgent.Within, Wait: q.LastAgent.Wait},
		})
	}
	for _, g := range a.cfg.Agents {
		o.Agents = append(o.Agents, acd.Agent{ID: g.ID, Name: g.Name, Skills: g.Skills, Weight: g.Weight})
	}
	if a.center, err = acd.New(o); err != nil {
		return err
	}
	return a.remember(ctx)
}

// alarmQueue is the queue whose callers go before all others.
const alarmQueue = "gas-alarm"

func widening(steps []config.Widening) []acd.Widening {
	out := make([]acd.Widening, len(steps))
	for i, w := range steps {
		out[i] = acd.Widening{After: w.After, Level: w.Level}
	}
	return out
}

func (a *app) openExchange() (err error) {
	o := call.Options{
		Menus: a.menus, Desk: a.center, Bridge: a.engine, Records: a.store, Prompts: a.prompts, Dialer: a.ua,
		Shifts: a.center, OnFinished: func(r call.Record) { a.center.Finished(r) },
		Queues: make(map[string]call.QueueOptions, len(a.cfg.Queues)), Targets: a.targets(),
		Languages: make(map[string]call.Prompts, len(a.languages)),
		OnEvent:   a.tell, OnPanic: a.panicked, Logger: a.log.Named("call"), Registry: a.registry,
	}
	if a.recorder != nil { // a nil *Recorder in the interface would not be nil
		o.Recorder = a.recorder
	}
	for tag, set := range a.languages {
		o.Languages[tag] = set
	}
	for name, q := range a.cfg.Queues {
		o.Queues[name] = call.QueueOptions{WaitPrompt: q.WaitPrompt, Whisper: q.Whisper}
	}
	a.exchange, err = call.NewExchange(o)
	return err
}

func (a *app) targets() call.Targets {
	t := a.cfg.Targets
	return call.Targets{
		Rings: t.AnswerRings, Cycle: t.Ring.On + t.Ring.Off, Talk: t.Talk, TalkWarn: t.TalkWarn, Hold: t.Hold,
		Wait: t.ServiceLevel.Within,
	}
}
