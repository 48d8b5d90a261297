package config

// checkCallbacks: no key promises to call back where nothing may be called, and an alarm is not put off to be called
// back.
func (r *reader) checkCallbacks() {
	for _, name := range sortedKeys(r.cfg.Queues) {
		keys := r.cfg.Queues[name].Keys
		for _, key := range sortedKeys(keys) {
			path := keyQueues + "." + name + "." + keyKeys + "." + key
			switch {
			case !keys[key].Callback:
			case name == r.cfg.Alarm.Queue:
				r.report(path, "a callback for an alarm", "it left out: who smells gas stays on the line")
			case len(r.cfg.Dial) == 0 && !r.lost["dial"]:
				r.report(path, "a callback, and nothing in dial that could be called", "a prefix in dial")
			}
		}
	}
}
