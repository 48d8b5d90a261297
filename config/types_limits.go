package config

import "time"

// QueueLimits are when a queue turns callers away, and where to. Each limit needs its destination.
type QueueLimits struct {
	// MaxWaiting is how many may wait, those included whose agent's phone rings; key `max_waiting`, to 10000, default
	// 0: any number. Who comes beyond goes to overflow.full.
	MaxWaiting int
	// MaxWait is how long one may wait before going to overflow.too_long; key `max_wait`, to 24h, default 0s: as long
	// as it takes.
	MaxWait time.Duration
	// MaxExpected is the longest wait to be expected, beyond which who comes goes to overflow.expected; key
	// `max_expected`, to 24h, default 0s: any.
	MaxExpected time.Duration
	// WhenEmpty is what becomes of callers while nobody is logged in who serves the queue; key `when_empty`, default
	// wait; turn sends them to overflow.empty.
	WhenEmpty WhenEmpty
	// Hours is the calendar outside which who comes goes to overflow.closed; who waits already is served. Key `hours`,
	// default none: always open.
	Hours string
	// Overflow is where callers go who are turned away; key `overflow`.
	Overflow map[Overflow]Destination
	// Rejoin is how long a caller who left while waiting may take the old place up again by calling from the same
	// number; key `rejoin`, 0s (not at all) to 1h, default 3m.
	Rejoin time.Duration
}

// WhenEmpty is what becomes of callers of a queue that nobody is logged in for.
type WhenEmpty string

// The choices.
const (
	EmptyWait WhenEmpty = "wait"
	EmptyTurn WhenEmpty = "turn"
)

// Overflow is why a queue turns a caller away, by its key under `overflow`.
type Overflow string

// The reasons.
const (
	OverflowFull     Overflow = "full"
	OverflowEmpty    Overflow = "empty"
	OverflowClosed   Overflow = "closed"
	OverflowTooLong  Overflow = "too_long"
	OverflowExpected Overflow = "expected"
)

// QueueWaiting is what a waiting caller hears besides WaitPrompt, and may press.
type QueueWaiting struct {
	// Music is a prompt's name; key `music`, default hold-music.
	Music string
	// Position is how the place in the queue is told; key `position`.
	Position Position
	// Prompts are said again and again; key `prompts`.
	Prompts []TimedPrompt
	// Keys are where a key leads that a waiting caller presses; key `keys`.
	Keys map[string]WaitKey
}

// Position is how a waiting caller is told the place, and the wait to be expected.
type Position struct {
	// Every is after how long it is told again, if it got better; key `every`, 5s to 1h, or 0s (never), default 30s,
	// for the alarm's queue 0s.
	Every time.Duration
	// Expected: the wait is told too, when it is known; key `expected`, default true.
	Expected bool
}

// TimedPrompt is a prompt that a waiting caller hears each time Every has passed.
type TimedPrompt struct {
	Prompt string        // a prompt's name
	Every  time.Duration // 5s to 1h
}

// WaitKey is where a waiting caller's key leads: to a destination, or to being called back.
type WaitKey struct {
	Destination
	// Callback: the caller is called back, and keeps the place.
	Callback bool
}
