package config

// Checker judges what this package has no words for: it is given what was read, and returns what is wrong
// with it. It must not change it.
type Checker func(c *Config) []Finding

// Finding is one thing that a Checker found wrong, as a [Problem] has it.
type Finding struct{ Path, Found, Want string }

func (r *reader) judge(checks []Checker) {
	for _, check := range checks {
		for _, f := range check(r.cfg) {
			if !r.broken[f.Path] { // what could not be read has its default, which nobody chose
				r.report(f.Path, printable(f.Found), printable(f.Want))
			}
		}
	}
}
