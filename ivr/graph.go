package ivr

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"hotline/call"
)

// graph is menus being checked. It lives as long as New.
type graph struct {
	options *Options
	names   []string // sorted, so that problems come in the same order every time
	built   map[string]built
}

func newGraph(o *Options) *graph {
	g := &graph{
		options: o,
		names:   slices.Sorted(maps.Keys(o.Menus)),
		built:   make(map[string]built, len(o.Menus)),
	}
	for _, name := range g.names {
		m := o.Menus[name]
		build, ok := kinds[m.Kind]
		if !ok {
			g.built[name] = built{problems: []*ProblemError{{
				UnknownKind, name, "kind",
				fmt.Sprintf("no kind %q", m.Kind), "one of " + strings.Join(slices.Sorted(maps.Keys(kinds))[1:], ", "),
			}}}
			continue
		}
		g.built[name] = build(name, m, o)
	}
	return g
}

// check returns every problem of the graph.
func (g *graph) check() []error {
	var found []*ProblemError
	for _, name := range g.names {
		b := g.built[name]
		found = append(found, b.problems...)
		found = append(found, g.checkPrompts(name, b.prompts)...)
		for _, w := range b.ways {
			if p := g.checkWay(name, w); p != nil {
				found = append(found, p)
			}
		}
	}
	found = append(found, g.silentLoops()...)
	found = append(found, g.neverSet()...)
	found = append(found, g.checkEntries()...)
	errs := make([]error, len(found))
	for i, p := range found {
		errs[i] = p
	}
	return errs
}

const (
	wantPrompt = "one that is built in, or a file of that name"
	wantWay    = "a menu, a queue, a number outside or the end of the call"
)

func (g *graph) checkPrompts(menu string, prompts []named) []*ProblemError {
	var found []*ProblemError
	for _, n := range prompts {
		if n.name == "" {
			found = append(found, &ProblemError{NoPrompt, menu, n.field, "no prompt is named", wantPrompt})
			continue
		}
		if g.options.Prompts == nil {
			continue
		}
		if _, err := g.options.Prompts.Clip(n.name); err != nil {
			what := fmt.Sprintf("no prompt %q", n.name)
			if !errors.Is(err, fs.ErrNotExist) {
				what = fmt.Sprintf("prompt %q: %v", n.name, err)
			}
			found = append(found, &ProblemError{NoPrompt, menu, n.field, what, wantPrompt})
		}
	}
	return found
}

// checkWay judges one way out of a menu by itself. Whether a queue exists is not known here.
func (g *graph) checkWay(menu string, w way) *ProblemError {
	next := w.next
	switch {
	case next.Kind == "":
		return &ProblemError{BadNext, menu, w.field, "leads nowhere", wantWay}
	case !call.Allowed(call.Menu, next.Kind):
		return &ProblemError{BadNext, menu, w.field, fmt.Sprintf("a menu cannot lead to %q", next.Kind), wantWay}
	case next.Kind == call.Wait && next.Queue == "":
		return &ProblemError{BadNext, menu, w.field, "no queue is named", "the name of a queue"}
	case next.Kind == call.Done && (next.End.Result == "" || next.End.Reason == ""):
		return &ProblemError{BadNext, menu, w.field, "ends the call without a result and a reason", "both"}
	case next.Kind != call.Menu:
		return nil
	}
	if _, ok := g.options.Menus[next.Menu]; !ok {
		return &ProblemError{Dangling, menu, w.field, fmt.Sprintf("no menu %q", next.Menu), "the name of a menu"}
	}
	return nil
}

// silentLoops finds each circle of silent ways once. From a node a caller who does nothing may have
// several silent ways (a kind decides which), so this is a depth-first search, not a walk.
func (g *graph) silentLoops() []*ProblemError {
	var found []*ProblemError
	var path []string // the menus being searched, in order
	done := make(map[string]bool, len(g.names))
	var visit func(name string)
	visit = func(name string) {
		path = append(path, name)
		for _, w := range g.built[name].ways {
			to := w.next.Menu
			if !w.silent || !g.leadsToMenu(w) || done[to] {
				continue
			}
			if at := slices.Index(path, to); at >= 0 {
				circle := append(slices.Clone(path[at:]), to)
				found = append(found, &ProblemError{SilentLoop, name, w.field, fmt.Sprintf(
					"a caller who presses nothing goes round for ever: %s", strings.Join(circle, " → ")), "a way out that is taken in silence"})
				continue
			}
			visit(to)
		}
		path = path[:len(path)-1]
		done[name] = true
	}
	for _, name := range g.names {
		if !done[name] {
			visit(name)
		}
	}
	return found
}

// checkEntries finds entries that do not exist and menus that no entry leads to.
func (g *graph) checkEntries() []*ProblemError {
	if g.options.Entries == nil {
		return nil
	}
	var found []*ProblemError
	var entries []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(g.options.Entries))) {
		if _, ok := g.built[name]; !ok {
			found = append(found, &ProblemError{Dangling, name, "", "callers are sent to this menu, and it does not exist", "the name of a menu"})
			continue
		}
		entries = append(entries, name)
	}
	reached := g.reach(entries)
	for _, name := range g.names {
		if !reached[name] {
			found = append(found, &ProblemError{Unreachable, name, "", "no number and no other menu leads here", "a way to it"})
		}
	}
	return found
}

// reach returns some menus, and all that they lead to.
func (g *graph) reach(from []string) map[string]bool {
	reached := make(map[string]bool, len(g.names))
	for todo := from; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if reached[name] {
			continue
		}
		reached[name] = true
		for _, w := range g.built[name].ways {
			if g.leadsToMenu(w) {
				todo = append(todo, w.next.Menu)
			}
		}
	}
	return reached
}

// neverSet finds variables that are used where nobody can have come by a menu that sets them: such a look-up
// would always ask about nobody.
func (g *graph) neverSet() []*ProblemError {
	behind := make(map[string]map[string]bool) // by variable, the menus that come after one that sets it
	for _, name := range g.names {
		for _, variable := range g.built[name].sets {
			var after []string
			for _, w := range g.built[name].ways {
				if g.leadsToMenu(w) {
					after = append(after, w.next.Menu)
				}
			}
			if behind[variable] == nil {
				behind[variable] = make(map[string]bool)
			}
			maps.Copy(behind[variable], g.reach(after))
		}
	}
	var found []*ProblemError
	for _, name := range g.names {
		for _, use := range g.built[name].uses {
			if use.name != CallerVariable && !behind[use.name][name] {
				found = append(found, &ProblemError{
					NeverSet, name, use.field,
					fmt.Sprintf("no menu before this one sets %q", use.name), "a menu of kind digits or lookup that does, on the way here",
				})
			}
		}
	}
	return found
}

// leadsToMenu reports whether w leads to a menu that exists.
func (g *graph) leadsToMenu(w way) bool {
	if w.next.Kind != call.Menu {
		return false
	}
	_, ok := g.built[w.next.Menu]
	return ok
}
