package config

// checkDirect: an agent who is to be rung before a queue's others is there; and alarms have a ladder instead, on which
// more than one is rung.
func (r *reader) checkDirect(path string, d Destination) {
	if d.Agent == "" {
		return
	}
	if d.Queue == r.cfg.Alarm.Queue {
		r.report(path+".agent", "one agent for alarms", "it left out: alarm.steps says who is rung for them")
	}
	ids := map[string]bool{}
	for _, a := range r.cfg.Agents {
		ids[a.ID] = true
	}
	if !ids[d.Agent] && !r.lost["agents"] {
		r.report(path+".agent", "no agent "+quote(d.Agent), "the id of an agent"+suggest(r, d.Agent, sortedKeys(ids)))
	}
}
