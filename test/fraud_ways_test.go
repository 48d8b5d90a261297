package test

import (
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// wayOut is one way in which the hotline comes to call a number outside.
type wayOut struct {
	name   string
	number string
	by     string // the agent whom the audit names
	named  bool   // the number stands in the file
	// run goes that way, and reports whether it led where the condition has it; before is how many calls the carrier had.
	run func(s *street, w wayOut, before int) bool
}

// waysOut are all but the callback, in which nobody is on the line: see callsBack.
var waysOut = []wayOut{
	{name: "an agent dials", number: "13900000010", by: "8002", run: (*street).agentDials},
	{name: "an agent transfers", number: "13900000011", by: "8002", run: (*street).agentTransfers},
	{name: "a key while waiting", number: "13900000001", named: true, run: (*street).waitersKey},
	{name: "a queue overflows", number: "13900000002", named: true, run: (*street).overflows},
	{name: "a menu's key", number: "13900000003", named: true, run: (*street).menusKey},
	{name: "a menu that dials", number: "13900000004", named: true, run: (*street).menuDials},
	{name: "the duty list", number: "13900000005", named: true, run: (*street).dutyCalled},
}

// free waits until agent 8002 is.
func (s *street) free() { s.t.Helper(); s.h.AwaitAgent("8002", "ready") }

// hangUp hangs a call up, if it is not over.
func hangUp(c *testkit.PhoneCall) {
	c.Hangup()
	c.Await(testkit.Over)
}

func (s *street) agentDials(w wayOut, before int) bool {
	c := s.agent.Call(w.number)
	as := s.became(w, before)
	if as && s.outcome != "answered" {
		c.Await(testkit.Over)
		require.Equal(s.t, strconv.Itoa(s.status), c.Ended())
	} else {
		c.Await(testkit.Talking)
		hangUp(c)
	}
	s.free()
	return as
}

// agentTransfers has an agent hand a caller on, who may not do that for themselves.
func (s *street) agentTransfers(w wayOut, before int) bool {
	c := s.dial("13900001234", "96110")
	rung := s.agent.AwaitCall(s.served...)
	s.served = append(s.served, rung)
	rung.Answer()
	talkWith(s.t, s.h, "8002", 0)
	c.Refer(w.number, nil)
	require.Equal(s.t, 403, c.AwaitReferred(), "a caller who transfers")
	rung.Refer(w.number, nil)
	as := s.became(w, before)
	if as && s.outcome != "answered" {
		require.Equal(s.t, s.status, rung.AwaitTransfer())
		talkWith(s.t, s.h, "8002", 0)
	} else {
		require.Equal(s.t, 200, rung.AwaitTransfer())
	}
	hangUp(c)
	s.free()
	return as
}

func (s *street) waitersKey(w wayOut, before int) bool {
	c := s.dial("13900001234", "96140")
	c.Await(testkit.Talking) // music, for now
	s.h.AwaitWaiting("later", 1)
	c.Press('2')
	as := s.became(w, before)
	if as && s.outcome != "answered" {
		s.h.AwaitWaiting("later", 1) // the old place
	}
	hangUp(c)
	s.h.AwaitWaiting("later", 0)
	return as
}

func (s *street) overflows(w wayOut, before int) bool {
	c := s.dial("13900001234", "96120")
	as := s.became(w, before)
	if as && s.outcome != "answered" {
		s.h.AwaitWaiting("night", 1) // the place is kept
	} else {
		c.Await(testkit.Talking)
	}
	hangUp(c)
	s.h.AwaitWaiting("night", 0)
	return as
}

func (s *street) menusKey(w wayOut, before int) bool {
	c := s.dial("13900001234", "96777")
	c.Await(testkit.Talking)
	c.Press('2')
	as := s.became(w, before)
	hangUp(c)
	return as
}

func (s *street) menuDials(w wayOut, before int) bool {
	c := s.dial("13900001234", "96130")
	as := s.became(w, before)
	if as && s.outcome != "answered" {
		c.Await(testkit.Over) // there is nowhere else to go
		return as
	}
	c.Await(testkit.Talking)
	hangUp(c)
	return as
}

func (s *street) dutyCalled(w wayOut, before int) bool {
	c := s.dial("13900001234", "96119")
	as := s.became(w, before)
	hangUp(c)
	s.h.AwaitWaiting("gas-alarm", 0)
	return as
}

// callsBack asks for a callback by key, and has an agent who serves the queue take it. Where no rule allows the caller's
// number none can be had; outside a rule's hours no agent is troubled.
func (s *street) callsBack() {
	s.t.Helper()
	if s.dialNothing() {
		return
	}
	w := wayOut{name: "a callback", number: "13900000006", by: "8003"}
	c := s.dial(w.number, "96140")
	c.Await(testkit.Talking)
	s.h.AwaitWaiting("later", 1)
	c.Press('1')
	if !s.callbacks {
		s.refusesCallback()
		hangUp(c)
		return
	}
	s.h.AwaitWaiting("later", 0)
	c.Press('1')
	c.Await(testkit.Over)
	require.InDelta(s.t, 1, s.h.Metric(`hotline_callbacks_total{outcome="booked"}`), 0)
	if !s.called {
		return
	}
	s.h.AwaitWaiting("later", 1)
	before := len(s.exchange.Invites())
	other := s.phone("8003", "three")
	other.Register()
	rung := other.AwaitCall()
	rung.Answer()
	as := s.became(w, before)
	if s.outcome != "answered" && as {
		rung.Await(testkit.Over) // the agent is told
		return
	}
	if !as {
		require.Greater(s.t, time.Since(s.spent), time.Minute, "%s: the bound was passed", w.name)
	}
	hangUp(rung)
}

// dialNothing reports whether there is no rule at all, with which the file can have no callbacks.
func (s *street) dialNothing() bool { return strings.HasPrefix(s.rules, "[]") }

// refusesCallback waits until a caller was told that there is no callback, and has the place of before.
func (s *street) refusesCallback() {
	s.t.Helper()
	testkit.Within(s.t, testkit.Patience, "a callback to be refused", func() bool {
		return strings.Contains(string(s.h.Get("/metrics")), `hotline_callbacks_total{outcome="refused"} 1`)
	})
	s.h.AwaitWaiting("later", 1)
	require.Empty(s.t, s.exchange.Invites())
}
