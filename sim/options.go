package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// Choice is one thing callers call about.
type Choice struct {
	Number string    // dialled
	Key    media.Key // pressed in the menu; 0 presses none
	Weight int       // how often, among the others; at least one is above 0
}

// Agent is a simulated agent.
type Agent struct{ ID, Password string }

// Options of a World.
type Options struct {
	// Hotline is where its SIP listens, over UDP.
	Hotline netip.AddrPort
	// Local is the address the phones bind; zero means the hotline's own (loopback).
	Local netip.Addr
	// Engine carries the phones' audio: one of its own, not the hotline's. Required.
	Engine media.Engine
	// PerMinute is how many callers dial in a minute, on average, above 0; they come at random (Poisson).
	PerMinute float64
	// For is how long callers come; 0 is until Run's context ends. Who has come stays to the end.
	For time.Duration
	// Choices are what callers want; at least one.
	Choices []Choice
	// Agents register before the first caller comes. There may be none.
	Agents []Agent
	// Talk is the mean time that caller and agent talk; Patience the mean time a caller waits, from
	// the choice on. Both are above 0 and vary from person to person.
	Talk, Patience time.Duration
	// Pickup is the mean time an agent lets it ring.
	Pickup time.Duration
	// Miss is the share, 0 to 1, of offers that find no agent at the desk: the phone rings on.
	Miss float64
	// Seed makes two worlds alike; 0 takes one by chance.
	Seed uint64
	// Logger; nil is silent.
	Logger *zap.Logger
}

// ErrBadOptions is why no world can be made; what wraps it names the option.
var ErrBadOptions = errors.New("sim: bad options")

// checked returns the options with their defaults, or every fault at once.
func (o Options) checked() (Options, error) {
	var faults []error
	need := func(good bool, what string) {
		if !good {
			faults = append(faults, fmt.Errorf("%w: %s", ErrBadOptions, what))
		}
	}
	need(o.Hotline.IsValid(), "Hotline is no address")
	need(o.Engine != nil, "no Engine")
	need(o.PerMinute > 0, "PerMinute is not above 0")
	need(o.Talk > 0 && o.Patience > 0, "Talk and Patience are not above 0")
	need(o.For >= 0 && o.Pickup >= 0, "For or Pickup is below 0")
	need(o.Miss >= 0 && o.Miss <= 1, "Miss is not within 0 and 1")
	sum, negative := 0, false
	for _, c := range o.Choices {
		sum += c.Weight
		negative = negative || c.Weight < 0
	}
	need(sum > 0 && !negative, "Choices have no weight, or one below 0")
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if !o.Local.IsValid() {
		o.Local = o.Hotline.Addr()
	}
	return o, errors.Join(faults...)
}

// Figures count what the people of a world have seen.
type Figures struct {
	Dialled  int64 // callers who dialled
	Calling  int64 // callers who have not hung up yet
	Refused  int64 // not let in by the hotline, or not before they gave up
	GaveUp   int64 // hung up while waiting
	Lost     int64 // cut off before an agent answered, by the hotline or by the world's end
	Answered int64 // by an agent
	Talked   int64 // as long as they wanted, after being answered
	Missed   int64 // offers that found no agent at the desk
}
