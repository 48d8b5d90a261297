package config

import "time"

// Alarm is what is done for gas alarms: they go before all other calls.
type Alarm struct {
	// Queue is where they wait; key `alarm.queue`, default the queue gas-alarm, if there is one. Empty: none is.
	Queue string
	// Key leads to Queue from every prompt of every menu, and while waiting elsewhere; key `alarm.key`, default *.
	// Empty: there is none.
	Key string
	// Steps are what is done for an alarm that nobody answers, by how long it has waited; key `alarm.steps`.
	Steps AlarmSteps
	// Duty are numbers outside, called at the last step as far as `dial` allows; key `alarm.duty`, at most 20.
	Duty []string
	// Reserve is how many of SIP.MaxCalls are held back for numbers that lead to Queue; key `alarm.reserve`, from 0
	// to the half of sip.max_calls, default 4 or that half; 0 where there is no Queue.
	Reserve int
}

// AlarmSteps are when each step begins, after the alarm entered the queue; 0s to 10m each, none before the one
// above it.
type AlarmSteps struct {
	Skilled    time.Duration // free agents with the skill; key `skilled`, default 0s
	AllSkilled time.Duration // all with the skill who do not talk; key `all_skilled`, default 5s
	Everyone   time.Duration // every agent who does not talk; key `everyone`, default 10s
	Duty       time.Duration // the duty list; key `duty`, default 20s
}
