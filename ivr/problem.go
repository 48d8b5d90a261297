package ivr

import (
	"errors"
	"fmt"
)

// ProblemKind is the closed set of what can be wrong with a graph of menus.
type ProblemKind string

// The kinds of problems.
const (
	UnknownKind ProblemKind = "unknown-kind" // a node of a kind that is not in the table
	OutOfRange  ProblemKind = "out-of-range" // wait, tries, or another option of a kind
	BadKey      ProblemKind = "bad-key"      // a key that no telephone has
	BadNext     ProblemKind = "bad-next"     // a way to nowhere, or to a stage no menu leads to
	Dangling    ProblemKind = "dangling"     // a way, or an entry, to a menu that does not exist
	NoPrompt    ProblemKind = "no-prompt"    // a prompt that is not named, or cannot be had
	SilentLoop  ProblemKind = "silent-loop"  // a circle that a caller who does nothing never leaves
	Unreachable ProblemKind = "unreachable"  // a menu that no entry leads to
	NoCalendar  ProblemKind = "no-calendar"  // hours that are not there
	NoLanguage  ProblemKind = "no-language"  // a language without prompts, or none
	NeverSet    ProblemKind = "never-set"    // a variable that nothing on the way to its use sets
	BadURL      ProblemKind = "bad-url"      // where a look-up cannot be made
)

// ProblemError is one thing wrong with a graph of menus.
type ProblemError struct {
	Kind ProblemKind
	// Menu is the menu at fault, and Field the option of it ("prompt", "keys.2", "otherwise"); for an
	// entry Field is empty.
	Menu, Field string
	// Detail says what is wrong, Want what would be right.
	Detail, Want string
}

// Problems are those that an error of New joins, in its order.
func Problems(err error) []*ProblemError {
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok {
		return nil
	}
	var all []*ProblemError
	for _, one := range joined.Unwrap() {
		if p, ok := errors.AsType[*ProblemError](one); ok {
			all = append(all, p)
		}
	}
	return all
}

func (p *ProblemError) Error() string {
	if p.Field == "" {
		return fmt.Sprintf("menu %q: %s; want %s", p.Menu, p.Detail, p.Want)
	}
	return fmt.Sprintf("menu %q: %s: %s; want %s", p.Menu, p.Field, p.Detail, p.Want)
}
