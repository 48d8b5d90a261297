package matrix

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// lanes are more than cells run at once, so that one in which a cell went wrong can be left alone.
const lanes = 2 * atOnce

// Where phones are, as the hotline sees them: callers behind its trunk, agents in the office.
const (
	city   = "127.0.0.2:0"
	office = "127.0.0.1:0"
)

// lane is what a cell has of the hotline for itself: a number that rings its agent, and one that rings the
// agent's colleague.
type lane struct {
	number, other    string
	queue, side      string
	agent, colleague string
	// outside is a number that agents may call, and carrier where its trunk takes the call.
	outside, carrier string
}

// town is the hotline of all cells.
type town struct {
	h    *testkit.Hotline
	t1   time.Duration
	free chan lane
	// goroutines of the hotline before all calls.
	goroutines float64

	mu     sync.Mutex
	asked  time.Time
	calls  []testkit.Record
	agents []testkit.Agent
	seen   int // calls that cells made
	seeds  uint64
}

// lookEvery is how old what the API said may be: cells ask often, and all at once.
const lookEvery = 50 * time.Millisecond

func openTown(t *testing.T, t1 time.Duration) *town {
	t.Helper()
	w := &town{t1: t1, free: make(chan lane, lanes)}
	var numbers, agents, queues, trunks, dial strings.Builder
	port := testkit.FreePorts(t, 1)
	for i := range lanes {
		l := lane{
			number: fmt.Sprintf("70%02d", i), other: fmt.Sprintf("71%02d", i),
			queue: fmt.Sprintf("lane%d", i), side: fmt.Sprintf("side%d", i),
			agent: fmt.Sprintf("10%02d", i), colleague: fmt.Sprintf("20%02d", i),
			outside: fmt.Sprintf("80%02d555", i), carrier: fmt.Sprintf("127.0.1.%d:%d", i+1, port),
		}
		w.free <- l
		fmt.Fprintf(&numbers, "      %q: {queue: %s}\n      %q: {queue: %s}\n", l.number, l.queue, l.other, l.side)
		fmt.Fprintf(&agents, "  - {id: %q, password: secret%s, skills: {%s: 5}}\n", l.agent, l.agent, l.queue)
		fmt.Fprintf(&agents, "  - {id: %q, password: secret%s, skills: {%s: 5}}\n", l.colleague, l.colleague, l.side)
		fmt.Fprintf(&trunks, "  - {name: out%d, allow: [127.0.1.%d/32], numbers: {%q: {queue: %s}}, address: \"udp://%s\"}\n",
			i, i+1, l.number, l.queue, l.carrier)
		fmt.Fprintf(&dial, "  - {prefix: \"80%02d\", through: out%d, per_minute: 6000, at_once: 1000}\n", i, i)
		for _, queue := range []string{l.queue, l.side} {
			fmt.Fprintf(&queues, "  %s: {priority: 10, wrap_up: 0s, after_no_answer: 1s, after_reject: 1s, "+
				"after_busy: 1s, unreachable: 1s}\n", queue)
		}
	}
	yaml := fmt.Sprintf(`trunks:
  - name: city
    allow: [127.0.0.2/32]
    numbers:
%s%sagents:
%squeues:
%sdial:
%sprompts: {folder: %s}
`, &numbers, &trunks, &agents, &queues, &dial, shortPrompts(t))
	w.h = testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: yaml, Race: true, Ping: "10m", MediaPorts: 190, NoRest: true, T1: t1,
		TryingAtOnce: true, // so that there is a 100 to be lost
	})
	w.goroutines = w.metric(t, "go_goroutines")
	return w
}

// shortPrompts is a folder of what is said before people are joined, each a moment long.
func shortPrompts(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "zh"), 0o755))
	names := []string{"recorded", "agent-number-before", "agent-number-after"}
	for digit := range 10 {
		names = append(names, fmt.Sprintf("digit-%d", digit))
	}
	for _, name := range names {
		testkit.WriteTone(t, filepath.Join(folder, "zh", name+".wav"), 0, 0.04)
	}
	return folder
}

// look asks the API what there is, unless it was asked a moment ago.
func (w *town) look(tb testing.TB) {
	tb.Helper()
	if time.Since(w.asked) < lookEvery {
		return
	}
	var page struct{ Calls []testkit.Record }
	// As many as the API gives at once: the calls of the longest cells began long before those of most others.
	require.NoError(tb, json.Unmarshal(w.h.Get("/api/v1/calls?limit=1000"), &page))
	w.calls, w.agents, w.asked = page.Calls, w.h.Agents(), time.Now()
}

// records are the calls of a number, as they were a moment ago.
func (w *town) records(tb testing.TB, from string) []testkit.Record {
	tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look(tb)
	var found []testkit.Record
	for _, r := range w.calls {
		if r.From == from {
			found = append(found, r)
		}
	}
	return found
}

// state is what an agent does.
func (w *town) state(tb testing.TB, agent string) string {
	tb.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look(tb)
	i := slices.IndexFunc(w.agents, func(a testkit.Agent) bool { return a.ID == agent })
	require.GreaterOrEqual(tb, i, 0)
	return w.agents[i].State
}

// caller is a telephone number that nobody had before.
func (w *town) caller() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen++
	return fmt.Sprintf("139%08d", w.seen)
}

// seed is another one each time, and the same in every run.
func (w *town) seed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seeds++
	return w.seeds
}
