//go:build proof

package sim

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

const (
	// The load: what four agents can just about serve.
	soakPerMinute = 30
	soakTalk      = 10 * time.Second
	soakPorts     = 190
	// warmUp makes everything that is made once and kept: connections of the database, of HTTP.
	warmUp = 15 * time.Second
	// What an idle process may have more of than it had when idle before. Memory is the heap's to
	// keep for a while: what it grows by is in the report, and bounded here against a leak.
	moreGoroutines, moreFiles, moreMemory = 3, 3, 32 << 20
)

// vitals are what a process uses.
type vitals struct{ goroutines, files, memory, active float64 }

// metric is the sum of a metric's samples in the text format.
func metric(text, name string) (sum float64) {
	line := regexp.MustCompile(`(?m)^` + name + `(?:\{[^}]*\})? (\S+)$`)
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		if v, err := strconv.ParseFloat(m[1], 64); err == nil {
			sum += v
		}
	}
	return sum
}

func look(h *testkit.Hotline) vitals {
	text := string(h.Get("/metrics"))
	return vitals{
		goroutines: metric(text, "go_goroutines"), files: metric(text, "process_open_fds"),
		memory: metric(text, "process_resident_memory_bytes"), active: metric(text, "hotline_calls_active"),
	}
}

// allAgents waits until every agent is in a state.
func allAgents(t *testing.T, h *testkit.Hotline, state string) {
	t.Helper()
	testkit.Within(t, 2*time.Minute, "all agents to be "+state, func() bool {
		for _, a := range h.Agents() {
			if a.State != state {
				return false
			}
		}
		return true
	})
}

// TestSoak: a hotline as people build it, called at random for HOTLINE_SOAK (10 m if not set). Afterwards
// it uses what it used before, every agent is ready, there is one finished record for each call, and
// every recording is whole. What was measured goes to the file HOTLINE_PROOF, if set.
func TestSoak(t *testing.T) {
	length := 10 * time.Minute
	if text := os.Getenv("HOTLINE_SOAK"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	h := testkit.StartHotline(t, testkit.HotlineOptions{MediaPorts: soakPorts})
	o := Options{
		Hotline: netip.MustParseAddrPort(h.SIP), Engine: newEngine(t, soakPorts), PerMinute: soakPerMinute,
		Talk: soakTalk, Patience: time.Minute, Pickup: 3 * time.Second, Miss: 0.03,
		Choices: []Choice{
			{Number: "96777", Key: '1', Weight: 6},
			{Number: "96777", Key: '2', Weight: 5},
			{Number: "96777", Key: '4', Weight: 3},
			{Number: "96777", Weight: 1},
			{Number: "96119", Weight: 1},
		},
		Agents: []Agent{{"8001", "one"}, {"8002", "two"}, {"8003", "three"}, {"8004", "four"}},
	}
	warm := crowd(t, h, o, warmUp)
	before := look(h)
	begun := time.Now()
	report := []string{"| minute | calls in progress | goroutines | files | memory, MiB |", "|---|---|---|---|---|"}
	note := func(name string, v vitals) {
		report = append(report, fmt.Sprintf("| %s | %.0f | %.0f | %.0f | %.1f |", name, v.active, v.goroutines, v.files, v.memory/(1<<20)))
	}
	note("before", before)
	seen := crowd(t, h, o, length, func() { note(fmt.Sprintf("%.1f", time.Since(begun).Minutes()), look(h)) })
	after := look(h)
	note("after", after)
	report = append(report, "", fmt.Sprintf("Calls: %d dialled, %d answered, %d talked to their end, %d gave up, %d not let in, "+
		"%d cut off; offers missed: %d.", seen.Dialled, seen.Answered, seen.Talked, seen.GaveUp, seen.Refused, seen.Lost, seen.Missed))
	results, recorded := count(t, h)
	report = append(report, "", fmt.Sprintf("Records, those of %d calls before the first line included: %s. %d recordings, every one whole.",
		warm.Dialled, results, recorded))
	publish(t, report)

	require.LessOrEqual(t, after.goroutines, before.goroutines+moreGoroutines)
	require.LessOrEqual(t, after.files, before.files+moreFiles)
	require.LessOrEqual(t, after.memory, before.memory+moreMemory)
	require.Zero(t, after.active)
	require.Zero(t, seen.Refused)
	require.Zero(t, seen.Lost)
	require.Len(t, records(t, h), int(warm.Dialled+seen.Dialled), "one record for each call")
}

// crowd has people call for a time, and go. In the end the agents were all ready and have gone too, so
// that the hotline is idle. While they call it makes the observations.
func crowd(t *testing.T, h *testkit.Hotline, o Options, d time.Duration, observe ...func()) Figures {
	t.Helper()
	o.For = d
	w, leave := live(t, o)
	tick := time.NewTicker(max(d/10, time.Second))
	defer tick.Stop()
	deadline := time.NewTimer(d + 5*time.Minute)
	defer deadline.Stop()
	coming := time.NewTimer(d)
	defer coming.Stop()
	for over := false; !over || w.Figures().Calling > 0; {
		select {
		case <-coming.C:
			over = true
			tick.Reset(time.Second) // now it matters when the last has gone
			observe = nil
		case <-tick.C:
			for _, f := range observe {
				f()
			}
		case <-deadline.C:
			require.FailNow(t, "callers are left", "%+v", w.Figures())
		}
	}
	allAgents(t, h, "ready")
	f := w.Figures()
	leave()
	allAgents(t, h, "offline")
	return f
}

// records are all there are.
func records(t *testing.T, h *testkit.Hotline) (all []testkit.Record) {
	t.Helper()
	for next := ""; ; {
		var page struct {
			Calls []testkit.Record `json:"calls"`
			Next  string           `json:"next"`
		}
		require.NoError(t, json.Unmarshal(h.Get("/api/v1/calls?limit=200&before="+next), &page))
		all = append(all, page.Calls...)
		if next = page.Next; next == "" {
			return all
		}
	}
}

// count holds records and recordings against each other.
func count(t *testing.T, h *testkit.Hotline) (results string, recorded int) {
	t.Helper()
	by := map[string]int{}
	named := map[string]bool{}
	for _, r := range records(t, h) {
		require.NotNil(t, r.Ended, r.ID)
		by[r.Result+" ("+r.Reason+")"]++
		if r.Recording != "" {
			named[r.Recording] = true
		}
	}
	root := filepath.Join(h.Data, "recordings")
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		require.NoError(t, err)
		require.True(t, named[filepath.ToSlash(name)], "a recording of no record: %s", name)
		testkit.ReadWAV(t, path)
		recorded++
		return nil
	}))
	require.Len(t, named, recorded)
	for _, how := range slices.Sorted(maps.Keys(by)) {
		results += fmt.Sprintf("%s %d, ", how, by[how])
	}
	return strings.TrimSuffix(results, ", "), recorded
}

// publish writes the report where it is wanted, and into the test's log.
func publish(t *testing.T, report []string) {
	t.Helper()
	text := strings.Join(report, "\n") + "\n"
	t.Log("\n" + text)
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}
