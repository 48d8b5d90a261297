package ivr

import "hotline/call"

// View is a menu as somebody drawing the graph sees it.
type View struct {
	Name, Kind string // Kind is never empty
	// Prompt is what is said first; it may be none.
	Prompt string
	// Prompts are all that may be said, with the option that names each; one that none names stands under prompt.
	Prompts []ViewPrompt
	Ways    []ViewWay
}

// ViewPrompt is a prompt that a menu may say.
type ViewPrompt struct{ Field, Name string }

// ViewWay is one way out of it: Field is the option that says it, such as keys.2.
type ViewWay struct {
	Field string
	Next  call.Next
	// Silent: it is taken without the caller doing anything.
	Silent bool
}

// Graph shows all menus, by name, whatever is wrong with them; a kind that is not known has no ways.
func Graph(o Options) []View {
	o = o.withDefaults()
	g := newGraph(&o)
	all := make([]View, 0, len(g.names))
	for _, name := range g.names {
		m := o.Menus[name]
		v := View{Name: name, Kind: m.Kind, Prompt: m.Prompt}
		if v.Kind == "" {
			v.Kind = kindMenu
		}
		for _, p := range g.built[name].prompts {
			v.Prompts = append(v.Prompts, ViewPrompt{Field: p.field, Name: p.name})
		}
		for _, w := range g.built[name].ways {
			v.Ways = append(v.Ways, ViewWay{Field: w.field, Next: w.next, Silent: w.silent})
		}
		all = append(all, v)
	}
	return all
}
