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
}

func overlap(a, b []netip.Prefix) bool {
	for _, p := range a {
		if slices.ContainsFunc(b, p.Overlaps) {
			return true
		}
	}
	return false
}

// checkHA1: instead of a password, and for just the algorithms that the agent is offered.
func (r *reader) checkHA1(path string, a Agent) {
	ha1 := path + "." + keyHA1
	if !r.written(ha1) || r.broken[ha1] {
		return
	}
	if r.written(path + ".password") {
		r.report(ha1, "both a password and ha1", "one of them")
		return
	}
	for _, d := range a.Digest {
		if _, ok := a.HA1[d]; !ok {
			r.report(ha1, "none for "+string(d)+", which digest offers", "one for each algorithm that is offered")
		}
	}
	for _, d := range sortedKeys(a.HA1) {
		if len(a.Digest) > 0 && !slices.Contains(a.Digest, d) {
			r.report(ha1+"."+string(d), "an algorithm that digest does not offer", "one of "+orList(a.Digest))
		}
	}
}

// checkAgents: ids once, skills that are queues, and none of a supervisor.
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
		r.checkHA1(path, a)
		if a.Role == Supervisor && len(a.Skills) > 0 {
			r.report(path+".skills", "skills of a supervisor", "none: supervisors get no calls of queues")
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
