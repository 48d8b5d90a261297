package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rate is how many callers call in a second.
const rate = 20.0

// settle is how long calls come before the first fault, calm for how long they do after the last, and quiet how long
// nothing happens between two: phones register again, nodes join again.
const (
	settle = 4 * time.Second
	calm   = 12 * time.Second
	quiet  = 5 * time.Second
	// mourned is how long the agents who talked by way of a killed node are kept from other calls, at most: nobody else knows
	// whether their phones have noticed. That is a lease, a minute, and what is under way.
	mourned = 70 * time.Second
)

// TestOneNode: the phones, the callers and the judge against a node alone that nothing happens to.
func TestOneNode(t *testing.T) {
	w := newTown(t, 1, 1)
	e := w.live(func() { time.Sleep(settle) })
	e.Alone = true
	report(t, e)
	held(t, e)
}

// TestThreeNodes: three nodes that nothing happens to.
func TestThreeNodes(t *testing.T) {
	w := newTown(t, 3, 2)
	e := w.live(func() { time.Sleep(settle) })
	report(t, e)
	held(t, e)
	for i := range w.nodes {
		require.True(t, slices.ContainsFunc(e.Legs, func(l leg) bool { return l.Owner == i && l.Edge != i && !l.Answered.IsZero() }),
			"calls of node %d with agents of others", i)
	}
}

// TestChaos: a minute, in which each kind of fault comes once at least.
func TestChaos(t *testing.T) { testChaos(t, time.Minute, seedOf(t, 6), 2*time.Second, 7*time.Second) }

// seedVariable has another plan of faults than the usual one, for a second look at what a run has shown.
const seedVariable = "HOTLINE_CHAOS"

func seedOf(t *testing.T, usual uint64) uint64 {
	t.Helper()
	if text := os.Getenv(seedVariable); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, seedVariable)
		usual = seed
	}
	t.Logf("the plan of %s=%d", seedVariable, usual)
	return usual
}

// testChaos makes faults for a time, and until each kind has been, one after another with quiet times between.
func testChaos(t *testing.T, lasts time.Duration, seed uint64, least, most time.Duration) {
	t.Helper()
	w := newTown(t, 3, seed)
	p := &plan{random: rand.New(rand.NewPCG(seed, 8)), nodes: len(w.nodes), kinds: allFaults, least: least, most: most}
	e := w.live(func() {
		for i := 0; i < len(allFaults) || time.Since(w.begun) < lasts; i++ {
			w.faults = append(w.faults, w.make(p.next()))
			time.Sleep(quiet)
		}
	})
	report(t, e)
	held(t, e)
}

// live has callers call while something happens, and for a calm time after, and returns what was seen.
func (w *town) live(happens func()) *evidence {
	w.t.Helper()
	w.ready()
	w.begun = time.Now()
	stop := make(chan struct{})
	var calling sync.WaitGroup
	calling.Go(func() { w.load(rate, stop) })
	time.Sleep(settle)
	happens()
	for _, f := range w.faults {
		if f.Kind == faultKill {
			time.Sleep(time.Until(f.From.Add(mourned)))
		}
	}
	still := time.Now()
	time.Sleep(calm)
	close(stop)
	calling.Wait()
	e := w.evidence(w.faults, span{still, time.Now()})
	w.keep(e)
	return e
}

// keepVariable names a folder in which a run leaves what it has seen, and what the nodes have said, for a second look.
const keepVariable = "HOTLINE_CHAOS_KEEP"

// keep writes a run down.
func (w *town) keep(e *evidence) {
	w.t.Helper()
	folder := os.Getenv(keepVariable)
	if folder == "" {
		return
	}
	text, err := json.MarshalIndent(e, "", " ")
	require.NoError(w.t, err)
	require.NoError(w.t, os.MkdirAll(folder, 0o700))
	require.NoError(w.t, os.WriteFile(filepath.Join(folder, "evidence.json"), text, 0o600))
	for i, n := range w.nodes {
		said := strings.Join(append(n.said, n.Log()), "")
		for name, text := range map[string][]byte{
			"log": []byte(said), "agents.json": n.Get("/api/v1/agents"), "queues.json": n.Get("/api/v1/queues"), "metrics": n.Get("/metrics"),
		} {
			require.NoError(w.t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("node-%d.%s", i, name)), text, 0o600))
		}
	}
}

// held fails the test by what the judge finds, a few of each rule.
func held(t *testing.T, e *evidence) {
	t.Helper()
	const told = 8
	of := make(map[rule]int)
	for _, v := range judge(e) {
		if of[v.Rule]++; of[v.Rule] <= told {
			t.Error(v)
		}
	}
	for r, n := range of {
		if n > told {
			t.Logf("%s: %d in all", r, n)
		}
	}
}

// report tells what came of a run, and makes sure that there was one.
func report(t *testing.T, e *evidence) {
	t.Helper()
	talked, alarms, answered, longest := 0, 0, 0, time.Duration(0)
	hows := make(map[string]int)
	for _, a := range e.Attempts {
		hows["caller: "+a.How]++
		if !a.Talked.IsZero() {
			talked++
		}
		if a.Dialled == e.Alarm {
			alarms++
		}
		for _, g := range a.Gaps {
			longest = max(longest, g.length())
		}
	}
	for _, l := range e.Legs {
		hows["agent: "+l.How]++
		if !l.Answered.IsZero() {
			answered++
		}
	}
	rejoined := 0
	for _, r := range e.Rows {
		if r.Rejoined {
			rejoined++
		}
	}
	t.Logf("%d calls (%d alarms), %d reached an agent; %d offers, %d answered; %d records, %d with an old place; longest silence %s; this process stood still %d times",
		len(e.Attempts), alarms, talked, len(e.Legs), answered, len(e.Rows), rejoined, longest.Round(time.Millisecond), len(e.Stalls))
	var lines []string
	for how, n := range hows {
		lines = append(lines, fmt.Sprintf("%5d %s", n, how))
	}
	slices.Sort(lines)
	for _, l := range lines {
		t.Log(l)
	}
	require.Greater(t, talked, len(e.Attempts)/20, "callers who talk")
	require.Positive(t, alarms)
}
