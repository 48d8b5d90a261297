package config

import "time"

// Codes are what agents' phones dial: a * or #, then 1 to 6 digits; "" is off. None may begin with another.
type Codes struct {
	Login   string // key `login`, default *11; the digits of a queue may follow
	Logout  string // key `logout`, default *12; likewise
	Pause   string // key `pause`, default *21; the digits of a reason may follow
	Ready   string // key `ready`, default *22
	WrapUp  string // key `wrap_up`, default *31; followed by a code of the queue's
	Extend  string // key `extend`, default *32: the wrap-up again
	End     string // key `end`, default *33: of the wrap-up
	Survey  string // key `survey`, default *9: the caller is handed over to it
	Listen  string // key `listen`, default *41: a supervisor hears the talk of the agent whose id follows
	Reasons map[string]string
}

// All are the codes that are not off.
func (c Codes) All() []string {
	var all []string
	for _, code := range []string{c.Login, c.Logout, c.Pause, c.Ready, c.WrapUp, c.Extend, c.End, c.Survey, c.Listen} {
		if code != "" {
			all = append(all, code)
		}
	}
	return all
}

// Shifts is what a queue wants of its agents' shifts.
type Shifts struct {
	// WrapUpMax bounds a wrap-up that an agent makes longer, from the end of the talk; key `wrap_up_max`, 0s to 8h,
	// default 10m.
	WrapUpMax time.Duration
	// Codes are what an agent may say of a talk, and what each means; key `codes`, 1 to 8 digits each.
	Codes map[string]string
	// Digits name the queue after a phone's code; key `digits`, 1 to 8 of them, default none.
	Digits string
	// AutoPause is after how many offers in a row left unanswered an agent is paused; key `auto_pause`, 0 (never)
	// to 100, default 0.
	AutoPause int
	// LastAgent is what those get who call again; key `last_agent`.
	LastAgent LastAgent
}

// LastAgent has who calls again wait for the agent of last time.
type LastAgent struct {
	Within time.Duration // key `within`, since that talk: 0s (off) to 30d, default 0s
	Wait   time.Duration // key `wait`, while that agent is not ready: 0s to 10m, default 0s
}
