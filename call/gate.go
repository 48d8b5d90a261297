package call

import (
	"maps"
	"slices"
	"time"
)

// GateLeg is a leg at an agent's phone, as the phone's edge knows it: of those that came by a claim at most one lives.
type GateLeg struct {
	// Agent is whose phone it is.
	Agent string `json:"agent,omitempty"`
	// Dialog is the SIP Call-ID, Call the hotline's call (empty for a leg that came from no claim, such as a call that
	// the agent dialled).
	Dialog string    `json:"dialog"`
	Call   string    `json:"call,omitempty"`
	Owner  NodeID    `json:"owner,omitempty"`
	Token  Token     `json:"token,omitzero"`
	Since  time.Time `json:"since"`
	// Edge is the node through which the leg goes, where it is another than who tells of it: its owner.
	Edge NodeID `json:"edge,omitempty"`
	// Rung and Answered are when the first 18x and the 2xx passed; zero while they have not.
	Rung     time.Time `json:"rung,omitzero"`
	Answered time.Time `json:"answered,omitzero"`
}

// GatePast is what an edge's gate knows of a phone: what the phone's next edge must know before it admits an INVITE.
type GatePast struct {
	Agent string `json:"agent"`
	// Highest is the highest token that was seen; zero: none.
	Highest Token `json:"highest,omitzero"`
	// Leg lives, if it is not nil.
	Leg *GateLeg `json:"leg,omitempty"`
}

// GateVerdict is what a gate says of an INVITE.
type GateVerdict string

// The verdicts. But for GateOpen nothing was rung, and the claim's token will never be admitted any more.
const (
	GateOpen  GateVerdict = "open"  // it may leave now, and until its deadline
	GateGone  GateVerdict = "gone"  // the phone has registered at another edge
	GateHeld  GateVerdict = "held"  // the phone is new here, and what its edges before know was not yet told
	GateLate  GateVerdict = "late"  // the claim's deadline is over
	GateStale GateVerdict = "stale" // a token as high, or higher, was seen
	GateBusy  GateVerdict = "busy"  // a leg lives at the phone
)

// Gate is the last word on which INVITE reaches one agent's phone (docs/cluster.md), kept by the phone's edge. It is a
// state machine without a clock or a lock: who calls it hands in the instant, and calls it in the same step in which the
// INVITE leaves. Its zero value is the gate of a phone that was never anywhere: open.
//
//	state  | the phone…                             | admits                       | left by
//	open   | is here, and no leg lives              | a token above the highest    | Admit, Dialled, Hold, Yield
//	busy   | rings, or talks, through here          | the same ring, tried anew    | Over
//	talks  | is in a call that it dialled           | nothing                      | Over
//	seeded | rings, or talks, through another edge  | nothing                      | Free, Adopt
//	held   | has come, from an edge unknown         | nothing                      | Seed, Yield
//	gone   | is at another edge                     | nothing                      | Hold
//
// Busy, talks and seeded may hold beside each other, and go on while the gate is held or gone. The highest token only
// rises; what was refused once is never admitted.
type Gate struct {
	highest Token
	issued  Token // by Next
	leg     *GateLeg
	far     bool               // the leg goes through another edge
	dialled map[string]GateLeg // the phone's own calls, by Call-ID
	held    bool
	gone    bool
	ring    string // dialog whose INVITE was admitted with the highest token; empty when none was
	seq     uint32 // CSeq of that INVITE
}

// Highest is the highest token that was seen; zero: none.
func (g *Gate) Highest() Token { return g.highest }

// Leg is the leg that lives by a claim, nil when there is none. Who has it does not change it.
func (g *Gate) Leg() *GateLeg { return g.leg }

// Admit decides on an INVITE with a claim, of which leg tells the dialog, the call, the owner and the token, and seq is
// the CSeq. until is the instant from which on it must not reach the phone. When it may leave, its leg lives from now
// until [Gate.Over]. A ring that the phone refused for its form (RFC 3261 section 8.1.3.5), tried anew in the
// same dialog with a greater CSeq, is the same ring, as long as no other was seen.
func (g *Gate) Admit(leg GateLeg, seq uint32, until, now time.Time) GateVerdict {
	again := leg.Token == g.highest && g.ring != "" && leg.Dialog == g.ring && seq > g.seq
	v := g.judge(leg, again, until, now)
	if v != GateOpen {
		g.see(leg.Token)
		return v
	}
	if g.leg == nil { // else it is the same ring's
		leg.Since, leg.Rung, leg.Answered = now, time.Time{}, time.Time{}
		g.leg, g.far = &leg, false
	}
	g.highest, g.ring, g.seq = leg.Token, leg.Dialog, seq
	return GateOpen
}

func (g *Gate) judge(leg GateLeg, again bool, until, now time.Time) GateVerdict {
	switch {
	case g.gone:
		return GateGone
	case g.held:
		return GateHeld
	case !now.Before(until):
		return GateLate
	case leg.Token.Compare(g.highest) <= 0 && !again:
		return GateStale
	case len(g.dialled) > 0:
		return GateBusy
	case g.leg != nil && (g.far || !again || g.leg.Dialog != leg.Dialog || !g.leg.Answered.IsZero()):
		return GateBusy
	}
	return GateOpen
}

// see notes a token that is not admitted.
func (g *Gate) see(t Token) {
	if t.Compare(g.highest) > 0 {
		g.highest, g.ring = t, ""
	}
}

// Rung and Answered note the first 18x and the 2xx of a leg that lives here. They report whether it was the first.
func (g *Gate) Rung(dialog string, now time.Time) bool {
	if g.leg == nil || g.far || g.leg.Dialog != dialog || !g.leg.Rung.IsZero() {
		return false
	}
	leg := *g.leg
	leg.Rung = now
	g.leg = &leg
	return true
}

// Answered is explained at [Gate.Rung].
func (g *Gate) Answered(dialog string, now time.Time) bool {
	if g.leg == nil || g.far || g.leg.Dialog != dialog || !g.leg.Answered.IsZero() {
		return false
	}
	leg := *g.leg
	leg.Answered = now
	g.leg = &leg
	return true
}

// Dialled enters a call that the phone made itself, until [Gate.Over].
func (g *Gate) Dialled(leg GateLeg) {
	if g.dialled == nil {
		g.dialled = make(map[string]GateLeg)
	}
	g.dialled[leg.Dialog] = leg
}

// Adopt enters a leg that talks by a claim, and goes through here from now on, until [Gate.Over]: the edge that it went through
// is dead, and its owner has sent something to the phone by way of this one. Another leg that lives keeps living beside it.
func (g *Gate) Adopt(leg GateLeg) {
	g.see(leg.Token)
	if g.leg != nil && g.leg.Dialog != leg.Dialog {
		g.Dialled(leg)
		return
	}
	g.leg, g.far = &leg, false
}

// Over ends the leg of a dialog that goes through here: the phone's final answer that is no 2xx, or the end of its
// dialog, has passed or has timed out; or nothing was sent. It reports whether there was one.
func (g *Gate) Over(dialog string) bool {
	if _, own := g.dialled[dialog]; own {
		delete(g.dialled, dialog)
		return true
	}
	if g.leg == nil || g.far || g.leg.Dialog != dialog {
		return false
	}
	g.leg = nil
	return true
}

// Hold closes the gate of a phone that has come, until [Gate.Seed].
func (g *Gate) Hold() { g.held, g.gone = true, false }

// Held tells whether the gate waits for Seed.
func (g *Gate) Held() bool { return g.held }

// Seed takes what the phone's edges before know, and opens a gate that is held. A leg that they say lives keeps it closed
// until [Gate.Free], unless it is one that goes through here. Of a gate that is not held nothing but the highest token
// changes.
func (g *Gate) Seed(past GatePast) {
	g.see(past.Highest)
	if !g.held {
		return
	}
	g.held = false
	if past.Leg == nil || g.leg != nil {
		return
	}
	if _, own := g.dialled[past.Leg.Dialog]; own {
		return
	}
	leg := *past.Leg
	g.leg, g.far = &leg, true
	g.see(leg.Token)
}

// Free ends a leg that Seed brought. It reports whether there was one.
func (g *Gate) Free(dialog string) bool {
	if g.leg == nil || !g.far || g.leg.Dialog != dialog {
		return false
	}
	g.leg = nil
	return true
}

// Next hands out a token that is greater than least and than all seen and handed out before: for when nobody else does.
// False: an INVITE with it would not be admitted.
func (g *Gate) Next(least Token) (Token, bool) {
	if g.gone || g.held || g.leg != nil || len(g.dialled) > 0 {
		return Token{}, false
	}
	t := least
	for _, x := range []Token{g.highest, g.issued} {
		if x.Compare(t) > 0 {
			t = x
		}
	}
	t.N++
	g.issued = t
	return t, true
}

// Refuse has a token, and all before it, never be admitted any more. free: no leg of a claim lives, so that the phone
// is certainly free of the claim.
func (g *Gate) Refuse(t Token) (free bool) {
	if g.see(t); t == g.highest {
		g.ring = ""
	}
	return g.leg == nil
}

// Yield closes the gate of a phone that has registered at another edge. What it returns is final but for the leg, which
// goes on through here.
func (g *Gate) Yield(agent string) GatePast {
	g.gone, g.held = true, false
	return g.Past(agent)
}

// Past is what the phone's next edge must know. A leg that the phone dialled, the last, is told where none lives by a
// claim.
func (g *Gate) Past(agent string) GatePast {
	p := GatePast{Agent: agent, Highest: g.highest}
	for _, leg := range g.dialled {
		if p.Leg == nil || leg.Since.After(p.Leg.Since) {
			p.Leg = &leg
		}
	}
	if g.leg != nil {
		leg := *g.leg
		p.Leg = &leg
	}
	return p
}

// Legs are the legs that go through here, by a claim and dialled, in no order.
func (g *Gate) Legs() []GateLeg {
	out := slices.Collect(maps.Values(g.dialled))
	if g.leg != nil && !g.far {
		out = append(out, *g.leg)
	}
	return out
}

// Dialling is how many calls of the phone's own live.
func (g *Gate) Dialling() int { return len(g.dialled) }
