package config

// Checker judges what this package has no words for: it is given what was read, and returns what is wrong
// with it. It must not change it.
type Checker func(c *Config) []Finding

// Finding is one thing that a Checker found wrong, as a [Problem] has it.
type Finding struct {
	Path, Found, Want string
	// Mild: calls can be served all the same, and it is a warning.
	Mild bool
}

func (r *reader) judge(checks []Checker) {
	for _, check := range checks {
		for _, f := range check(r.cfg) {
			switch {
			case r.broken[f.Path]: // what could not be read has its default, which nobody chose
			case f.Mild:
				r.warn(f.Path, printable(f.Found), printable(f.Want))
			default:
				r.report(f.Path, printable(f.Found), printable(f.Want))
			}
		}
	}
	r.cfg.Warnings.sort()
}

// warn notes what keeps nothing from being served.
func (r *reader) warn(path, found, want string) {
	at := r.at(path)
	r.cfg.Warnings = append(r.cfg.Warnings, Problem{
		File: r.file, Line: at.line, Column: at.column, Path: path, Found: found, Want: want,
	})
}
