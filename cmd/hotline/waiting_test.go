package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
)

// TestSafetyAdviceWhileWaiting: with the reference configuration, who waits for the alarm desk hears the safety advice
// at once, and again after each piece of music; the answer cuts it short in its instant. By the number of its own as by
// the menu's key.
func TestSafetyAdviceWhileWaiting(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(h *house) *calltest.Leg{
		"by the menu": func(h *house) *calltest.Leg {
			c := h.calls("13900000001", call.Next{Kind: call.Menu, Menu: "main"})
			c.Stream().Press('3')
			synctest.Wait()
			return c
		},
		"by its number": func(h *house) *calltest.Leg {
			c := h.calls("13900000001", call.Next{Kind: call.Wait, Queue: "gas-alarm"})
			h.at(5 * time.Second) // one ring
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, reference(t))
				c := ask(h)
				begun := time.Since(h.start)
				advice, music := h.lasts("gas-safety"), h.lasts("hold-music")
				hears := func(at time.Duration, want string) {
					t.Helper()
					h.at(begun + at)
					require.Equal(t, want, c.Stream().Playing())
				}
				require.Equal(t, "gas-safety", c.Stream().Playing(), "at once")
				hears(advice-time.Millisecond, "gas-safety")
				hears(advice, "hold-music")
				hears(advice+music, "gas-safety")
				hears(2*advice+music, "hold-music")
				hears(2*(advice+music)+time.Second, "gas-safety")
				h.center.Flow("8003", true)
				synctest.Wait()
				require.Equal(t, "gas-safety", c.Stream().Playing(), "while the agent's phone rings")
				answered := time.Now()
				h.answers()
				require.Equal(t, "agent-number-before", c.Stream().Playing(), "the advice goes on")
				require.Equal(t, answered, time.Now())
			})
		})
	}
}

// TestTimedAdvice: where a queue says so, its callers hear the advice at its time amid the music, and an answer cuts
// that short too.
func TestTimedAdvice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, strings.Replace(reference(t), "repair:    {priority: 20,",
			"repair:    {prompts: [{prompt: gas-safety, every: 30s}], position: {every: 0s}, priority: 20,", 1))
		c := h.calls("13900000001", call.Next{Kind: call.Menu, Menu: "main"})
		c.Stream().Press('2')
		synctest.Wait()
		begun := time.Since(h.start)
		for range 2 {
			before := time.Since(h.start) - begun
			h.at(begun + before.Truncate(30*time.Second) + 30*time.Second - time.Millisecond)
			require.NotEqual(t, "gas-safety", c.Stream().Playing())
			h.at(begun + before.Truncate(30*time.Second) + 30*time.Second)
			require.Equal(t, "gas-safety", c.Stream().Playing())
			h.at(time.Since(h.start) + time.Second)
		}
		h.center.Flow("8002", true)
		synctest.Wait()
		h.answers()
		require.Equal(t, "agent-number-before", c.Stream().Playing())
	})
}

// outside is a queue with a limit that sends its callers to a number outside: which limit, and its key under overflow.
const outside = `
trunks: [{name: city, allow: [127.0.0.0/8], address: "udp://127.0.0.1:5090", numbers: {"96777": {menu: main}}}]
dial: [{prefix: "1390000", through: city, per_minute: 60, at_once: 10}]
calendar: {days: {week: {mon-fri: [09:00-17:00]}}}
agents: [{id: "8001", name: Wang, password: one, skills: {consult: 5}}]
menus: {main: {prompt: welcome, keys: {"1": {queue: consult}}, otherwise: {queue: consult}}}
queues: {consult: {wrap_up: 0s, whisper: false, %s, overflow: {%s: {dial: "13900001234"}}}}
`

// limit is one for whose sake a queue turns callers away.
type limit struct {
	key, overflow string
	before        func(h *house) // what makes the queue so; nil: it is
	after         time.Duration  // how long its caller waits
}

var limits = map[call.Overflow]limit{
	call.QueueFull:    {key: "max_waiting: 1", overflow: "full", before: func(h *house) { h.consults("13800000001") }},
	call.QueueEmpty:   {key: "when_empty: turn", overflow: "empty"},
	call.QueueClosed:  {key: "hours: days", overflow: "closed"}, // simulated time begins on a Saturday
	call.QueueTooLong: {key: "max_wait: 20s", overflow: "too_long", after: 20 * time.Second},
	call.QueueExpected: {key: "max_expected: 30s", overflow: "expected", before: func(h *house) {
		h.center.Flow("8001", true)
		first := h.consults("13800000001")
		h.answers()
		h.at(time.Minute)
		first.End(call.Far, call.CauseBye) // a talk of a minute, and the next begins
		synctest.Wait()
		h.consults("13800000002")
		h.answers()
	}},
}

// consults has somebody call, and choose the queue.
func (h *house) consults(from string) *calltest.Leg {
	h.t.Helper()
	c := h.calls(from, call.Next{Kind: call.Menu, Menu: "main"})
	c.Stream().Press('1')
	synctest.Wait()
	return c
}

// TestEveryLimitLeadsOut: for whatever reason a queue turns a caller away, there is a number outside to send them to:
// they talk to who answers there, and are given back to the queue, which keeps them, where nobody does.
func TestEveryLimitLeadsOut(t *testing.T) {
	t.Parallel()
	for reason, l := range limits {
		for how, answers := range map[string]bool{"answered": true, "unanswered": false} {
			t.Run(string(reason)+" "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { l.leadsOut(t, reason, answers) })
			})
		}
	}
}

func (l limit) leadsOut(t *testing.T, reason call.Overflow, answers bool) {
	t.Helper()
	h := newHouse(t, fmt.Sprintf(outside, l.key, l.overflow))
	if l.before != nil {
		l.before(h)
	}
	const number = "13800000009"
	c, entered := h.consults(number), time.Since(h.start)
	if l.after > 0 {
		h.at(entered + l.after - time.Millisecond)
		require.Empty(t, h.dialer.Asked())
		h.at(entered + l.after)
	}
	require.Len(t, h.dialer.Asked(), 1)
	require.Equal(t, "13900001234", h.dialer.Asked()[0].Number)
	record := func() call.Record {
		for _, live := range h.x.Live() {
			if live.Record.From == number {
				return live.Record
			}
		}
		t.Fatal("the caller was dropped")
		return call.Record{}
	}
	require.Equal(t, reason, record().Visits[0].Overflow)
	h.at(entered + l.after + 3*time.Second)
	if answers {
		require.True(t, h.dialer.Answer(calltest.NewLeg("outside")))
		h.at(entered + l.after + 10*time.Second)
		r := record()
		require.Equal(t, "13900001234", r.Talks[0].Number)
		require.NotNil(t, r.Joined)
		require.Equal(t, reason, r.Visits[0].Overflow)
		return
	}
	require.True(t, h.dialer.Fail(call.CauseNoAnswer))
	synctest.Wait()
	require.Equal(t, "number-unreached", c.Stream().Playing())
	h.at(entered + l.after + 5*time.Minute)
	r := record()
	require.Len(t, r.Visits, 1)
	require.Equal(t, call.Visit{Queue: "consult", Entered: r.Visits[0].Entered}, r.Visits[0], "the stay goes on")
	require.Equal(t, entered, r.Visits[0].Entered.Sub(h.start))
	require.Len(t, h.dialer.Asked(), 1, "once")
}

// TestPlaceLeftOutsideIsKept: who hangs up while the number rings to which the queue led, and calls again, has the old
// place in the queue.
func TestPlaceLeftOutsideIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, fmt.Sprintf(outside, "max_wait: 20s", "too_long"))
		const number = "13800000009"
		c := h.consults(number)
		entered := time.Now()
		h.at(time.Since(h.start) + 25*time.Second)
		require.Len(t, h.dialer.Asked(), 1)
		c.End(call.Far, call.CauseBye)
		synctest.Wait()
		require.Empty(t, h.x.Live())
		again := h.consults(number)
		live := h.x.Live()
		require.Len(t, live, 1)
		again.End(call.Far, call.CauseBye)
		synctest.Wait()
		r, err := h.store.Get(t.Context(), live[0].Record.ID)
		require.NoError(t, err)
		v := r.Visits[0]
		require.True(t, v.Rejoined)
		require.WithinDuration(t, entered, *v.Since, 0)
	})
}
