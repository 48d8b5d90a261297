package main

import (
	"math"

	"hotline/config"
)

// overloadMenu is a menu by which no alarm can be reached.
const overloadMenu = "plain"

// benchWholeLimits serves the reference hotline with the limits that it has by itself, a number more, and agents who have
// nothing to write up.
func benchWholeLimits(con *console) error {
	reference, err := config.Reference()
	if err != nil {
		return err
	}
	return serveWhole(con, func(cfg *config.Config) {
		cfg.SIP.Overload = reference.SIP.Overload
		cfg.SIP.MaxCalls = int(benchPorts.Hi-benchPorts.Lo) * 3 / 8 // a pair each, and as many as may be for agents and alarms
		cfg.Alarm.Key = ""                                          // it would lead from each menu to the alarms
		plain := cfg.Menus["main"]
		plain.Keys = map[string]config.Destination{"1": {Queue: "consult"}}
		cfg.Menus[overloadMenu] = plain
		cfg.Trunks[0].Numbers[overloadPlain] = config.Destination{Menu: overloadMenu}
		for name, q := range cfg.Queues {
			q.WrapUp = 0
			cfg.Queues[name] = q
		}
	})
}

// overloadSpoken is among what admissions counts: packets of audio sent so far.
const overloadSpoken = "packets out"

// admissions are the new calls so far, by class and outcome; and overloadSpoken.
func (a *app) admissions() map[string]int {
	families, err := a.registry.Gather()
	if err != nil {
		return nil // nothing is counted, which the bench shows
	}
	calls := map[string]int{}
	for _, f := range families {
		if name := f.GetName(); name != "hotline_overload_calls_total" && name != "hotline_rtp_packets_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			var class, outcome, direction string
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "class":
					class = l.GetValue()
				case "outcome":
					outcome = l.GetValue()
				case "direction":
					direction = l.GetValue()
				}
			}
			if direction != "" {
				class, outcome = "packets", direction
			}
			calls[class+" "+outcome] = int(math.Round(m.GetCounter().GetValue()))
		}
	}
	return calls
}
