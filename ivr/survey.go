package ivr

import (
	"context"
	"fmt"
	"strings"

	"hotline/call"
	"hotline/media"
)

// scores are the keys of the first question.
const scores = "12345"

// SurveyOptions are those of kind survey; the menu's prompt is its first question, answered by 1 to 5.
type SurveyOptions struct {
	// Second is the prompt of a second question; empty: there is none. SecondKeys are the digits 0 to 5 that answer
	// it.
	Second, SecondKeys string
	// Thanks is said to who has answered; it may be empty.
	Thanks string
}

// survey asks the caller how the service was.
type survey struct {
	asking

	name           string
	second, thanks string
	secondKeys     string
	next           call.Next
}

// walk asks at most two questions, and goes on; a caller who answers one not is not asked another.
func (s *survey) walk(ctx context.Context, line call.Line) (call.Next, error) {
	answered, err := s.question(ctx, line, s.prompt, scores)
	if err == nil && answered && s.second != "" {
		answered, err = s.question(ctx, line, s.second, s.secondKeys)
	}
	if err == nil && answered && s.thanks != "" {
		err = line.Say(ctx, s.thanks)
	}
	return s.next, err
}

// question asks one, and has the line keep the answer, if there is one.
func (s *survey) question(ctx context.Context, line call.Line, prompt, keys string) (answered bool, err error) {
	one := s.asking
	one.prompt = prompt
	key, ok, err := one.ask(ctx, line, func(k media.Key) bool { return strings.ContainsRune(keys, rune(k)) })
	if err != nil || !ok {
		return false, err
	}
	line.Rate(prompt, int(key-'0'))
	return true, nil
}

// buildSurvey makes a node that asks how the service was.
func buildSurvey(name string, o MenuOptions, _ *Options) built {
	s := &survey{
		name: name, second: o.Survey.Second, secondKeys: o.Survey.SecondKeys, thanks: o.Survey.Thanks, next: o.Next,
	}
	if s.second == "" {
		s.secondKeys = ""
	}
	b := built{node: s, own: []media.Key(scores + s.secondKeys), ways: []way{{field: nextField, next: o.Next, silent: true}}}
	s.asking = askingOf(&b, name, o)
	for _, p := range []named{{"second", s.second}, {"thanks", s.thanks}} {
		if p.name != "" {
			b.prompts = append(b.prompts, p)
		}
	}
	if s.second != "" && (s.secondKeys == "" || strings.Trim(s.secondKeys, "0"+scores) != "") {
		b.problems = append(b.problems, &ProblemError{
			OutOfRange, name, "second_keys", fmt.Sprintf("%q", s.secondKeys), "digits from 0 to 5",
		})
	}
	return b
}
