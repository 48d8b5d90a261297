package acd

import (
	"errors"
	"fmt"
	"strings"

	"hotline/call"
)

// Codes are what agents' phones dial to change what they do. Each begins with a * or #, none begins with
// another; an empty one is off.
type Codes struct {
	// Login and Logout are of all queues, or of the one whose Queue.Digits follow.
	Login, Logout string
	// Pause; digits that follow are the reason.
	Pause, Ready string
	// WrapUp gives the talk the code whose digits follow.
	WrapUp string
	// Extend and End are of the wrap-up.
	Extend, End string
	// Reasons are what the digits after Pause stand for; others are a reason as they are.
	Reasons map[string]string
}

// The prompts that tell an agent what came of a code.
const (
	codeLoggedIn  = "code-logged-in"
	codeLoggedOut = "code-logged-out"
	codePaused    = "code-paused"
	codeReady     = "code-ready"
	codeNoted     = "code-noted"
	codeExtended  = "code-extended"
	codeEnded     = "code-ended"
	codeUnknown   = "code-unknown"
	codeNotServed = "code-not-served"
	codeNotIn     = "code-not-logged-in"
	codeNoWrapUp  = "code-no-wrap-up"
	codeTooLong   = "code-wrap-up-max"
	codeNoTalk    = "code-no-talk"
	codeFailed    = "code-failed"
)

// CodePrompts are the prompts that answer feature codes.
func CodePrompts() []string {
	return []string{
		codeLoggedIn, codeLoggedOut, codePaused, codeReady, codeNoted, codeExtended, codeEnded, codeUnknown,
		codeNotServed, codeNotIn, codeNoWrapUp, codeTooLong, codeNoTalk, codeFailed,
	}
}

// refusals are the prompts that say why not.
var refusals = []struct {
	err    error
	prompt string
}{
	{call.ErrNotServed, codeNotServed},
	{call.ErrLoggedOut, codeNotIn},
	{call.ErrNoWrapUp, codeNoWrapUp},
	{call.ErrWrapUpMax, codeTooLong},
	{call.ErrNoTalk, codeNoTalk},
	{call.ErrBadCode, codeUnknown},
}

var _ call.Shifts = (*Center)(nil)

// Do implements [call.Shifts].
func (c *Center) Do(agent, dialled string) (prompt string, err error) {
	o := c.desk.names.Load().o
	for _, one := range []struct {
		code, prompt string
		do           func(rest string) error
	}{
		{o.Codes.Login, codeLoggedIn, func(rest string) error { return c.ofQueue(agent, rest, c.Login) }},
		{o.Codes.Logout, codeLoggedOut, func(rest string) error { return c.ofQueue(agent, rest, c.Logout) }},
		{o.Codes.Pause, codePaused, func(rest string) error { return c.Pause(agent, c.reason(rest)) }},
		{o.Codes.Ready, codeReady, bare(agent, c.Ready)},
		{o.Codes.WrapUp, codeNoted, func(rest string) error { return c.WrapUp(agent, rest) }},
		{o.Codes.Extend, codeExtended, bare(agent, c.ExtendWrapUp)},
		{o.Codes.End, codeEnded, bare(agent, c.EndWrapUp)},
	} {
		rest, ok := strings.CutPrefix(dialled, one.code)
		if one.code == "" || !ok {
			continue
		}
		if err := one.do(rest); err != nil {
			return refusal(err), err
		}
		return one.prompt, nil
	}
	return codeUnknown, fmt.Errorf("feature code %q: %w", dialled, call.ErrBadCode)
}

// bare is what a code does that no digits may follow.
func bare(agent string, do func(agent string) error) func(rest string) error {
	return func(rest string) error {
		if rest != "" {
			return fmt.Errorf("digits %q after the code: %w", rest, call.ErrBadCode)
		}
		return do(agent)
	}
}

// ofQueue does something about the queue of the digits that follow a code; of all queues when there are none.
func (c *Center) ofQueue(agent, digits string, do func(agent, queue string) error) error {
	if digits == "" {
		return do(agent, "")
	}
	o := c.desk.names.Load().o
	for i := range o.Queues {
		if o.Queues[i].Digits == digits {
			return do(agent, o.Queues[i].Name)
		}
	}
	return fmt.Errorf("queue of digits %q: %w", digits, call.ErrBadCode)
}

// reason is what the digits after the code of a pause stand for.
func (c *Center) reason(digits string) string {
	if text, ok := c.desk.names.Load().o.Codes.Reasons[digits]; ok {
		return text
	}
	return digits
}

func refusal(err error) (prompt string) {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.prompt
		}
	}
	return codeFailed
}
