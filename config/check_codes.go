package config

import "strings"

// checkCodes: no code begins with another, or digits after the one would be the other; each queue has digits of
// its own.
func (r *reader) checkCodes() {
	keys := codeKeys(&r.cfg.Codes)
	for i, k := range keys {
		for _, other := range keys[:i] {
			a, b := *k.code, *other.code
			if r.broken["codes."+k.name] || r.broken["codes."+other.name] || a == "" || b == "" || !strings.HasPrefix(a, b) && !strings.HasPrefix(b, a) {
				continue
			}
			path, with := "codes."+k.name, other.name
			if !r.written(path) {
				path, with = "codes."+other.name, k.name
			}
			r.report(path, "a code that cannot be told from that of "+with, "none that another begins with, or \"\"")
			break
		}
	}
	by := map[string]string{}
	for _, name := range sortedKeys(r.cfg.Queues) {
		digits := r.cfg.Queues[name].Digits
		if first, twice := by[digits]; twice && digits != "" {
			r.report("queues."+name+".digits", quote(digits)+" again, as in queues."+first, "digits of its own")
			continue
		}
		by[digits] = name
	}
}
