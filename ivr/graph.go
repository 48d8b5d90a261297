package ivr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hotline/call"
)

// graph is menus being checked. It lives as long as New.
type graph struct {
	options Options
	names   []string // sorted, so that problems come in the same order every time
	built   map[string]built
}

func newGraph(o Options) *graph {
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
				fmt.Sprintf("no kind %q", m.Kind),
			}}}
			continue
		}
		g.built[name] = build(name, m)
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
	found = append(found, g.checkEntries()...)
	errs := make([]error, len(found))
	for i, p := range found {
		errs[i] = p
	}
	return errs
}

func (g *graph) checkPrompts(menu string, prompts []named) []*ProblemError {
	var found []*ProblemError
	for _, n := range prompts {
		if n.prompt == "" {
			found = append(found, &ProblemError{NoPrompt, menu, n.field, "no prompt is named"})
			continue
		}
		if g.options.Prompts == nil {
			continue
		}
		if _, err := g.options.Prompts.Clip(n.prompt); err != nil {
			found = append(found, &ProblemError{NoPrompt, menu, n.field, fmt.Sprintf("prompt %q: %v", n.prompt, err)})
		}
	}
	return found
}

// checkWay judges one way out of a menu by itself. Whether a queue exists is not known here.
func (g *graph) checkWay(menu string, w way) *ProblemError {
	next := w.next
	switch {
	case next.Kind == "":
		return &ProblemError{BadNext, menu, w.field, "leads nowhere; name a queue or a menu"}
	case !call.Allowed(call.Menu, next.Kind):
		return &ProblemError{BadNext, menu, w.field, fmt.Sprintf("a menu cannot lead to %q", next.Kind)}
	case next.Kind == call.Wait && next.Queue == "":
		return &ProblemError{BadNext, menu, w.field, "no queue is named"}
	case next.Kind == call.Done && (next.End.Result == "" || next.End.Reason == ""):
		return &ProblemError{BadNext, menu, w.field, "ends the call without a result and a reason"}
	case next.Kind != call.Menu:
		return nil
	}
	if _, ok := g.options.Menus[next.Menu]; !ok {
		return &ProblemError{Dangling, menu, w.field, fmt.Sprintf("no menu %q", next.Menu)}
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
					"a caller who presses nothing goes round for ever: %s", strings.Join(circle, " → "))})
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
	reached := make(map[string]bool, len(g.names))
	var todo []string
	reach := func(name string) {
		if !reached[name] {
			reached[name] = true
			todo = append(todo, name)
		}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(g.options.Entries))) {
		if _, ok := g.built[name]; !ok {
			found = append(found, &ProblemError{Dangling, name, "", "callers are sent to this menu, and it does not exist"})
			continue
		}
		reach(name)
	}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		for _, w := range g.built[name].ways {
			if g.leadsToMenu(w) {
				reach(w.next.Menu)
			}
		}
	}
	for _, name := range g.names {
		if !reached[name] {
			found = append(found, &ProblemError{Unreachable, name, "", "no number and no other menu leads here"})
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
