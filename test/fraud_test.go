package test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// town is a hotline with every way out that there is: EXCHANGE is the carrier's port, and DIAL what `dial` is. WRITTEN stands
// where the file itself names a number outside, which it may only where `dial` allows that.
const town = `
service: {timezone: UTC}
trunks:
  - name: city
    allow: [127.0.0.0/8]
    numbers: {"96777": {menu: main}, "96110": {queue: repair}, "96119": {queue: gas-alarm}, "96120": {queue: night}, "96130": {menu: outside}, "96140": {queue: later}}
    address: udp://127.0.0.1:EXCHANGE
    from: "96777"
dial: DIAL
agents:
  - {id: "8002", password: two, skills: {repair: 5}}
  - {id: "8003", password: three, skills: {later: 5}}
  - {id: "8004", password: four, role: supervisor}
  - {id: "8005", password: five, skills: {night: 5, gas-alarm: 5}}
queues:
  repair:    {priority: 20, wrap_up: 0s}
  later:     {priority: 10, wrap_up: 0s, keys: {CALLBACK"2": {WRITTEN1}}}
  night:     {priority: 10, when_empty: turn, overflow: {empty: {WRITTEN2}}}
  gas-alarm: {priority: 100, strategy: ring-all, wrap_up: 0s}
menus:
  main: {prompt: welcome, wait: 1m, tries: 2, keys: {"2": {WRITTEN3}, "3": {menu: outside}}, otherwise: {queue: repair}}
  outside: {WRITTEN4}
targets: {ring: {on: 200ms, off: 300ms}}
alarm: {queue: gas-alarm, steps: {` + soonSteps + `}WRITTEN5}
`

// soonSteps are an alarm's, so that the duty list is called as soon as there is an alarm.
const soonSteps = "all_skilled: 200ms, everyone: 400ms, duty: 600ms"

// callbackKey is CALLBACK, where something may be called at all: else the file may not have it.
const callbackKey = `"1": {callback: true}, `

// outsideWays are what stands for WRITTEN, first where a number is named, and then where none may be.
var outsideWays = [][2]string{
	{`dial: "13900000001"`, `queue: repair`},
	{`dial: "13900000002"`, `queue: repair`},
	{`dial: "13900000003"`, `queue: repair`},
	{`kind: dial, number: "13900000004"`, `kind: hangup`},
	{`, duty: ["13900000005"]`, ``},
}

// condition is one way in which `dial` allows something, or nothing.
type condition struct {
	rules   string // `dial`
	outcome string // of each try; what the metric and the audit say
	trunk   string // likewise
	status  int    // that an agent's phone hears, of its INVITE or its REFER
	// named: the file names numbers outside, which the rules allow; callbacks can be asked for, and are made.
	named, callbacks, called bool
	// spend takes what a bound lets through. It returns when, of a bound that grows back.
	spend func(s *street) time.Time
}

// conditions: nothing may be called, other numbers, shorter ones, at another time, fewer, or what is tried.
func conditions() map[string]condition {
	away := func(h int) string { return time.Now().UTC().Add(time.Duration(h) * time.Hour).Format("15:04") }
	return map[string]condition{
		"no rule":       {rules: `[]`, outcome: "no-rule", status: 404},
		"another rule":  {rules: `[{prefix: "138", through: city}]`, outcome: "no-rule", status: 404},
		"longer number": {rules: `[{prefix: "139", digits: 8-10, through: city}]`, outcome: "no-rule", status: 404},
		"other hours": {
			rules:   fmt.Sprintf(`[{prefix: "139", through: city, hours: "%s-%s"}]`, away(11), away(13)),
			outcome: "hours", trunk: "city", status: 403, named: true, callbacks: true,
		},
		"too many a minute": {
			rules:   `[{prefix: "139", through: city, per_minute: 1}]`,
			outcome: "per-minute", trunk: "city", status: 403, named: true, callbacks: true, called: true,
			spend: func(s *street) time.Time {
				at := time.Now()
				s.hold().Hangup()
				return at
			},
		},
		"too many at once": {
			rules:   `[{prefix: "139", through: city, at_once: 1}]`,
			outcome: "at-once", trunk: "city", status: 403, named: true, callbacks: true, called: true,
			spend: func(s *street) time.Time { s.hold(); return time.Time{} },
		},
		"may be": {
			rules:   `[{prefix: "139", digits: 11, through: city, per_minute: 100, at_once: 20}]`,
			outcome: "answered", trunk: "city", named: true, callbacks: true, called: true,
		},
	}
}

// street is what one condition is tried with.
type street struct {
	t        *testing.T
	h        *testkit.Hotline
	exchange *testkit.Exchange
	agent    *testkit.Phone // 8002's
	condition
	served   []*testkit.PhoneCall // by agent 8002
	tried    int                  // numbers outside, as the audit is to have them
	answered int                  // of these, which the carrier is to have had
	spent    time.Time            // when what a bound lets through was last taken
}

func newStreet(t *testing.T, c condition) *street {
	t.Helper()
	s := &street{t: t, exchange: testkit.StartExchange(t), condition: c}
	yaml := strings.NewReplacer("EXCHANGE", strconv.Itoa(s.exchange.Port), "DIAL", c.rules).Replace(town)
	for i, way := range outsideWays {
		text := way[1]
		if c.named {
			text = way[0]
		}
		yaml = strings.Replace(yaml, "WRITTEN"+strconv.Itoa(i+1), text, 1)
	}
	callback := ""
	if c.rules != "[]" {
		callback = callbackKey
	}
	s.h = testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: strings.Replace(yaml, "CALLBACK", callback, 1), Race: true, Ping: "10m", MediaTimeout: "10m",
	})
	s.agent = s.phone("8002", "two")
	s.agent.Register()
	s.h.AwaitAgent("8002", "ready")
	return s
}

func (s *street) phone(user, password string) *testkit.Phone {
	s.t.Helper()
	return testkit.StartPhone(s.t, testkit.PhoneOptions{User: user, Password: password, Hotline: s.h.SIP})
}

// dial has somebody in the town call a number of the hotline's.
func (s *street) dial(from, number string) *testkit.PhoneCall {
	s.t.Helper()
	return s.phone(from, "").Call(number)
}

// hold has an agent call a number outside, who answers.
func (s *street) hold() *testkit.PhoneCall {
	s.t.Helper()
	p := s.phone("8004", "four")
	p.Register()
	n := len(s.exchange.Invites())
	c := p.Call("13900000009")
	s.exchange.Await(n + 1)
	c.Await(testkit.Talking)
	s.audited("13900000009", "8004", "answered")
	return c
}

// audits are the lines that were written of numbers outside.
func (s *street) audits() (lines []map[string]any) {
	s.t.Helper()
	for line := range strings.Lines(s.h.Log()) {
		if !strings.Contains(line, "number outside dialled") {
			continue
		}
		var fields map[string]any
		require.NoError(s.t, json.Unmarshal([]byte(line), &fields))
		lines = append(lines, fields)
	}
	return lines
}

// audited waits until one more try is in the log and in the metric, and returns what became of it: outcome, or any other.
func (s *street) audited(number, agent, outcome string) string {
	s.t.Helper()
	s.tried++
	var lines []map[string]any
	testkit.Within(s.t, testkit.Patience, "a line of the audit for "+number, func() bool {
		lines = s.audits()
		return len(lines) >= s.tried
	})
	require.Len(s.t, lines, s.tried)
	last := lines[s.tried-1]
	got, ok := last["outcome"].(string)
	require.True(s.t, ok)
	if got == "answered" {
		s.answered++
	}
	require.Equal(s.t, number[:3]+"******"+number[9:], last["number"])
	require.Equal(s.t, agent, last["agent"])
	if got == outcome && outcome != "answered" {
		require.Equal(s.t, s.trunk, last["trunk"])
	}
	n := 0
	for _, l := range lines {
		if l["outcome"] == got && l["trunk"] == last["trunk"] {
			n++
		}
	}
	series := fmt.Sprintf(`hotline_dial_total{outcome="%s",trunk="%s"}`, got, last["trunk"])
	testkit.Within(s.t, testkit.Patience, series, func() bool {
		return strings.Contains(string(s.h.Get("/metrics")), fmt.Sprintf("%s %d\n", series, n))
	})
	return got
}

// TestTollFraud: each way out of the hotline against each thing that `dial` may say of it: what leaves to the carrier, what
// the phone that asked is told, what the metric and the audit have.
func TestTollFraud(t *testing.T) {
	t.Parallel()
	for name, c := range conditions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStreet(t, c)
			if c.spend != nil {
				s.spent = c.spend(s)
			}
			for _, w := range waysOut {
				if w.named && !c.named {
					continue // there is no such file: see TestTollFraudAfterReload
				}
				s.tries(w)
			}
			s.callsBack()
			s.finished()
		})
	}
}

// finished ends the hotline, so that nothing more can leave it, and requires that the carrier was called as often as the audit
// has it, and nobody's number is in the log.
func (s *street) finished() {
	s.t.Helper()
	s.h.Signal(syscall.SIGTERM)
	testkit.Within(s.t, testkit.Patience, "it to say that it drains", func() bool { return !s.h.Ready() })
	s.h.Signal(syscall.SIGTERM)
	require.Zero(s.t, s.h.ExitCode())
	require.Len(s.t, s.audits(), s.tried, "tries of numbers outside")
	require.Len(s.t, s.exchange.All(), s.answered, "calls at the carrier")
	for _, number := range []string{"13900000001", "13900000002", "13900000003", "13900000004", "13900000005", "13900000009", "13900000010", "13900000011"} {
		require.NotContains(s.t, s.h.Log(), number)
	}
}

// tries goes one way out. What a bound lets through that grows back in a minute is no fault, on a machine that takes that long.
func (s *street) tries(w wayOut) {
	s.t.Helper()
	for {
		before := len(s.exchange.Invites())
		if w.run(s, w, before) {
			return
		}
		require.Len(s.t, s.exchange.Invites(), before+1)
		require.Greater(s.t, time.Since(s.spent), time.Minute, "%s: the bound was passed", w.name)
		s.spent = time.Now()
	}
}

// became waits for what became of a try, and reports whether it is as the condition has it.
func (s *street) became(w wayOut, before int) bool {
	s.t.Helper()
	got := s.audited(w.number, w.by, s.outcome)
	if got == "answered" {
		require.Equal(s.t, w.number, testkit.Number(s.exchange.Await(before+1)))
	}
	if got != s.outcome {
		require.Equal(s.t, []string{"per-minute", "answered"}, []string{s.outcome, got}, w.name)
		return false
	}
	if got != "answered" {
		require.Len(s.t, s.exchange.Invites(), before, w.name)
	}
	return true
}
