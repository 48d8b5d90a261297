package config

import "time"

const (
	keyAlarm = "alarm"
	keyDuty  = "duty"
	// mostDuty bounds the duty list.
	mostDuty = 20
	// defaultReserve is how many calls are held back for alarms, if that is no more than a half of all.
	defaultReserve = 4
)

func alarmDefaults() Alarm {
	return Alarm{
		Key:   "*",
		Steps: AlarmSteps{AllSkilled: 5 * time.Second, Everyone: 10 * time.Second, Duty: 20 * time.Second},
	}
}

func (r *reader) alarm(v value) {
	a := &r.cfg.Alarm
	v.fields(
		field{"queue", func(v value) { v.text(&a.Queue, nameShape) }},
		field{"key", func(v value) { v.alarmKey(&a.Key) }},
		field{"steps", func(v value) {
			step := func(dst *time.Duration) func(value) {
				return func(v value) { v.duration(dst, 0, 10*time.Minute) }
			}
			v.fields(
				field{"skilled", step(&a.Steps.Skilled)},
				field{"all_skilled", step(&a.Steps.AllSkilled)},
				field{"everyone", step(&a.Steps.Everyone)},
				field{keyDuty, step(&a.Steps.Duty)},
			)
		}},
		field{keyDuty, func(v value) {
			v.items("a list of telephone numbers", func(i int, item value) {
				if i == mostDuty {
					item.problem("more numbers than that", "at most 20")
				}
				var number string
				if item.text(&number, prefixShape); number != "" && i < mostDuty {
					a.Duty = append(a.Duty, number)
				}
			})
		}},
		field{"reserve", func(v value) { v.integer(&a.Reserve, 0, 1<<14) }},
	)
}

// alarmKey takes a key, or "" for none.
func (v value) alarmKey(dst *string) {
	text, ok := v.scalar(keyShape.want)
	if ok && text == "" {
		*dst = ""
		return
	}
	v.text(dst, keyShape)
}

// settleAlarm fills in what depends on the queues, and on how many calls there may be.
func (r *reader) settleAlarm() {
	c := r.cfg
	if _, ok := c.Queues[gasAlarm]; ok && !r.written("alarm.queue") {
		c.Alarm.Queue = gasAlarm
	}
	switch {
	case r.written("alarm.reserve"):
	case c.Alarm.Queue != "":
		c.Alarm.Reserve = min(defaultReserve, c.SIP.MaxCalls/2)
	}
}
