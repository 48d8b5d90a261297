package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// leastEvery is how often at most something is told to a waiting caller, who is to hear music too.
const leastEvery = 5 * time.Second

// limits are the keys of a queue's limits.
func (r *reader) limits(l *QueueLimits) []field {
	return []field{
		{"max_waiting", func(v value) { v.integer(&l.MaxWaiting, 0, 10_000) }},
		{"max_wait", func(v value) { v.duration(&l.MaxWait, 0, day) }},
		{"max_expected", func(v value) { v.duration(&l.MaxExpected, 0, day) }},
		{"when_empty", func(v value) { oneOf(v, &l.WhenEmpty, EmptyWait, EmptyTurn) }},
		{keyHours, func(v value) { v.text(&l.Hours, nameShape) }},
		{"rejoin", func(v value) { v.duration(&l.Rejoin, 0, time.Hour) }},
		{keyOverflow, func(v value) { l.Overflow = overflow(v) }},
	}
}

func overflow(v value) map[Overflow]Destination {
	to := map[Overflow]Destination{}
	way := func(why Overflow) field {
		return field{string(why), func(v value) {
			if d, ok := v.destination(); ok {
				to[why] = d
			}
		}}
	}
	v.fields(way(OverflowFull), way(OverflowEmpty), way(OverflowClosed), way(OverflowTooLong), way(OverflowExpected))
	return to
}

// waiting are the keys of what a waiting caller hears and may press.
func (r *reader) waiting(w *QueueWaiting) []field {
	return []field{
		{"music", func(v value) { v.text(&w.Music, nameShape) }},
		{"position", func(v value) {
			v.fields(
				field{keyEvery, func(v value) { v.duration(&w.Position.Every, 0, time.Hour) }},
				field{"expected", func(v value) { v.boolean(&w.Position.Expected) }},
			)
		}},
		{keyPrompts, func(v value) { w.Prompts = timedPrompts(v) }},
		{keyKeys, func(v value) { w.Keys = waitKeys(v) }},
	}
}

func timedPrompts(v value) []TimedPrompt {
	var prompts []TimedPrompt
	v.items("a list of {prompt, every}", func(_ int, item value) {
		var p TimedPrompt
		item.fields(
			field{keyPrompt, func(v value) { v.text(&p.Prompt, nameShape) }},
			field{keyEvery, func(v value) { v.duration(&p.Every, leastEvery, time.Hour) }},
		)
		item.require(keyPrompt, nameShape.want)
		item.require(keyEvery, "a duration from 5s to 1h")
		prompts = append(prompts, p)
	})
	return prompts
}

func waitKeys(v value) map[string]WaitKey {
	keys := map[string]WaitKey{}
	v.entries(func(key string, child value) {
		if !child.name(key, keyShape) {
			return
		}
		if k, ok := child.waitKey(); ok {
			keys[key] = k
		}
	})
	return keys
}

func (v value) waitKey() (k WaitKey, ok bool) {
	const keyCallback = "callback"
	wants := func(n *yaml.Node) bool { return n.Value == keyCallback }
	if v.node.Kind != yaml.MappingNode || !slices.ContainsFunc(v.node.Content, wants) {
		k.Destination, ok = v.destination()
		return k, ok
	}
	before := len(v.r.problems)
	v.fields(field{keyCallback, func(v value) { v.boolean(&k.Callback) }})
	if len(v.r.problems) == before && !k.Callback {
		v.lose("a key that leads nowhere", wantDestination+" or {callback: true}")
	}
	return k, k.Callback && len(v.r.problems) == before
}
