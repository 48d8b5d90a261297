package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"hotline/config"
	"hotline/egress"
	"hotline/ivr"
	"hotline/media/prompts"
)

// menuCmd draws the menus of a configuration, or walks them without a phone.
type menuCmd struct {
	File   string  `arg:"" type:"path" help:"The configuration."`
	Out    string  `type:"path" placeholder:"SVG" help:"Where the drawing goes; without it, to standard output."`
	Try    *string `placeholder:"KEYS" help:"Walk the menus with these keys instead of drawing them, such as 2,1#; a comma is a wait that runs out. Empty: keys are read from the terminal, line by line."`
	Number string  `placeholder:"NUMBER" help:"The number dialled, to walk from; without it, the first that leads to a menu."`
	At     string  `placeholder:"TIME" help:"When, by the service's clock, such as 2026-10-01 09:00; without it, now."`
	Lookup bool    `help:"Make look-ups in earnest; otherwise each fails."`
}

// atLayout is how --at is written.
const atLayout = "2006-01-02 15:04"

// Run implements the command. Nothing is started; nothing is written but the drawing.
func (m *menuCmd) Run(con *console) error {
	cfg, err := config.Draft(m.File, findPrompts, checkMenus)
	if cfg == nil {
		return con.problems(err)
	}
	if m.Try != nil {
		if err != nil {
			return con.problems(err)
		}
		return m.walk(con, cfg)
	}
	var faults config.Problems
	if errors.As(err, &faults) {
		err = con.problems(err) // told; and drawn, as far as they are of menus
	}
	drawing := drawMenus(sketch(cfg, faults))
	if m.Out == "" {
		con.say("%s", drawing)
		return err
	}
	if written := os.WriteFile(m.Out, []byte(drawing), 0o600); written != nil {
		return fmt.Errorf("write the drawing: %w", written)
	}
	con.say("%s is drawn.\n", m.Out)
	return err
}

// walk walks the menus from a number on.
func (m *menuCmd) walk(con *console, cfg *config.Config) error {
	at := time.Now()
	if m.At != "" {
		var err error
		if at, err = time.ParseInLocation(atLayout, m.At, cfg.Service.Timezone); err != nil {
			return fmt.Errorf("--at wants a time such as %s: %w", atLayout, err)
		}
	}
	number, first, err := m.from(cfg)
	if err != nil {
		return err
	}
	o, err := walkable(cfg)
	if err != nil {
		return err
	}
	o.Clock = func() time.Time { return at }
	if m.Lookup {
		client := egress.New(ivr.MaxLookup)
		defer func() { _ = client.Close() }() // the process ends
		o.HTTP = client
	}
	menus, err := ivr.New(o)
	if err != nil {
		return err
	}
	line := &tryLine{con: con, texts: prompts.Texts(), answers: map[string]string{}, languages: o.Languages, alarm: cfg.Alarm}
	if *m.Try == "" {
		line.keys = newKeyboard(con)
	} else {
		line.keys = &keysGiven{rest: *m.Try}
	}
	con.say("%s, %s\n", number, at.In(cfg.Service.Timezone).Format(atLayout))
	return line.walk(context.Background(), menus, first)
}

// from is the number to walk from, and the menu that it leads to.
func (m *menuCmd) from(cfg *config.Config) (number, menu string, err error) {
	for _, t := range cfg.Trunks {
		for _, number := range slices.Sorted(maps.Keys(t.Numbers)) {
			if to := t.Numbers[number]; to.Menu != "" && (m.Number == "" || m.Number == number) {
				return number, to.Menu, nil
			}
		}
	}
	if m.Number != "" {
		return "", "", fmt.Errorf("no number %s leads to a menu", m.Number)
	}
	return "", "", errors.New("no number leads to a menu")
}

// walkable are the menus with calendars and prompts, and without anything outside.
func walkable(cfg *config.Config) (ivr.Options, error) {
	o := menuOptions(cfg)
	all, err := calendars(cfg)
	if err != nil {
		return o, err
	}
	for name, c := range all {
		o.Calendars[name] = c
	}
	o.Languages = spoken(cfg)
	return o, nil
}

// keys are where the keys of a walk come from.
type keys interface {
	// next is the next key; 0 is a wait that runs out.
	next() (key byte, err error)
}

// keysGiven are those of the command line: after the last, nothing is pressed any more.
type keysGiven struct{ rest string }

func (k *keysGiven) next() (byte, error) {
	if k.rest == "" {
		return 0, nil
	}
	key := k.rest[0]
	k.rest = k.rest[1:]
	if key == ',' {
		return 0, nil
	}
	if !strings.ContainsRune("0123456789*#ABCD", rune(key)) {
		return 0, fmt.Errorf("%q is no key of a telephone", key)
	}
	return key, nil
}

// keyboard reads keys from a terminal: an empty line is a wait that runs out.
type keyboard struct {
	con  *console
	line keysGiven
}

func newKeyboard(con *console) *keyboard { return &keyboard{con: con} }

func (k *keyboard) next() (byte, error) {
	if k.line.rest != "" {
		return k.line.next()
	}
	k.con.say("> ")
	var text strings.Builder
	one := make([]byte, 1)
	for {
		n, err := k.con.in.Read(one)
		if n > 0 && one[0] == '\n' {
			break
		}
		text.Write(one[:n])
		if err == io.EOF && text.Len() > 0 {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("read keys: %w", err)
		}
	}
	k.line.rest = strings.TrimSpace(text.String())
	return k.line.next()
}
