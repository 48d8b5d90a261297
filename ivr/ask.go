package ivr

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"hotline/call"
	"hotline/media"
)

// otherwise is what the way through menus shows for tries used up, and the option that says what then.
const otherwise = "otherwise"

// asking is a prompt that is said until a key is pressed which means something.
type asking struct {
	prompt, noKey, invalidKey string

	wait  time.Duration
	tries int
}

// askingOf makes it of a menu's options, and puts what the check must know into b.
func askingOf(b *built, name string, o MenuOptions) asking {
	a := asking{
		prompt: o.Prompt, noKey: cmp.Or(o.NoKey, DefaultNoKey), invalidKey: cmp.Or(o.InvalidKey, DefaultInvalidKey),
		wait: o.Wait, tries: o.Tries,
	}
	b.prompts = append(b.prompts, named{promptField, a.prompt}, named{"no_key", a.noKey}, named{"invalid_key", a.invalidKey})
	if o.Wait <= 0 || o.Wait > MaxWait {
		b.problems = append(b.problems, &ProblemError{
			OutOfRange, name, "wait", o.Wait.String(), fmt.Sprintf("above 0 and at most %s", MaxWait),
		})
	}
	if o.Tries < 1 || o.Tries > MaxTries {
		b.problems = append(b.problems, &ProblemError{
			OutOfRange, name, "tries", fmt.Sprint(o.Tries), fmt.Sprintf("1 to %d", MaxTries),
		})
	}
	return a
}

// ask asks at most tries times for a key that valid knows; ok is false when they are used up. What went
// wrong is said in the same breath as the repeated prompt, so that a caller who knows the menu can cut both
// short.
func (a *asking) ask(ctx context.Context, line call.Line, valid func(media.Key) bool) (key media.Key, ok bool, err error) {
	prompts := []string{a.prompt}
	for range a.tries {
		key, err := line.Ask(ctx, a.wait, prompts...)
		switch {
		case errors.Is(err, call.ErrNoKey):
			prompts = []string{a.noKey, a.prompt}
		case err != nil:
			return 0, false, err
		case valid(key):
			return key, true, nil
		default:
			prompts = []string{a.invalidKey, a.prompt}
		}
	}
	return 0, false, nil
}

// isKey reports whether text is one key of a telephone; if not, it says so in b.
func isKey(b *built, menu, field, text string) bool {
	if len(text) == 1 && media.Key(text[0]).Valid() {
		return true
	}
	b.problems = append(b.problems, &ProblemError{
		BadKey, menu, field, fmt.Sprintf("%q is not one key", text), "one of 0-9, *, #, A-D",
	})
	return false
}
