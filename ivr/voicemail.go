package ivr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hotline/call"
	"hotline/media"
)

// Bounds of a message.
const (
	MaxMessage  = 10 * time.Minute
	MaxSilence  = time.Minute
	endMessage  = media.Key('#')
	shortPrompt = "voicemail-short" // nothing was heard
	keptPrompt  = "voicemail-kept"
	// notKeptPrompt says that the message left anew could not be kept, and that the one before is.
	notKeptPrompt = "voicemail-not-kept"
)

// What a caller who has left a message may do with it: a key each. Nothing pressed keeps it.
const (
	keepMessage  = media.Key('1')
	hearMessage  = media.Key('2')
	againMessage = media.Key('3')
	reviewPrompt = "voicemail-review"
	// reviewWait is how long there is for a key, and maxReviews how often one is asked for.
	reviewWait = 6 * time.Second
	maxReviews = 10
)

// VoicemailOptions are those of kind voicemail. The menu's prompt is said before the beep, and again, up to its tries,
// when nothing was heard.
type VoicemailOptions struct {
	// Queue is whom the message is for; empty means the queue that the caller waited in last.
	Queue string
	// Max is how long it may become, up to MaxMessage; Silence, up to MaxSilence, ends it.
	Max, Silence time.Duration
	// Review: the caller may hear the message, and leave it anew, before it is kept.
	Review bool
}

// voicemail takes a message.
type voicemail struct {
	name, prompt    string
	options         VoicemailOptions
	tries           int
	next, otherwise call.Next
}

// walk asks for a message; who leaves none goes elsewhere. A caller who hangs up has left what was said.
func (v *voicemail) walk(ctx context.Context, line call.Line) (call.Next, error) {
	prompts := []string{v.prompt}
	for range v.tries {
		if err := line.Say(ctx, prompts...); err != nil {
			return call.Next{}, err
		}
		err := line.Leave(ctx, v.message())
		switch {
		case errors.Is(err, call.ErrNoMessage):
			prompts = []string{shortPrompt, v.prompt}
			continue
		case errors.Is(err, call.ErrNotKept):
			line.Chose(v.name, otherwise)
			return v.otherwise, nil
		case err != nil:
			return call.Next{}, err
		}
		if err := v.review(ctx, line); err != nil {
			return call.Next{}, err
		}
		line.Chose(v.name, "message")
		return v.next, line.Say(ctx, keptPrompt)
	}
	line.Chose(v.name, otherwise)
	return v.otherwise, nil
}

// message is how one is taken.
func (v *voicemail) message() call.MessageOptions {
	return call.MessageOptions{Queue: v.options.Queue, Max: v.options.Max, Silence: v.options.Silence, End: endMessage}
}

// review lets the caller hear the message that was left, and leave it anew, as often as they like but not without end.
// Whatever they do, there is a message after it.
func (v *voicemail) review(ctx context.Context, line call.Line) error {
	if !v.options.Review {
		return nil
	}
	ask, before := line.Ask, ""
	for range maxReviews {
		prompts := []string{reviewPrompt}
		if before != "" {
			prompts = []string{before, reviewPrompt}
		}
		key, err := ask(ctx, reviewWait, prompts...)
		ask, before = line.Ask, ""
		switch {
		case errors.Is(err, call.ErrNoKey), err == nil && key == keepMessage:
			return nil
		case err != nil:
			return err
		case key == hearMessage:
			ask = line.Hear
		case key == againMessage:
			o := v.message()
			o.Again = true
			switch err := line.Leave(ctx, o); {
			case errors.Is(err, call.ErrNoMessage):
				before = shortPrompt
			case errors.Is(err, call.ErrNotKept):
				before = notKeptPrompt
			case err != nil:
				return err
			}
		default:
			before = DefaultInvalidKey
		}
	}
	return nil
}

// buildVoicemail makes a node that takes a message.
func buildVoicemail(name string, o MenuOptions, _ *Options) built {
	v := &voicemail{
		name: name, prompt: o.Prompt, options: o.Voicemail, tries: o.Tries, next: o.Next, otherwise: o.Otherwise,
	}
	b := built{
		node: v, own: []media.Key{endMessage},
		prompts: []named{{promptField, o.Prompt}, {promptField, shortPrompt}, {promptField, keptPrompt}},
		ways:    []way{{field: nextField, next: o.Next, silent: true}, {field: otherwise, next: o.Otherwise, silent: true}},
	}
	if o.Voicemail.Review {
		b.own = append(b.own, keepMessage, hearMessage, againMessage)
		b.prompts = append(b.prompts, named{promptField, reviewPrompt}, named{promptField, notKeptPrompt}, named{promptField, DefaultInvalidKey})
	}
	wrong := func(field string, found any, want string) {
		b.problems = append(b.problems, &ProblemError{OutOfRange, name, field, fmt.Sprint(found), want})
	}
	if m := o.Voicemail.Max; m <= 0 || m > MaxMessage {
		wrong("max", m, fmt.Sprintf("above 0 and at most %s", MaxMessage))
	}
	if s := o.Voicemail.Silence; s <= 0 || s > MaxSilence {
		wrong("silence", s, fmt.Sprintf("above 0 and at most %s", MaxSilence))
	}
	if o.Tries < 1 || o.Tries > MaxTries {
		wrong("tries", o.Tries, fmt.Sprintf("1 to %d", MaxTries))
	}
	return b
}
