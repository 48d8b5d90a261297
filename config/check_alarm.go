package config

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// checkAlarm: alarms have a queue, their steps an order, the duty numbers a rule that allows them, and what is
// held back for them is there.
func (r *reader) checkAlarm() {
	c, a := r.cfg, r.cfg.Alarm
	if _, ok := c.Queues[a.Queue]; a.Queue != "" && !ok && !r.gaps[keyQueues] {
		r.report("alarm.queue", "no queue "+quote(a.Queue), "a name in queues"+suggest(r, a.Queue, sortedKeys(c.Queues)))
	}
	if a.Queue == "" && r.written(keyAlarm) && !r.gaps[keyQueues] && !r.broken[keyAlarm] {
		r.report(keyAlarm, "no queue for alarms", "queue: the name of a queue")
	}
	steps := []struct {
		key   string
		after time.Duration
	}{
		{"skilled", a.Steps.Skilled},
		{"all_skilled", a.Steps.AllSkilled},
		{"everyone", a.Steps.Everyone},
		{keyDuty, a.Steps.Duty},
	}
	for i := 1; i < len(steps) && !r.broken["alarm.steps"]; i++ {
		if steps[i].after < steps[i-1].after {
			r.report("alarm.steps."+steps[i].key, brief(steps[i].after),
				"no sooner than "+steps[i-1].key+", "+brief(steps[i-1].after))
			break
		}
	}
	r.checkDuty()
	r.checkReserve()
}

// checkDuty: each number once, and one that may be dialled.
func (r *reader) checkDuty() {
	if r.broken["alarm.duty"] || r.broken["dial"] {
		return
	}
	for i, number := range r.cfg.Alarm.Duty {
		path := fmt.Sprintf("alarm.duty[%d]", i)
		if slices.Contains(r.cfg.Alarm.Duty[:i], number) {
			r.report(path, "a number again", "each once")
		}
		if !r.cfg.MayDial(number) {
			r.report(path, "a number that nothing allows to be dialled", "an entry in dial with a prefix of it, and its length")
		}
	}
}

// checkReserve: what is held back leaves half of the calls to all others.
func (r *reader) checkReserve() {
	c := r.cfg
	if half := c.SIP.MaxCalls / 2; c.Alarm.Reserve > half {
		r.report("alarm.reserve", strconv.Itoa(c.Alarm.Reserve), fmt.Sprintf("at most %d, the half of sip.max_calls", half))
	}
}
