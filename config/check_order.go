package config

import "fmt"

// checkCircles: each step lets in more agents than the one before, and in the end there is somebody.
func (r *reader) checkCircles() {
	for _, name := range sortedKeys(r.cfg.Queues) {
		q, path := r.cfg.Queues[name], "queues."+name
		level, good := q.Level, true
		var last Widening
		for i, w := range q.Widen {
			step := fmt.Sprintf("%s.widen[%d]", path, i)
			if w.After == 0 || w.Level == 0 {
				good = false // a problem by itself
				continue
			}
			if w.After <= last.After {
				r.report(step+".after", brief(w.After)+", not after the step before", "more than "+brief(last.After))
			}
			if w.Level >= level {
				r.report(step+".level", fmt.Sprintf("level %d, which lets in nobody new", w.Level), fmt.Sprintf("less than %d", level))
			}
			level, last = w.Level, w
		}
		if good {
			r.checkWithin(path, name, level)
		}
	}
}

// checkWithin: a queue that has agents, but none of the level that it takes in the end, keeps its callers for ever.
func (r *reader) checkWithin(path, name string, least int) {
	best := 0
	for _, a := range r.cfg.Agents {
		best = max(best, a.Skills[name])
	}
	if best > 0 && best < least {
		r.report(path+".level", fmt.Sprintf("level %d to the end, and the best agent has %d", least, best),
			"a lower one, in widen at least, or an agent of that level")
	}
}
