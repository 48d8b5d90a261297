package config

import (
	"fmt"
	"net/netip"
	"slices"
)

func trunkPath(i int) string { return fmt.Sprintf("trunks[%d]", i) }

// checkTrunks: names once, numbers once where the same source could mean two trunks.
func (r *reader) checkTrunks() {
	names := map[string]bool{}
	byNumber := map[string][]int{}
	trunks := r.cfg.Trunks
	for i, t := range trunks {
		if t.Name != "" && names[t.Name] {
			r.report(trunkPath(i)+".name", quote(t.Name)+" again", "a name of its own")
		}
		names[t.Name] = true
		for _, number := range sortedKeys(t.Numbers) {
			for _, other := range byNumber[number] {
				if overlap(t.Allow, trunks[other].Allow) {
					r.report(trunkPath(i)+".numbers."+number,
						"a number that "+trunkPath(other)+" has too, for the same addresses",
						"it in one of them, or addresses apart")
					break
				}
			}
			byNumber[number] = append(byNumber[number], i)
		}
	}
	known := sortedKeys(names)
	for i, d := range r.cfg.Dial {
		if d.Through != "" && !names[d.Through] && !r.gaps["trunks"] {
			r.report(fmt.Sprintf("dial[%d].through", i), "no trunk "+quote(d.Through),
				"the name of a trunk"+suggest(r, d.Through, known))
		}
	}
}

func overlap(a, b []netip.Prefix) bool {
	for _, p := range a {
		if slices.ContainsFunc(b, p.Overlaps) {
			return true
		}
	}
	return false
}

// checkAgents: ids once, skills that are queues.
func (r *reader) checkAgents() {
	ids := map[string]int{}
	queues := sortedKeys(r.cfg.Queues)
	for i, a := range r.cfg.Agents {
		path := fmt.Sprintf("agents[%d]", i)
		if first, twice := ids[a.ID]; twice && a.ID != "" {
			r.report(path+".id", fmt.Sprintf("%s again, as in agents[%d]", quote(a.ID), first), "an id of its own")
		} else {
			ids[a.ID] = i
		}
		if r.gaps[keyQueues] {
			continue
		}
		for _, skill := range sortedKeys(a.Skills) {
			if _, ok := r.cfg.Queues[skill]; !ok {
				r.report(path+".skills."+clip(skill), "no queue "+quote(skill),
					"the name of a queue"+suggest(r, skill, queues))
			}
		}
	}
}
