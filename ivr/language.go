package ivr

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hotline/call"
	"hotline/media"
)

// language has the call go on in the language that a key stands for.
type language struct {
	asking

	name            string
	tags            map[media.Key]string
	next, otherwise call.Next
}

func (l *language) walk(ctx context.Context, line call.Line) (call.Next, error) {
	key, ok, err := l.ask(ctx, line, func(k media.Key) bool { return l.tags[k] != "" })
	if err != nil {
		return call.Next{}, err
	}
	if !ok {
		line.Chose(l.name, otherwise)
		return l.otherwise, nil
	}
	line.Chose(l.name, key.String())
	line.Speak(l.tags[key]) // known, as the check saw
	return l.next, nil
}

// buildLanguage makes a node that changes the language.
func buildLanguage(name string, o MenuOptions, shared *Options) built {
	l := &language{name: name, tags: make(map[media.Key]string, len(o.Languages)), next: o.Next, otherwise: o.Otherwise}
	b := built{node: l}
	l.asking = askingOf(&b, name, o)
	if len(o.Languages) == 0 {
		b.problems = append(b.problems, &ProblemError{NoLanguage, name, "languages", "no language", "one for each key"})
	}
	for _, text := range slices.Sorted(maps.Keys(o.Languages)) {
		field, tag := "languages."+text, o.Languages[text]
		if !isKey(&b, name, field, text) {
			continue
		}
		l.tags[media.Key(text[0])] = tag
		b.own = append(b.own, media.Key(text[0]))
		if !slices.Contains(shared.Languages, tag) {
			b.problems = append(b.problems, &ProblemError{
				NoLanguage, name, field, fmt.Sprintf("no prompts in language %q", tag), "a language that there are prompts of",
			})
		}
	}
	b.ways = []way{{field: nextField, next: o.Next}, {field: otherwise, next: o.Otherwise, silent: true}}
	return b
}
