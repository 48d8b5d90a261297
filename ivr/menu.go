package ivr

import (
	"context"
	"maps"
	"slices"

	"hotline/call"
	"hotline/media"
)

// menu says its prompt and takes one key.
type menu struct {
	asking

	name      string
	keys      map[media.Key]call.Next
	otherwise call.Next
}

// walk asks for a choice.
func (m *menu) walk(ctx context.Context, line call.Line) (call.Next, error) {
	key, ok, err := m.ask(ctx, line, func(k media.Key) bool {
		_, ok := m.keys[k]
		return ok
	})
	switch {
	case err != nil:
		return call.Next{}, err
	case ok:
		line.Chose(m.name, key.String())
		return m.keys[key], nil
	}
	line.Chose(m.name, otherwise)
	return m.otherwise, nil
}

// buildMenu makes a menu of its options.
func buildMenu(name string, o MenuOptions, _ *Options) built {
	m := &menu{name: name, keys: make(map[media.Key]call.Next, len(o.Keys)), otherwise: o.Otherwise}
	b := built{node: m}
	m.asking = askingOf(&b, name, o)
	for _, text := range slices.Sorted(maps.Keys(o.Keys)) {
		field := "keys." + text
		if !isKey(&b, name, field, text) {
			continue
		}
		key := media.Key(text[0])
		m.keys[key] = o.Keys[text]
		b.own = append(b.own, key)
		b.ways = append(b.ways, way{field: field, next: o.Keys[text]})
	}
	b.ways = append(b.ways, way{field: otherwise, next: o.Otherwise, silent: true})
	return b
}
