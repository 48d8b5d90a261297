package config

// Webhook is a program that is told what can still be acted on (docs/webhooks.md).
type Webhook struct {
	// Name is a label of metrics and of a file; key `name`, default hook1, hook2, … by its place in the list.
	Name string
	// URL is https, or http on this machine. It may hold a token, so it is a secret too.
	URL Secret
	// Secret signs what is sent; never empty.
	Secret Secret
	// Events are the kinds that are told; empty means all.
	Events []EventKind
	// FullNumbers: callers' numbers are sent as they are; key `numbers`, masked (default) or full.
	FullNumbers bool
}

// EventKind is a kind of what can still be acted on, by its name in the file.
type EventKind string

// EventKinds are all of them. A test of cmd/hotline holds them against call.EventKinds.
func EventKinds() []EventKind {
	return []EventKind{
		"ring-half", "ring-broken", "talk-half", "talk-broken", "hold-long", "wait-long", "alarm", "alarm-step",
		"overflow", "agent-paused", "callback-lost",
	}
}
