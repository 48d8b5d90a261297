package ivr

import (
	"context"
	"fmt"

	"hotline/call"
)

// saying says a prompt, if it has one, and goes on. It leaves no trace in the way through menus: nobody chose
// anything.
type saying struct {
	prompt string
	next   call.Next
}

func (s *saying) walk(ctx context.Context, line call.Line) (call.Next, error) {
	if s.prompt == "" {
		return s.next, nil
	}
	return s.next, line.Say(ctx, s.prompt)
}

// buildPlay makes a node that says its prompt to the end.
func buildPlay(name string, o MenuOptions, _ *Options) built {
	b := buildSaying(name, nextField, o)
	b.prompts = []named{{promptField, o.Prompt}}
	return b
}

// buildSaying makes a node that may say something first; field names the option of where it leads, which must
// be one of the kinds given, or any.
func buildSaying(name, field string, o MenuOptions, leadsTo ...call.Kind) built {
	b := built{
		node: &saying{prompt: o.Prompt, next: o.Next},
		ways: []way{{field: field, next: o.Next, silent: true}},
	}
	if o.Prompt != "" {
		b.prompts = []named{{promptField, o.Prompt}}
	}
	for _, k := range leadsTo {
		if o.Next.Kind != k {
			b.problems = append(b.problems, &ProblemError{
				BadNext, name, field, fmt.Sprintf("leads to %q", o.Next.Kind), fmt.Sprintf("a way to %q", k),
			})
		}
	}
	return b
}
