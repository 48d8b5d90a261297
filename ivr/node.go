package ivr

import (
	"context"

	"hotline/call"
	"hotline/media"
)

// Options that several kinds have.
const (
	promptField = "prompt"
	nextField   = "next"
)

// kindMenu is what a node is that does not say.
const kindMenu = "menu"

// node is one place of the graph, as a caller meets it. It must be safe for many calls at once.
type node interface {
	// walk does what the node does with one caller, and returns where the call goes next. Errors are
	// the line's.
	walk(ctx context.Context, line call.Line) (call.Next, error)
}

// built is a node with what the graph's check must know of it, so that the check needs no knowledge
// of kinds.
type built struct {
	node node
	// own are the keys that mean something here: of these none is the alarm's.
	own []media.Key
	// prompts the node may say, by the option that names each.
	prompts []named
	// ways are all the ways out of the node.
	ways []way
	// sets are the variables that the node may set, uses those that it reads, by the option that names each.
	sets []string
	uses []named
	// problems of the node's own options.
	problems []*ProblemError
}

// named is a prompt, or a variable, and the option it was named by.
type named struct{ field, name string }

// way is one way out of a node, and the option that says it.
type way struct {
	field string
	next  call.Next
	// silent: taken without the caller doing anything. A circle of silent ways would hold a call for
	// ever, so the check refuses it.
	silent bool
}

// builder makes a node of a menu's options, and of what all menus share.
type builder func(name string, m MenuOptions, shared *Options) built

// kinds is the table of what a node can be: a new kind is one file with its builder, and one line.
var kinds = map[string]builder{
	"":         buildMenu,
	kindMenu:   buildMenu,
	"play":     buildPlay,
	"digits":   buildDigits,
	"hours":    buildHours,
	"language": buildLanguage,
	"lookup":   buildLookup,
	"announce": buildAnnounce,
	"queue":    buildQueue,
	"dial":     buildDial,
	"hangup":   buildHangup,
	"survey":   buildSurvey,

	"voicemail": buildVoicemail,
}
