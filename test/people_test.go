package test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// Frequencies that telephones send, in hertz, each its own: whoever hears one knows whose it is.
const (
	callerTone = 440
	agentTone  = 1000
)

// city is the hotline of most tests: the reference hotline with rings of half a second and little
// patience, so that what happens after three rings happens soon.
const city = `
trunks:
  - name: city
    allow: [127.0.0.0/8]
    numbers: {"96777": {menu: main}, "96119": {queue: gas-alarm}, "96110": {queue: repair}}
agents:
  - {id: "8001", password: one, skills: {consult: 5}}
  - {id: "8002", password: two, skills: {repair: 5}}
  - {id: "8003", password: three, skills: {gas-alarm: 5, repair: 3}}
  - {id: "8004", password: four, skills: {gas-alarm: 5}}
queues:
  consult:   {priority: 10}
  repair:    {priority: 20, wrap_up: 0s, after_no_answer: 1s, after_reject: 1s, after_busy: 1s, unreachable: 1s}
  gas-alarm: {priority: 100, strategy: ring-all, wait_prompt: gas-safety, wrap_up: 0s}
menus:
  main: {prompt: welcome, wait: 2s, tries: 2, keys: {"1": {queue: consult}, "2": {queue: repair}}, otherwise: {queue: consult}}
targets:
  ring: {on: 200ms, off: 300ms}
`

// passwords of the agents.
var passwords = map[string]string{"8001": "one", "8002": "two", "8003": "three", "8004": "four"}

// agent is a registered softphone that the hotline holds for ready.
func agent(t *testing.T, h *testkit.Hotline, id string, o testkit.BaresipOptions) *testkit.Baresip {
	t.Helper()
	o.User, o.Password, o.Registrar, o.Register = id, passwords[id], h.SIP, true
	if o.Tone == 0 {
		o.Tone = agentTone
	}
	b := testkit.StartBaresip(t, o)
	h.AwaitAgent(id, "ready")
	return b
}

// caller is a telephone in the city.
func caller(t *testing.T, o testkit.BaresipOptions) *testkit.Baresip {
	t.Helper()
	if o.User == "" {
		o.User = "13900001234"
	}
	o.Tone = callerTone
	return testkit.StartBaresip(t, o)
}

// over waits until the only call is over, and nobody's phone rings or is reserved any more.
func over(t *testing.T, h *testkit.Hotline) testkit.Record {
	t.Helper()
	r := h.AwaitCall("finished", testkit.Finished)
	require.Len(t, h.Calls(), 1)
	testkit.Within(t, testkit.Patience, "all agents to be free", func() bool {
		return !slices.ContainsFunc(h.Agents(), func(a testkit.Agent) bool {
			return a.State == "ringing" || a.State == "talking"
		})
	})
	return r
}

// slowRings is city with the rings of the country: five seconds.
var slowRings = strings.Replace(city, "{on: 200ms, off: 300ms}", "{on: 1s, off: 4s}", 1)
