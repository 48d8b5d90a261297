package config

// checkSurveys: who is handed over to a queue's survey is asked something: the menu is one of kind survey, or leads to
// one.
func (r *reader) checkSurveys() {
	for _, name := range sortedKeys(r.cfg.Queues) {
		first := r.cfg.Queues[name].Survey
		if _, ok := r.cfg.Menus[first]; ok && !r.broken[menuPath(first)] && !r.leadsToSurvey(first) {
			r.report(keyQueues+"."+name+"."+keySurvey, "menu "+quote(first)+", which asks nothing of the service",
				"a menu of kind survey, or one that leads to such a menu")
		}
	}
}

// leadsToSurvey reports whether a survey can be reached from a menu by way of menus.
func (r *reader) leadsToSurvey(first string) bool {
	seen := map[string]bool{}
	for todo := []string{first}; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		m, ok := r.cfg.Menus[name]
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		if m.Kind == MenuSurvey {
			return true
		}
		for _, w := range m.ways() {
			if w.to.Menu != "" {
				todo = append(todo, w.to.Menu)
			}
		}
	}
	return false
}
