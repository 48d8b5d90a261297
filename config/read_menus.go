package config

import (
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	wantDestination = "{menu: NAME}, {queue: NAME}, {dial: NUMBER} or {hangup: true}"
	wantPlace       = "{menu: NAME} or {queue: NAME}"
)

var keyShape = shape{regexp.MustCompile(`^[0-9*#]$`), "one key of a telephone: 0 to 9, * or #"}

func (r *reader) menus(v value) {
	r.cfg.Menus = map[string]Menu{}
	v.entries(func(name string, child value) {
		if !child.name(name, nameShape) {
			return
		}
		m := menuDefaults(name, child.menuKind())
		kind := nodeKinds[m.Kind]
		child.fields(append([]field{{"kind", func(value) {}}}, kind.keys(r, &m)...)...)
		for _, key := range sortedKeys(kind.needs) {
			child.require(key, kind.needs[key])
		}
		if m.Kind == MenuLanguage && m.Otherwise == (Destination{}) {
			m.Otherwise = m.Next
		}
		if m.Kind == MenuChoice && len(m.Keys) == 0 && !r.broken[child.path] {
			r.report(child.path+".keys", "no key", "at least one, each with "+wantDestination)
		}
		r.cfg.Menus[name] = m
	})
}

// menuKind is what a menu says that it is; where that cannot be read, a choice.
func (v value) menuKind() MenuKind {
	kind := MenuChoice
	if v.node.Kind != yaml.MappingNode {
		return kind
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, node := v.node.Content[i], v.node.Content[i+1]
		if key.Value != "kind" {
			continue
		}
		child := value{v.r, v.path + ".kind", node, markOf(key)}
		v.r.marks[child.path] = markOf(node)
		if !child.empty() {
			oneOf(child, &kind, sortedKeys(nodeKinds)...)
		}
		break
	}
	return kind
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
		child.fields(slices.Concat([]field{
			{"priority", func(v value) { v.integer(&q.Priority, 0, 1000) }},
			{"strategy", func(v value) { oneOf(v, &q.Strategy, Strategies...) }},
			{"progress", func(v value) { v.duration(&q.Progress, time.Second, time.Minute) }},
			{"level", func(v value) { v.integer(&q.Level, 1, 9) }},
			{"widen", func(v value) { v.widen(&q.Widen) }},
			{"wait_prompt", func(v value) { v.text(&q.WaitPrompt, nameShape) }},
			{"wrap_up", func(v value) { v.duration(&q.WrapUp, 0, time.Hour) }},
			{"after_reject", delay(&q.AfterReject)},
			{"after_busy", delay(&q.AfterBusy)},
			{"after_no_answer", delay(&q.AfterNoAnswer)},
			{"unreachable", delay(&q.Unreachable)},
			{"whisper", func(v value) { v.boolean(&q.Whisper) }},
		}, q.shiftFields(), r.limits(&q.QueueLimits), r.waiting(&q.QueueWaiting), q.surveyFields())...)
		r.cfg.Queues[name] = q
	})
}

// destination reads where something leads. Whether the place exists is checked when all places are
// known.
func (v value) destination() (d Destination, ok bool) {
	return v.leads(&d, wantDestination,
		field{"dial", func(v value) { v.text(&d.Dial, numberShape) }},
		field{"hangup", func(v value) { v.boolean(&d.Hangup) }})
}

// place reads where a number leads: to something that answers it.
func (v value) place() (d Destination, ok bool) { return v.leads(&d, wantPlace) }

// leads reads one way; more are those besides a menu and a queue.
func (v value) leads(d *Destination, want string, more ...field) (Destination, bool) {
	if v.empty() {
		v.lose("nothing", want)
		return *d, false
	}
	before := len(v.r.problems)
	v.fields(append([]field{
		{"menu", func(v value) { v.text(&d.Menu, nameShape) }},
		{keyQueue, func(v value) { v.text(&d.Queue, nameShape) }},
		{"agent", func(v value) { v.text(&d.Agent, idShape) }},
	}, more...)...)
	if len(v.r.problems) > before {
		v.lost()
		return *d, false
	}
	switch ways := d.count(); {
	case ways == 1 && d.Agent != "" && d.Queue == "":
		v.lose("an agent without a queue", "{queue: NAME, agent: ID}: the queue is for when that agent is not to be had")
	case ways == 1:
		return *d, true
	case ways > 1:
		v.lose("more than one way", want)
	default:
		v.lose("no way", want)
	}
	return *d, false
}

// count is how many ways a destination says; one is right.
func (d Destination) count() (ways int) {
	for _, said := range []bool{d.Menu != "", d.Queue != "", d.Dial != "", d.Hangup} {
		if said {
			ways++
		}
	}
	return ways
}
