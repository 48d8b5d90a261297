package call

import "time"

// GateLeg is the leg at an agent's phone, as the phone's edge knows it: at most one lives.
type GateLeg struct {
	// Dialog is the SIP Call-ID, Call the hotline's call (empty for a leg that came from no claim, such as a call that
	// the agent dialled).
	Dialog string    `json:"dialog"`
	Call   string    `json:"call,omitempty"`
	Owner  NodeID    `json:"owner,omitempty"`
	Token  Token     `json:"token,omitzero"`
	Since  time.Time `json:"since"`
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
