package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"hotline/call"
	"hotline/config"
	"hotline/ivr"
	"hotline/media"
)

// tryLine is a call.Line without a call: it prints what a caller would hear, and presses the keys given. The menus
// are walked by package ivr itself.
type tryLine struct {
	con       *console
	keys      keys
	texts     map[string]string
	answers   map[string]string
	languages []string
	alarm     config.Alarm
	own       []media.Key
	moved     call.Next
}

var _ call.Line = (*tryLine)(nil)

// maxTried bounds the menus of one walk: keys may lead round and round.
const maxTried = 1000

// walk goes from menu to menu until the call leaves them.
func (l *tryLine) walk(ctx context.Context, menus *ivr.Menus, menu string) error {
	next := call.Next{Kind: call.Menu, Menu: menu}
	for range maxTried {
		l.con.say("menu %s\n", next.Menu)
		to, err := menus.Walk(ctx, l, next.Menu)
		switch {
		case errors.Is(err, call.ErrMoved):
			to = l.moved
		case errors.Is(err, io.EOF): // the person has gone
			l.con.say("\n")
			return nil
		case err != nil:
			return err
		}
		if next = to; next.Kind != call.Menu {
			l.con.say("%s\n", whereTo(next))
			return nil
		}
	}
	return fmt.Errorf("not out of the menus after %d of them", maxTried)
}

// whereTo says where a call leaves the menus to.
func whereTo(n call.Next) string {
	switch n.Kind { //nolint:exhaustive // menus lead nowhere else
	case call.Menu:
		return "menu " + n.Menu
	case call.Wait:
		if n.Agent != "" {
			return "queue " + n.Queue + ", agent " + n.Agent + " first"
		}
		return "queue " + n.Queue
	case call.Dial:
		if n.Else != nil {
			return "calls " + n.Number + "; if it is not reached: " + whereTo(*n.Else)
		}
		return "calls " + n.Number
	case call.Done:
		return fmt.Sprintf("hangs up: %s, %s", n.End.Result, n.End.Reason)
	default:
		return string(n.Kind)
	}
}

// ID implements [call.Line].
func (l *tryLine) ID() string { return "try" }

// Ask implements [call.Line].
func (l *tryLine) Ask(_ context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	l.say(prompts)
	key, err := l.keys.next()
	if err != nil {
		return 0, err
	}
	if key == 0 {
		l.con.say("  (nothing for %s)\n", wait)
		return 0, call.ErrNoKey
	}
	return l.pressed(media.Key(key))
}

// pressed is a key; the alarm's leads to the alarms at once, where a menu has no use of its own for it.
func (l *tryLine) pressed(k media.Key) (media.Key, error) {
	l.con.say("  key %s\n", k)
	if l.alarm.Key != "" && l.alarm.Queue != "" && k == media.Key(l.alarm.Key[0]) && !slices.Contains(l.own, k) {
		l.moved = call.Next{Kind: call.Wait, Queue: l.alarm.Queue}
		return 0, call.ErrMoved
	}
	return k, nil
}

// Say implements [call.Line].
func (l *tryLine) Say(_ context.Context, prompts ...string) error {
	l.say(prompts)
	return nil
}

// say prints prompts: their words where they are built in, else their names.
func (l *tryLine) say(prompts []string) {
	for _, name := range prompts {
		if text := l.texts[name]; text != "" {
			l.con.say("  %s: %s\n", name, text)
		} else {
			l.con.say("  %s\n", name)
		}
	}
}

// During implements [call.Line].
func (l *tryLine) During(ctx context.Context, f func(ctx context.Context), prompts ...string) error {
	l.say(prompts)
	f(ctx)
	return nil
}

// Own implements [call.Line].
func (l *tryLine) Own(keys ...media.Key) { l.own = keys }

// Caller implements [call.Line]: nobody calls.
func (l *tryLine) Caller() string { return "" }

// Get implements [call.Line].
func (l *tryLine) Get(name string) string { return l.answers[name] }

// Set implements [call.Line].
func (l *tryLine) Set(name, value string) bool {
	l.answers[name] = value
	l.con.say("  %s is %s\n", name, value)
	return true
}

// Speak implements [call.Line].
func (l *tryLine) Speak(language string) bool {
	l.con.say("  language %s\n", language)
	return slices.Contains(l.languages, language)
}

// Chose implements [call.Line].
func (l *tryLine) Chose(menu, choice string) { l.con.say("  %s/%s\n", menu, choice) }

// Leave implements [call.Line]: a message is taken to have been left.
func (l *tryLine) Leave(_ context.Context, o call.MessageOptions) error {
	l.con.say("  (a message of at most %s)\n", o.Max)
	return nil
}

// Hear implements [call.Line]: there is nothing to be heard.
func (l *tryLine) Hear(ctx context.Context, wait time.Duration, prompts ...string) (media.Key, error) {
	l.con.say("  (the message)\n")
	return l.Ask(ctx, wait, prompts...)
}

// Rate implements [call.Line].
func (l *tryLine) Rate(question string, score int) { l.con.say("  %s: %d\n", question, score) }
