package config

import "time"

// QueueSurvey is how callers of a queue are asked how the service was.
type QueueSurvey struct {
	// Survey is the menu that a caller goes to whom the agent hands over to it; key `survey`, default none.
	Survey string
	// SurveyAfterHangup: an agent who hangs up does so; key `survey_after_hangup`, default false.
	SurveyAfterHangup bool
}

// Callback is how callers are called back who asked for it while they waited; key `callback`. A number is called only
// if the trunk asserted it and `dial` allows it.
type Callback struct {
	Tries  int           // how often a number is called; key `tries`, 1 to 10, default 3
	Every  time.Duration // between two tries; key `every`, 10s to 12h, default 5m
	Ring   time.Duration // how long it may ring; key `ring`, 5s to 2m, default 30s
	PerDay int           // how many one number may ask for in a day; key `per_day`, 1 to 100, default 3
	Open   int           // how many are open in all; key `open`, 1 to 10000, default 200
}
