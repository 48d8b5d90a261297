package ivr

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	// Prompts must have every prompt named; nil leaves prompts unchecked. Languages are the tags of those that
	// there are prompts of, each of which falls back on Prompts.
	Prompts   Prompts
	Languages []string
	// Calendars by name, for kind hours.
	Calendars map[string]Hours
	// HTTP makes look-ups; nil: each fails.
	HTTP Doer
	// Outages are all that are known, for kind announce; nil: none.
	Outages func(ctx context.Context) ([]call.Outage, error)
	// Spell names the prompts that speak digits one by one; nil speaks none.
	Spell func(digits string) []string
	// Clock is the wall clock; nil means time.Now.
	Clock func() time.Time
	// Logger is told, at debug level, how each menu was left, and of look-ups that failed. Nil is silent.
	Logger *zap.Logger
	// Registry takes the metrics; nil is silent.
	Registry prometheus.Registerer

	metrics *metrics
}

// errNoHTTP: nothing was given that could ask.
var errNoHTTP = errors.New("look-ups are not made here")

type noHTTP struct{}

func (noHTTP) Do(*http.Request) (*http.Response, error) { return nil, errNoHTTP }

func (o Options) withDefaults() Options {
	if o.HTTP == nil {
		o.HTTP = noHTTP{}
	}
	if o.Outages == nil {
		o.Outages = func(context.Context) ([]call.Outage, error) { return nil, nil }
	}
	if o.Spell == nil {
		o.Spell = func(string) []string { return nil }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// MenuOptions are one menu. Which of them mean something depends on Kind.
type MenuOptions struct {
	// Kind is the node's line in the table of kinds; empty means "menu".
	Kind string
	// Prompt is the name of the prompt that is said, or that tells the choices.
	Prompt string
	// Wait is how long to wait for a key once the prompt has ended: above 0, at most MaxWait.
	Wait time.Duration
	// Tries is how often the prompt is said in all: 1 to MaxTries.
	Tries int
	// Keys are the choices: one key (0-9, *, #, A-D) each, and where it leads.
	Keys map[string]call.Next
	// Next is where a kind without a choice leads.
	Next call.Next
	// Otherwise is where the call goes when the tries are used up, or all else failed.
	Otherwise call.Next
	// NoKey is said before the prompt is repeated because nothing was pressed; empty means
	// DefaultNoKey.
	NoKey string
	// InvalidKey is said before the prompt is repeated because the key is not among Keys; empty
	// means DefaultInvalidKey.
	InvalidKey string

	Digits DigitsOptions
	Hours  HoursOptions
	Lookup LookupOptions
	Survey SurveyOptions

	Voicemail VoicemailOptions
	// Languages are the tags that keys stand for (kind language).
	Languages map[string]string
	// Area is the variable that outages' areas are matched with (kind announce); empty: all are told.
	Area string
}

// Menus is a checked graph of menus. It implements [call.Menus].
type Menus struct {
	nodes map[string]built
	log   *zap.Logger
}

var _ call.Menus = (*Menus)(nil)

// New checks the graph and returns it ready to be walked. Its error joins every problem found, each a
// *[ProblemError], in the order of menus and keys.
func New(o Options) (*Menus, error) {
	o = o.withDefaults()
	g := newGraph(&o)
	if problems := g.check(); len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	var err error
	if o.metrics, err = newMetrics(o.Registry); err != nil {
		return nil, err
	}
	return &Menus{nodes: g.built, log: o.Logger}, nil
}

// Walk leads the caller through the menu named and returns where the call goes next; another menu is
// a Next too, and not entered here. Errors: one that wraps what the line returned, or
// [call.ErrNoMenu].
func (m *Menus) Walk(ctx context.Context, line call.Line, menu string) (call.Next, error) {
	n, ok := m.nodes[menu]
	if !ok {
		return call.Next{}, fmt.Errorf("walk menu %q: %w", menu, call.ErrNoMenu)
	}
	line.Own(n.own...)
	next, err := n.node.walk(ctx, line)
	if err != nil {
		return call.Next{}, fmt.Errorf("walk menu %q: %w", menu, err)
	}
	next = n.orElse(next)
	// Not the key itself: what callers press is masked in logs.
	m.log.Debug("menu left", zap.String("call", line.ID()), zap.String("menu", menu),
		zap.String("next", string(next.Kind)))
	return next, nil
}
