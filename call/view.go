package call

import "time"

// QueueView is a queue as people watching see it. Package acd makes it, package web shows it.
type QueueView struct {
	Name          string  `json:"name"`
	Strategy      string  `json:"strategy"`
	Priority      int     `json:"priority"`
	Waiting       int     `json:"waiting"`
	LongestWait   float64 `json:"longest_wait_seconds"`
	AgentsReady   int     `json:"agents_ready"`
	AgentsServing int     `json:"agents_serving"` // registered, with the skill and logged in
	Offering      int     `json:"offering"`
}

// AgentState is derived from live facts; the closed set is a metric's label.
type AgentState string

// The states, in the order in which facts decide: no flow, a live leg, an open offer, wrap-up,
// logged out of every queue served, pause, else ready.
const (
	AgentOffline   AgentState = "offline"
	AgentTalking   AgentState = "talking"
	AgentRinging   AgentState = "ringing"
	AgentWrapUp    AgentState = "wrap-up"
	AgentLoggedOut AgentState = "logged-out"
	AgentPaused    AgentState = "paused"
	AgentReady     AgentState = "ready"
)

// AgentView is an agent as people watching see it.
type AgentView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Supervisor: it is the phone of one who hears talks, and gets no calls of queues.
	Supervisor bool           `json:"supervisor"`
	State      AgentState     `json:"state"`
	Since      time.Time      `json:"since"`
	Skills     map[string]int `json:"skills"`
	Call       string         `json:"call,omitempty"` // the call talked to or rung for
	Calls      int            `json:"calls"`          // answered since the start
	// Shift is what the agent chose: a pause, with its reason and since when, and the queues logged out of.
	Shift Shift `json:"shift"`
	// Queues are those the agent serves and is logged in to, in the order of the configuration.
	Queues []string `json:"queues"`
	// WrapUpUntil is when the wrap-up going on ends; nil while there is none.
	WrapUpUntil *time.Time `json:"wrap_up_until"`
	Today       Day        `json:"today"`
	// LastCode is what the agent said last of a talk; empty while nothing was since the start.
	LastCode string `json:"last_code,omitempty"`
	// Edge is the node of the site at which the agent's phone is registered, and Owner the one whose call the phone rings or
	// talks for; empty where that is the node asked, or there is none. Orphan: that node is dead, and the agent is kept
	// until it is certain that the phone is free.
	Edge   NodeID `json:"edge,omitempty"`
	Owner  NodeID `json:"owner,omitempty"`
	Orphan bool   `json:"orphan,omitempty"`
}

// Live is one call in progress, as people watching see it.
type Live struct {
	Record Record `json:"record"`
	At     Kind   `json:"at"`
	// Held: the agent has put the caller on hold.
	Held bool `json:"held"`
}
