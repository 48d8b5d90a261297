package config

import "time"

const wantWidening = "{after: 20s, level: 3}"

// widen reads the steps at which a queue's circle grows.
func (v value) widen(dst *[]Widening) {
	v.items("a list of "+wantWidening, func(_ int, item value) {
		var w Widening
		item.fields(
			field{"after", func(v value) { v.duration(&w.After, time.Second, time.Hour) }},
			field{"level", func(v value) { v.integer(&w.Level, 1, 8) }},
		)
		item.require("after", "a duration from 1s to 1h")
		item.require("level", "a whole number from 1 to 8")
		*dst = append(*dst, w)
	})
}
