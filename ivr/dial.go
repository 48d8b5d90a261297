package ivr

import "hotline/call"

// buildDial makes a node that leads to a number outside. When it cannot be reached, the call goes to the menu
// that Otherwise names; with none it ends.
func buildDial(name string, o MenuOptions, _ *Options) built {
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

// orElse adds to a way out to a number outside where the node says that calls go when all else failed, so that a number
// that is not reached loses nobody. The way that says so itself, and that of a node which does not say, have nothing
// after them.
func (b *built) orElse(next call.Next) call.Next {
	if next.Kind != call.Dial || next.Else != nil {
		return next
	}
	for _, w := range b.ways {
		if w.field == otherwise && w.next.Kind != "" && (w.next.Kind != call.Dial || w.next.Number != next.Number) {
			next.Else = new(w.next)
		}
	}
	return next
}
