package matrix

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

const (
	toHotline = testkit.ToHotline
	toPhone   = testkit.ToPhone
)

// part is what is played together.
type part struct {
	// long cells are in the full matrix alone.
	long bool
	// rows are the kinds of messages; in those of traffic the whole of a side is hit, once for each call.
	rows, traffic []row
}

// parts are all there is.
var parts = []part{
	{rows: callRows, traffic: callTraffic},
	{rows: reliableRows, traffic: reliableTraffic},
	{rows: transferRows, traffic: transferTraffic},
	{rows: outsideRows, traffic: outsideTraffic},
	{long: true, rows: refreshRows, traffic: refreshTraffic},
}

// callRows are the kinds of messages and where each passes. What cannot pass is not in the table: callers are
// not called, but by numbers outside; a phone sends no CANCEL of what it did not ask for.
var callRows = []row{
	{callerHangsUp, caller, toHotline, "INVITE"},
	{callerHangsUp, caller, toPhone, "100 INVITE"},
	{callerHangsUp, caller, toPhone, "180 INVITE"},
	{callerHangsUp, caller, toPhone, "200 INVITE"},
	{callerHangsUp, caller, toHotline, "ACK"},
	{callerHangsUp, caller, toHotline, "BYE"},
	{callerHangsUp, caller, toPhone, "200 BYE"},
	{callerHangsUp, agent, toPhone, "INVITE"},
	{callerHangsUp, agent, toHotline, "100 INVITE"},
	{callerHangsUp, agent, toHotline, "180 INVITE"},
	{callerHangsUp, agent, toHotline, "200 INVITE"},
	{callerHangsUp, agent, toPhone, "ACK"},
	{callerHangsUp, agent, toPhone, "BYE"},
	{callerHangsUp, agent, toHotline, "200 BYE"},
	{agentHangsUp, agent, toHotline, "BYE"},
	{agentHangsUp, agent, toPhone, "200 BYE"},
	{agentHangsUp, caller, toPhone, "BYE"},
	{agentHangsUp, caller, toHotline, "200 BYE"},
	{callerCancels, caller, toHotline, "CANCEL"},
	{callerCancels, caller, toPhone, "200 CANCEL"},
	{callerCancels, caller, toPhone, "487 INVITE"},
	{callerCancels, caller, toHotline, "ACK"},
	{callerCancels, agent, toPhone, "CANCEL"},
	{callerCancels, agent, toHotline, "200 CANCEL"},
	{callerCancels, agent, toHotline, "487 INVITE"},
	{callerCancels, agent, toPhone, "ACK"},
	{agentHolds, agent, toHotline, "re-INVITE"},
	{agentHolds, agent, toPhone, "200 re-INVITE"},
	{agentHolds, agent, toHotline, "ACK re-INVITE"},
	{callerHolds, caller, toHotline, "re-INVITE"},
	{callerHolds, caller, toPhone, "200 re-INVITE"},
	{callerHolds, caller, toHotline, "ACK re-INVITE"},
	{agentCalls, agent, toHotline, "INVITE"},
	{agentCalls, agent, toPhone, "401 INVITE"},
	{agentCalls, agent, toPhone, "100 INVITE"},
	{agentCalls, agent, toPhone, "180 INVITE"},
	{agentCalls, agent, toPhone, "200 INVITE"},
	{agentCalls, agent, toHotline, "ACK"},
	{agentCancels, agent, toHotline, "CANCEL"},
	{agentCancels, agent, toPhone, "200 CANCEL"},
	{agentCancels, agent, toPhone, "487 INVITE"},
}

var callTraffic = []row{
	{callerHangsUp, caller, "", ""},
	{callerHangsUp, agent, "", ""},
	{agentHangsUp, caller, "", ""},
	{agentHangsUp, agent, "", ""},
	{callerCancels, caller, "", ""},
	{callerCancels, agent, "", ""},
	{agentHolds, agent, "", ""},
	{callerHolds, caller, "", ""},
	{agentCalls, agent, "", ""},
	{agentCancels, agent, "", ""},
}

// The columns.
var (
	first       = column{"first", func(*town) testkit.Rule { return testkit.Rule{Drop: testkit.First(1)} }}
	firstTwo    = column{"first two", func(*town) testkit.Rule { return testkit.Rule{Drop: testkit.First(2)} }}
	everySecond = column{"every second", func(*town) testkit.Rule { return testkit.Rule{Drop: testkit.EverySecond} }}
	twice       = column{"twice", func(*town) testkit.Rule { return testkit.Rule{Twice: true} }}
	late        = column{"late", func(w *town) testkit.Rule { return testkit.Rule{Delay: upTo(2*w.t1, w.seed())} }}
	swapped     = column{"swapped", func(w *town) testkit.Rule { return testkit.Rule{Swap: true, Hold: 2 * w.t1} }}
)

// upTo is a random delay, the same ones for the same seed.
func upTo(most time.Duration, seed uint64) func() time.Duration {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // repeatable, not secret
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.Int64N(int64(most)))
	}
}

// plan is which cells there are.
type plan struct {
	rows    []row
	columns []column
}

// playAll plays all cells of plans in one town, and returns what went wrong in each: by row, then by column.
func playAll(t *testing.T, t1 time.Duration, plans []plan) map[string]map[string]string {
	t.Helper()
	w := openTown(t, t1)
	var mu sync.Mutex
	results := make(map[string]map[string]string)
	t.Run("cells", func(t *testing.T) {
		for _, p := range plans {
			for _, r := range p.rows {
				results[r.String()] = make(map[string]string)
				for _, c := range p.columns {
					rule := c.rule(w)
					t.Run(r.String()+", "+c.name, func(t *testing.T) {
						t.Parallel()
						run(t, w, r, c, rule, func(wrong string) {
							mu.Lock()
							defer mu.Unlock()
							results[r.String()][c.name] = wrong
						})
					})
				}
			}
		}
	})
	if !t.Failed() { // what went wrong may have left a call behind, and has been told
		w.quiet(t)
	}
	return results
}

// moreGoroutines is what the hotline may have after all calls that it did not have before.
const moreGoroutines = 5

// quiet wants nothing left of all the calls: none goes on, nothing was contained, and nothing waits for
// what will not come.
func (w *town) quiet(t *testing.T) {
	t.Helper()
	testkit.Within(t, testkit.Patience+64*w.t1, "the hotline's goroutines to end", func() bool {
		return w.metric(t, "go_goroutines") <= w.goroutines+moreGoroutines
	})
	require.Zero(t, w.metric(t, "hotline_calls_active"))
	require.Zero(t, w.metric(t, "hotline_panics_total"))
}

// metric is the sum of a metric's samples.
func (w *town) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(string(w.h.Get("/metrics"))) {
		f := strings.Fields(line)
		if named, _, _ := strings.Cut(line, "{"); len(f) < 2 || f[0] != name && named != name {
			continue
		}
		value, err := strconv.ParseFloat(f[len(f)-1], 64)
		require.NoError(t, err, line)
		sum += value
	}
	return sum
}

// scaled is T1 in the reduced matrix. After 64·T1, 3.2 s, a request is given up: no shorter than a busy
// machine may stand still.
const scaled = 50 * time.Millisecond

// TestLossMatrix is the reduced matrix, with timers scaled: every kind of message, and every second of the
// whole of a side's traffic.
func TestLossMatrix(t *testing.T) {
	var plans []plan
	for _, p := range parts {
		if !p.long {
			plans = append(plans, plan{p.rows, []column{first, firstTwo}},
				plan{p.traffic, []column{everySecond, twice, late, swapped}})
		}
	}
	playAll(t, scaled, plans)
}
