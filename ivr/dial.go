package ivr

import "hotline/call"

// buildDial makes a node that leads to a number outside. When it cannot be reached, the call goes to the menu
// that Otherwise names; with none it ends.
func buildDial(name string, o MenuOptions, _ *Options) built {
	o.Next.Menu = o.Otherwise.Menu
	b := buildSaying(name, "number", o, call.Dial)
	if o.Next.Number == "" {
		b.problems = append(b.problems, &ProblemError{BadNext, name, "number", "no number is named", "a number outside"})
	}
	if o.Otherwise.Kind == "" {
		return b
	}
	b.ways = append(b.ways, way{field: otherwise, next: o.Otherwise, silent: true})
	if o.Otherwise.Kind != call.Menu {
		b.problems = append(b.problems, &ProblemError{BadNext, name, otherwise, "leads to no menu", "a menu"})
	}
	return b
}
