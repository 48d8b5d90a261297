package config

import "fmt"

// checkTargets: what is warned of comes before what it warns of.
func (r *reader) checkTargets() {
	if t := r.cfg.Targets; t.TalkWarn >= t.Talk && r.written("targets.talk_warn") {
		r.report("targets.talk_warn", brief(t.TalkWarn), "less than targets.talk, "+brief(t.Talk)+"; 0s for no warning")
	}
}

// checkWebhooks: a name is a file and a label, so each stands once.
func (r *reader) checkWebhooks() {
	seen := map[string]int{}
	for i, w := range r.cfg.Webhooks {
		path := fmt.Sprintf("webhooks[%d]", i)
		if first, twice := seen[w.Name]; twice {
			r.report(path+"."+keyName, fmt.Sprintf("%s again, as in webhooks[%d]", quote(w.Name), first), "each name once")
		} else {
			seen[w.Name] = i
		}
	}
}
