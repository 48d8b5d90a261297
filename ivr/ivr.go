package ivr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// Bounds of what a menu may ask for. They keep a walk finite in practice: a caller who never presses
// a key is through any menu in MaxTries prompts and as many waits.
const (
	MaxWait  = time.Minute
	MaxTries = 10
)

// Prompts that a menu says when none is named.
const (
	DefaultNoKey      = "no-key"
	DefaultInvalidKey = "invalid-key"
)

// Prompts knows which prompts exist. It is what this package needs of [call.Prompts].
type Prompts interface {
	// Clip returns the audio of a prompt, or an error that wraps fs.ErrNotExist.
	Clip(name string) (media.Clip, error)
}

// Options are what New makes menus from.
type Options struct {
	// Menus by name.
	Menus map[string]MenuOptions
	// Entries are the menus that numbers, overflow and the like lead to. A menu that cannot be
	// reached from them is a problem; nil says that they are not known, and nothing is unreachable.
	Entries []string
	// Prompts must have every prompt named; nil leaves prompts unchecked.
	Prompts Prompts
	// Logger is told, at debug level, how each menu was left. Nil is silent.
	Logger *zap.Logger
}

// MenuOptions are one menu.
type MenuOptions struct {
	// Kind is the node's line in the table of kinds; empty means "menu".
	Kind string
	// Prompt is the name of the prompt that tells the choices.
	Prompt string
	// Wait is how long to wait for a key once the prompt has ended: above 0, at most MaxWait.
	Wait time.Duration
	// Tries is how often the prompt is said in all: 1 to MaxTries.
	Tries int
	// Keys are the choices: one key (0-9, *, #, A-D) each, and where it leads.
	Keys map[string]call.Next
	// Otherwise is where the call goes when the tries are used up.
	Otherwise call.Next
	// NoKey is said before the prompt is repeated because nothing was pressed; empty means
	// DefaultNoKey.
	NoKey string
	// InvalidKey is said before the prompt is repeated because the key is not among Keys; empty
	// means DefaultInvalidKey.
	InvalidKey string
}

// Menus is a checked graph of menus. It implements [call.Menus].
type Menus struct {
	nodes map[string]node
	log   *zap.Logger
}

var _ call.Menus = (*Menus)(nil)

// New checks the graph and returns it ready to be walked. Its error joins every problem found, each a
// *[ProblemError], in the order of menus and keys.
func New(o Options) (*Menus, error) {
	g := newGraph(o)
	if problems := g.check(); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	m := &Menus{nodes: make(map[string]node, len(g.built)), log: o.Logger}
	for name, b := range g.built {
		m.nodes[name] = b.node
	}
	if m.log == nil {
		m.log = zap.NewNop()
	}
	return m, nil
}

// Walk leads the caller through the menu named and returns where the call goes next; another menu is
// a Next too, and not entered here. Errors: one that wraps what the line returned, or
// [call.ErrNoMenu].
func (m *Menus) Walk(ctx context.Context, line call.Line, menu string) (call.Next, error) {
	n, ok := m.nodes[menu]
	if !ok {
		return call.Next{}, fmt.Errorf("walk menu %q: %w", menu, call.ErrNoMenu)
	}
	next, err := n.walk(ctx, line)
	if err != nil {
		return call.Next{}, fmt.Errorf("walk menu %q: %w", menu, err)
	}
	// Not the key itself: what callers press is masked in logs.
	m.log.Debug("menu left", zap.String("call", line.ID()), zap.String("menu", menu),
		zap.String("next", string(next.Kind)))
	return next, nil
}
