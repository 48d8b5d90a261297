package main

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/acd"
	"hotline/call"
	"hotline/config"
	"hotline/media/prompts"
	"hotline/sip"
)

// The prompts of the menu for alarms alone, besides the digits.
const (
	busyAlarmOnly = "busy-alarm-only"
	keyStar       = "key-star"
	keyPound      = "key-pound"
)

// alarmLadder is what the desk does for alarms.
func alarmLadder(c config.Alarm) acd.Ladder {
	return acd.Ladder{
		Queue: c.Queue, Numbers: c.Duty,
		Skilled: c.Steps.Skilled, AllSkilled: c.Steps.AllSkilled, Everyone: c.Steps.Everyone, Duty: c.Steps.Duty,
	}
}

// alarmDoor is what the door holds back for alarms.
func (a *app) alarmDoor() sip.AlarmOptions {
	return sip.AlarmOptions{
		Reserve: a.cfg.Alarm.Reserve, Queue: a.cfg.Alarm.Queue, Menus: slices.Sorted(maps.Keys(a.shedMenus())),
	}
}

// shedMenus is what callers are asked for whom no line but one held back for alarms is left, by the menu that their
// number leads to: those by which an alarm can be reached.
func (a *app) shedMenus() map[string]call.ShedMenu {
	shed := map[string]call.ShedMenu{}
	c := a.cfg.Alarm
	if c.Queue == "" {
		return shed
	}
	for name := range a.cfg.Menus {
		key := alarmKey(a.cfg, name, map[string]bool{})
		if key == "" {
			key = c.Key
		}
		if key == "" {
			continue
		}
		shed[name] = call.ShedMenu{
			Queue: c.Queue, Keys: key + c.Key, Prompts: append([]string{busyAlarmOnly}, keyPrompts(key)...),
		}
	}
	return shed
}

// alarmKey is the key by which a menu, or one that it leads to, leads to the alarms; empty: none does.
func alarmKey(cfg *config.Config, menu string, seen map[string]bool) string {
	seen[menu] = true
	m := cfg.Menus[menu]
	keys := slices.Sorted(maps.Keys(m.Keys))
	for _, key := range keys {
		if m.Keys[key].Queue == cfg.Alarm.Queue {
			return key
		}
	}
	var ways []config.Destination
	for _, key := range keys {
		ways = append(ways, m.Keys[key])
	}
	for _, value := range slices.Sorted(maps.Keys(m.Lookup.Cases)) {
		ways = append(ways, m.Lookup.Cases[value])
	}
	for _, to := range append(ways, m.Open, m.Closed, m.Next, m.Otherwise) {
		if to.Menu != "" && !seen[to.Menu] {
			if key := alarmKey(cfg, to.Menu, seen); key != "" {
				return key
			}
		}
	}
	return ""
}

// keyPrompts names a key of a telephone.
func keyPrompts(key string) []string {
	switch key {
	case "*":
		return []string{keyStar}
	case "#":
		return []string{keyPound}
	default:
		return prompts.DigitNames(key)
	}
}

// alarmedElsewhere tells agents who talk here of an alarm whose call is at another node, which tells all others.
func (a *app) alarmedElsewhere(s acd.AlarmStep) {
	if s.Step == acd.StepSkilled {
		a.exchange.PostAll(call.AlarmWaits{})
	}
}

// alarmed tells those who watch of an alarm's step.
func (a *app) alarmed(s acd.AlarmStep) {
	a.log.Warn("gas alarm", zap.String("call", s.Call), zap.String("queue", s.Queue), zap.String("from", call.Mask(s.From)),
		zap.String("step", string(s.Step)), zap.Duration("waited", s.Waited.Round(time.Millisecond)))
	kind := call.EventAlarmStep
	if s.Step == acd.StepSkilled {
		kind = call.EventAlarm
		a.exchange.PostAll(call.AlarmWaits{}) // agents in talk cannot be rung, and can be told
	}
	if s.Private { // no event tells such a number
		s.From = ""
	}
	a.exchange.OnEvent(call.Event{
		Kind: kind, At: s.At, Call: s.Call, Queue: s.Queue, From: s.From, Step: string(s.Step), Elapsed: s.Waited,
	})
}
