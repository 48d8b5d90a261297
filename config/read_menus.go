package config

import (
	"regexp"
	"time"
)

const wantDestination = "{menu: NAME} or {queue: NAME}"

var keyShape = shape{regexp.MustCompile(`^[0-9*#]$`), "one key of a telephone: 0 to 9, * or #"}

func (r *reader) menus(v value) {
	r.cfg.Menus = map[string]Menu{}
	v.entries(func(name string, child value) {
		if !child.name(name, nameShape) {
			return
		}
		m := menuDefaults(name)
		child.fields(
			field{"prompt", func(v value) { v.text(&m.Prompt, nameShape) }},
			field{"wait", func(v value) { v.duration(&m.Wait, 100*time.Millisecond, time.Minute) }},
			field{"tries", func(v value) { v.integer(&m.Tries, 1, 10) }},
			field{"keys", func(v value) { m.Keys = r.keys(v) }},
			field{"otherwise", func(v value) {
				if d, ok := v.destination(); ok {
					m.Otherwise = d
				}
			}},
		)
		if len(m.Keys) == 0 && !r.broken[child.path] {
			r.report(child.path+".keys", "no key", "at least one, each with "+wantDestination)
		}
		r.cfg.Menus[name] = m
	})
}

func (r *reader) keys(v value) map[string]Destination {
	keys := map[string]Destination{}
	v.entries(func(key string, child value) {
		if !child.name(key, keyShape) {
			return
		}
		if d, ok := child.destination(); ok {
			keys[key] = d
		}
	})
	return keys
}

func (r *reader) queues(v value) {
	r.cfg.Queues = map[string]Queue{}
	v.entries(func(name string, child value) {
		if !child.name(name, nameShape) {
			return
		}
		q := queueDefaults(name)
		delay := func(dst *time.Duration) func(value) {
			return func(v value) { v.duration(dst, time.Second, time.Hour) }
		}
		child.fields(append([]field{
			{"priority", func(v value) { v.integer(&q.Priority, 0, 1000) }},
			{"strategy", func(v value) { oneOf(v, &q.Strategy, strategies...) }},
			{"level", func(v value) { v.integer(&q.Level, 1, 9) }},
			{"widen", func(v value) { v.widen(&q.Widen) }},
			{"wait_prompt", func(v value) { v.text(&q.WaitPrompt, nameShape) }},
			{"wrap_up", func(v value) { v.duration(&q.WrapUp, 0, time.Hour) }},
			{"after_reject", delay(&q.AfterReject)},
			{"after_busy", delay(&q.AfterBusy)},
			{"after_no_answer", delay(&q.AfterNoAnswer)},
			{"unreachable", delay(&q.Unreachable)},
		}, q.shiftFields()...)...)
		r.cfg.Queues[name] = q
	})
}

// destination reads where something leads. Whether the place exists is checked when all places are
// known.
func (v value) destination() (d Destination, ok bool) {
	if v.empty() {
		v.lose("nothing", wantDestination)
		return d, false
	}
	before := len(v.r.problems)
	v.fields(
		field{"menu", func(v value) { v.text(&d.Menu, nameShape) }},
		field{"queue", func(v value) { v.text(&d.Queue, nameShape) }},
	)
	if len(v.r.problems) > before {
		v.lost()
		return d, false
	}
	if (d.Menu == "") == (d.Queue == "") {
		found := "neither a menu nor a queue"
		if d.Menu != "" {
			found = "both a menu and a queue"
		}
		v.lose(found, wantDestination)
		return d, false
	}
	return d, true
}
