package call

import (
	"context"
	"errors"
	"time"

	"hotline/media"
)

// Mode is how a supervisor takes part in a talk. The closed set is a metric's label.
type Mode string

// The modes. In all of them the supervisor hears both parties.
const (
	ModeListen  Mode = "listen"  // heard by nobody
	ModeWhisper Mode = "whisper" // heard by the agent alone
	ModeJoin    Mode = "join"    // heard by both
)

// Modes are all of them, in the order of the keys that choose them: 1, 2, 3.
func Modes() []Mode { return []Mode{ModeListen, ModeWhisper, ModeJoin} }

// modeOf is the mode that a key of the supervisor's phone chooses.
func modeOf(k media.Key) (Mode, bool) {
	if i := int(k) - '1'; i >= 0 && i < len(Modes()) {
		return Modes()[i], true
	}
	return "", false
}

// hears is whom caller, agent and supervisor hear, as media.Party has it.
var hears = map[Mode][][]int{
	ModeListen:  {{1}, {0}, {0, 1}},
	ModeWhisper: {{1}, {0, 2}, {0, 1}},
	ModeJoin:    {{1, 2}, {0, 2}, {0, 1}},
}

// Supervision is one time that a supervisor was on the line of a talk, in one mode. A change of the mode ends one and
// begins another.
type Supervision struct {
	By   string     `json:"by"` // the supervisor
	Mode Mode       `json:"mode"`
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"`
}

// MaxSupervisions is how many a record keeps. None is left out: beyond it the mode changes no more, and nobody comes on
// the line.
const MaxSupervisions = 200

// KindSupervision is the Kind of the record of a supervisor's own call, in which they hear another: its Origin.
const KindSupervision = "supervision"

// Why a talk cannot be supervised; they are told apart by packages web and cmd.
var (
	// ErrNotTalking: no agent and caller hear each other in that call now.
	ErrNotTalking = errors.New("nobody talks in that call now")
	// ErrNoSupervisor: no supervisor has a phone of that id.
	ErrNoSupervisor = errors.New("no such supervisor")
	// ErrEngaged: the supervisor is on the line already, or being rung.
	ErrEngaged = errors.New("the supervisor's phone is in use")
	// ErrSupervised: another supervisor is on the line of that talk.
	ErrSupervised = errors.New("another supervisor is on the line")
	// ErrSupervisedOften: the record has as many supervisions as it keeps.
	ErrSupervisedOften = errors.New("no more supervisions of that call can be kept")
	// ErrBadMode: no such mode.
	ErrBadMode = errors.New("no such mode: listen, whisper or join")
)

// SuperviseOptions say how supervisors come to talks.
type SuperviseOptions struct {
	// Phones rings their phones; nil: they come by dialling Code alone.
	Phones Phones
	// Code is what a supervisor's phone dials before an agent's id, to hear that agent's talk; empty: nothing.
	Code string
}

// Phones rings the phones of agents and supervisors. Package sip.
type Phones interface {
	// Ring rings a phone until it answers, fails, or ctx is done, as [Dialer] does for numbers outside. The error is
	// always a *RingError.
	Ring(ctx context.Context, r RingRequest) (Leg, error)
}

// Supervise asks a talk to have a supervisor on its line; asked again by the same one it changes the mode. It ends
// with the talk, and with the supervisor's leg.
type Supervise struct {
	// By is the supervisor, and Leg their leg, which stays their own call's. Audio is its stream, and Gone is closed
	// when it has ended.
	By    string
	Leg   LegID
	Audio media.Stream
	Gone  <-chan struct{}
	Mode  Mode
	// Reply is told once whether it is done. Errors: those above. Over is told once if it was done, when it is over.
	// Neither blocks.
	Reply func(error)
	Over  func()
}

// SetMode asks the call of a supervisor who is on a line for another mode. Reply is as Supervise's.
type SetMode struct {
	Mode  Mode
	Reply func(error)
}

func (Supervise) command() {}
func (SetMode) command()   {}
