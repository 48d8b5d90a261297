package ivr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hotline/call"
	"hotline/media"
)

// otherwise is what the way through menus shows for tries used up.
const otherwise = "otherwise"

// menu says its prompt and takes one key.
type menu struct {
	name       string
	prompt     string
	noKey      string
	invalidKey string
	wait       time.Duration
	tries      int
	keys       map[media.Key]call.Next
	otherwise  call.Next
}

// walk asks at most tries times. What went wrong is said in the same breath as the repeated prompt,
// so that a caller who knows the menu can cut both short.
func (m *menu) walk(ctx context.Context, line call.Line) (call.Next, error) {
	prompts := []string{m.prompt}
	for range m.tries {
		key, err := line.Ask(ctx, m.wait, prompts...)
		switch {
		case errors.Is(err, call.ErrNoKey):
			prompts = []string{m.noKey, m.prompt}
			continue
		case err != nil:
			return call.Next{}, err
		}
		if next, ok := m.keys[key]; ok {
			line.Chose(m.name, key.String())
			return next, nil
		}
		prompts = []string{m.invalidKey, m.prompt}
	}
	line.Chose(m.name, otherwise)
	return m.otherwise, nil
}

// buildMenu makes a menu of its options.
func buildMenu(name string, o MenuOptions) built {
	m := &menu{
		name:       name,
		prompt:     o.Prompt,
		noKey:      cmp.Or(o.NoKey, DefaultNoKey),
		invalidKey: cmp.Or(o.InvalidKey, DefaultInvalidKey),
		wait:       o.Wait,
		tries:      o.Tries,
		keys:       make(map[media.Key]call.Next, len(o.Keys)),
		otherwise:  o.Otherwise,
	}
	b := built{
		node: m,
		prompts: []named{
			{"prompt", m.prompt}, {"no_key", m.noKey}, {"invalid_key", m.invalidKey},
		},
	}
	if o.Wait <= 0 || o.Wait > MaxWait {
		b.problems = append(b.problems, &ProblemError{
			OutOfRange, name, "wait",
			fmt.Sprintf("%s; must be above 0 and at most %s", o.Wait, MaxWait),
		})
	}
	if o.Tries < 1 || o.Tries > MaxTries {
		b.problems = append(b.problems, &ProblemError{
			OutOfRange, name, "tries",
			fmt.Sprintf("%d; must be 1 to %d", o.Tries, MaxTries),
		})
	}
	for _, text := range slices.Sorted(maps.Keys(o.Keys)) {
		field := "keys." + text
		if len(text) != 1 || !media.Key(text[0]).Valid() {
			b.problems = append(b.problems, &ProblemError{
				BadKey, name, field,
				fmt.Sprintf("%q is not one key; keys are 0-9, *, #, A-D", text),
			})
			continue
		}
		m.keys[media.Key(text[0])] = o.Keys[text]
		b.ways = append(b.ways, way{field: field, next: o.Keys[text]})
	}
	b.ways = append(b.ways, way{field: otherwise, next: o.Otherwise, silent: true})
	return b
}
