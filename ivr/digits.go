package ivr

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"hotline/call"
	"hotline/media"
)

// Prompts around a number that is keyed.
const (
	InvalidEntry  = "invalid-entry"  // it is not what was asked for
	ConfirmBefore = "confirm-before" // then the number, digit by digit
	ConfirmAfter  = "confirm-after"  // 1 or # if it is right, 2 to key it again
)

// MaxDigits is how many digits a node may ask for.
const MaxDigits = 32

// DigitsOptions are those of kind digits.
type DigitsOptions struct {
	// Variable is the name that the number is kept under.
	Variable string
	// Min and Max are how many digits: 1 to MaxDigits, Min at most Max.
	Min, Max int
	// End is the key that ends the number before Max: # or *; empty: only a wait without a key does.
	End string
	// Pattern is a regular expression (RE2) that the whole number must match; empty: any will do.
	Pattern string
	// Confirm reads the number back, to be confirmed by key.
	Confirm bool
}

// digits takes a number by keys.
type digits struct {
	asking

	name            string
	options         DigitsOptions
	end             media.Key // 0: none
	pattern         *regexp.Regexp
	spell           func(string) []string
	next, otherwise call.Next
}

// walk asks at most tries times for a number that is as it should be, and is confirmed.
func (d *digits) walk(ctx context.Context, line call.Line) (call.Next, error) {
	prompts := []string{d.prompt}
	for range d.tries {
		number, err := d.collect(ctx, line, prompts)
		if err != nil {
			return call.Next{}, err
		}
		switch {
		case number == "":
			prompts = []string{d.noKey, d.prompt}
			continue
		case !d.fits(number):
			prompts = []string{InvalidEntry, d.prompt}
			continue
		}
		ok, err := d.confirmed(ctx, line, number)
		if err != nil {
			return call.Next{}, err
		}
		if ok && line.Set(d.options.Variable, number) {
			line.Chose(d.name, "entered") // not the number: it is personal
			return d.next, nil
		}
		prompts = []string{d.prompt}
	}
	line.Chose(d.name, otherwise)
	return d.otherwise, nil
}

// collect takes keys until the number is as long as it may be, its end was pressed, or nothing is any more.
// What is no digit is kept, so that the number does not fit. Empty: nothing was pressed.
func (d *digits) collect(ctx context.Context, line call.Line, prompts []string) (string, error) {
	var number strings.Builder
	for number.Len() < d.options.Max {
		key, err := line.Ask(ctx, d.wait, prompts...)
		if errors.Is(err, call.ErrNoKey) {
			break
		}
		if err != nil {
			return "", err
		}
		if key == d.end {
			if number.Len() == 0 {
				number.WriteByte(byte(key)) // something was pressed, and it is no number
			}
			break
		}
		number.WriteByte(byte(key))
		prompts = nil
	}
	return number.String(), nil
}

func (d *digits) fits(number string) bool {
	return len(number) >= d.options.Min && strings.Trim(number, "0123456789") == "" &&
		(d.pattern == nil || d.pattern.MatchString(number))
}

// confirmed reads a number back. A caller who says nothing is asked once more.
func (d *digits) confirmed(ctx context.Context, line call.Line, number string) (bool, error) {
	if !d.options.Confirm {
		return true, nil
	}
	prompts := append(append([]string{ConfirmBefore}, d.spell(number)...), ConfirmAfter)
	for range 2 {
		switch key, err := line.Ask(ctx, d.wait, prompts...); {
		case errors.Is(err, call.ErrNoKey):
		case err != nil:
			return false, err
		default:
			return key == '1' || key == '#', nil
		}
	}
	return false, nil
}

// buildDigits makes a node that takes a number.
func buildDigits(name string, o MenuOptions, shared *Options) built {
	d := &digits{name: name, options: o.Digits, spell: shared.Spell, next: o.Next, otherwise: o.Otherwise}
	b := built{
		node: d, sets: []string{o.Digits.Variable}, own: []media.Key("0123456789"),
		ways: []way{{field: nextField, next: o.Next}, {field: otherwise, next: o.Otherwise, silent: true}},
	}
	d.asking = askingOf(&b, name, o)
	b.prompts = append(b.prompts, named{promptField, InvalidEntry})
	if o.Digits.Confirm {
		b.own = append(b.own, '#')
		for _, prompt := range append(d.spell("0123456789"), ConfirmBefore, ConfirmAfter) {
			b.prompts = append(b.prompts, named{"confirm", prompt})
		}
	}
	d.check(&b)
	return b
}

// check judges the options, and makes of them what walk needs.
func (d *digits) check(b *built) {
	o := d.options
	wrong := func(field, found, want string) {
		b.problems = append(b.problems, &ProblemError{OutOfRange, d.name, field, found, want})
	}
	if o.Variable == "" || o.Variable == CallerVariable {
		wrong("variable", fmt.Sprintf("%q", o.Variable), "a name of its own for the number")
	}
	if o.Min < 1 || o.Max < o.Min || o.Max > MaxDigits {
		wrong("max", fmt.Sprintf("%d to %d digits", o.Min, o.Max), fmt.Sprintf("at least 1, at most %d, and min not above max", MaxDigits))
	}
	switch o.End {
	case "":
	case "#", "*":
		d.end = media.Key(o.End[0])
		b.own = append(b.own, d.end)
	default:
		wrong("end", fmt.Sprintf("%q", o.End), "#, * or none")
	}
	if o.Pattern == "" {
		return
	}
	if _, err := regexp.Compile(o.Pattern); err != nil {
		wrong("pattern", err.Error(), "a regular expression (RE2)")
		return
	}
	d.pattern = regexp.MustCompile(`^(?:` + o.Pattern + `)$`) // whole, if its part is
}
