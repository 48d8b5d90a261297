package call

import (
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/media"
)

// Role is whose leg one is. It is a metric's label.
type Role string

// The roles.
const (
	RoleCaller  Role = "caller"
	RoleAgent   Role = "agent"
	RoleOutside Role = "outside" // a number that was called, in an agent's place
	// RoleSupervisor is in a supervisor's own call, in which they hear another.
	RoleSupervisor Role = "supervisor"
)

// roles are all of them.
var roles = []Role{RoleCaller, RoleAgent, RoleOutside, RoleSupervisor}

// MaxLegs is how many legs a record keeps: the first half and the last half, as of stays and offers. Agents whose phones
// break one after the other make more than a call is meant to have.
const MaxLegs = 20

// LegAudio is what one leg's audio was like from its beginning, that in other calls included: until now, or until the
// call had the leg no more.
type LegAudio struct {
	Role   Role        `json:"role"`
	Agent  string      `json:"agent,omitempty"`  // whose phone it is
	Number string      `json:"number,omitempty"` // in place of an agent: a party outside
	Codec  media.Codec `json:"codec"`
	Secure bool        `json:"secure"` // SRTP was agreed on

	PacketsIn  uint64 `json:"packets_in"`
	PacketsOut uint64 `json:"packets_out"`
	Lost       uint64 `json:"lost"`
	Late       uint64 `json:"late"`
	Duplicate  uint64 `json:"duplicate"`
	Strangers  uint64 `json:"strangers"` // packets from a source that is not the leg's
	FarLost    uint64 `json:"far_lost"`  // of what we sent, as the far end reported
	// In milliseconds, and 0 when not known.
	JitterMS    float64 `json:"jitter_ms"`
	FarJitterMS float64 `json:"far_jitter_ms"`
	RoundTripMS float64 `json:"round_trip_ms"`
	// MOS is the worse of MOSIn, of what we heard, and MOSOut, of what the far end heard; see media.Stats. 0: not known.
	MOS    float64 `json:"mos"`
	MOSIn  float64 `json:"mos_in"`
	MOSOut float64 `json:"mos_out"`

	// OneWay is set if audio went one way only.
	OneWay *OneWay `json:"one_way,omitempty"`
	// Silent is how often nothing was heard for the time-out, each further one counted; the far end was asked then
	// whether it is there. NoMedia: it was not, and that ended the leg.
	Silent  int  `json:"silent,omitempty"`
	NoMedia bool `json:"no_media,omitempty"`
	// LeftOut is how many legs between the one before and this one the record does not keep, see MaxLegs.
	LeftOut int `json:"left_out,omitempty"`

	leg     LegID
	over    bool
	unheard int // silences since it was last heard
}

// OneWay is what is known of audio that went one way only.
type OneWay struct {
	At time.Time `json:"at"` // noticed first, and a re-INVITE was sent
	// Count is how often it was noticed: once, or again after each new agreement.
	Count int `json:"count"`
	// Healed is when audio went both ways again; nil while it does not.
	Healed *time.Time `json:"healed"`
}

// asksAtFirst is how many silences in a row have a far end asked each. After them it is asked only when the silence has
// lasted twice as long as at the time before: one who is muted, and has shown often enough to be there, is not troubled
// for hours.
const asksAtFirst = 8

// asks reports whether the n-th silence in a row, from 1, has the far end asked.
func asks(n int) bool { return n <= asksAtFirst || n&(n-1) == 0 }

// heard acts on a fact about a leg's audio. Silence may be a person who says nothing, so that the far end is asked before
// anything is ended; audio that goes one way is agreed on anew, once for a leg, since what that does not heal the next
// will not either.
func (c *Call) heard(f AudioFact) {
	l, ours := c.legs[f.Leg]
	if !ours {
		return
	}
	a := c.audioOf(l)
	log := c.log.With(zap.String("leg", string(f.Leg)), zap.String("role", string(a.Role)), zap.String("agent", a.Agent))
	switch f.Fact {
	case media.FactSilent:
		a.Silent++
		a.unheard++
		if asks(a.unheard) {
			log.Info("leg is silent, its far end is asked", zap.Int("silences", a.Silent))
			l.Ask()
		}
	case media.FactOneWay:
		if a.OneWay != nil {
			a.OneWay = &OneWay{At: a.OneWay.At, Count: a.OneWay.Count + 1}
			break
		}
		a.OneWay = &OneWay{At: f.At, Count: 1}
		log.Warn("audio goes one way only, it is agreed on anew")
		l.Mend()
	case media.FactHeard:
		a.unheard = 0
		if w := a.OneWay; w != nil && w.Healed == nil {
			log.Info("audio goes both ways again")
			a.OneWay = &OneWay{At: w.At, Count: w.Count, Healed: &f.At}
		}
	}
	c.publish()
}

// audioOf is what the record has of a leg of the call's, which is entered if it is not there. It is valid until another
// is entered.
func (c *Call) audioOf(l Leg) *LegAudio {
	r, id := &c.rec, l.ID()
	if i := slices.IndexFunc(r.Legs, func(a LegAudio) bool { return a.leg == id && !a.over }); i >= 0 {
		return &r.Legs[i]
	}
	a := LegAudio{leg: id, Role: RoleAgent}
	switch {
	case c.caller == nil || c.caller.ID() != id:
		a.Agent, a.Number = c.at.Agent, c.at.Number
	case c.by != "":
		a.Agent = c.by
	default:
		a.Role = RoleCaller
	}
	if a.Agent == "" && a.Role == RoleAgent {
		a.Role = RoleOutside
	}
	r.Legs = append(r.Legs, a)
	r.boundLegs()
	return &r.Legs[len(r.Legs)-1]
}

// boundLegs counts the first leg of the last half that has ended in the one after it, when there are too many.
func (r *Record) boundLegs() {
	if len(r.Legs) <= MaxLegs {
		return
	}
	for i := MaxLegs / 2; i < len(r.Legs)-1; i++ {
		if r.Legs[i].over {
			r.Legs[i+1].LeftOut += r.Legs[i].LeftOut + 1
			r.Legs = slices.Delete(r.Legs, i, i+1)
			return
		}
	}
}

// measure takes the figures of a leg as they are now. That the call is a supervisor's is known only once it has begun.
func (c *Call) measure(a *LegAudio, l Leg) {
	if c.rec.Kind == KindSupervision && c.caller == l {
		a.Role = RoleSupervisor
	}
	s := l.Audio()
	n := s.Stats()
	a.Codec, a.Secure = s.Codec(), n.Secure
	a.PacketsIn, a.PacketsOut, a.Lost, a.Late = n.PacketsIn, n.PacketsOut, n.Lost, n.Late
	a.Duplicate, a.Strangers, a.FarLost = n.Duplicate, n.Strangers, n.FarLost
	a.JitterMS, a.FarJitterMS, a.RoundTripMS = ms(n.Jitter), ms(n.FarJitter), ms(n.RoundTrip)
	a.MOS, a.MOSIn, a.MOSOut = n.MOS, n.MOSIn, n.MOSOut
}

// ms is a duration in milliseconds, of which a thousandth is kept.
func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// measureLegs has the record say how the legs that talk are heard now: the caller's, and the one that the stage is about.
func (c *Call) measureLegs() {
	if l := c.legs[c.at.Leg]; l != nil {
		c.audioOf(l)
	}
	if c.caller != nil && c.legs[c.caller.ID()] != nil {
		c.audioOf(c.caller)
	}
	for i := range c.rec.Legs {
		a := &c.rec.Legs[i]
		if l := c.legs[a.leg]; l != nil && !a.over {
			c.measure(a, l)
		}
	}
}

// lastOf takes the figures of a leg that is not the call's any more, if the record has it.
func (c *Call) lastOf(l Leg) {
	i := slices.IndexFunc(c.rec.Legs, func(a LegAudio) bool { return a.leg == l.ID() && !a.over })
	if i < 0 {
		return
	}
	a := &c.rec.Legs[i]
	c.measure(a, l)
	a.over = true
	if e, ended := EndOf(l); ended {
		a.NoMedia = e.Why == CauseNoMedia
	}
}

// worstMOS is that of the leg that was heard worst; 0 when none is known.
func (r *Record) worstMOS() float64 {
	worst := 0.0
	for i := range r.Legs {
		if m := r.Legs[i].MOS; m > 0 && (worst == 0 || m < worst) {
			worst = m
		}
	}
	return worst
}
