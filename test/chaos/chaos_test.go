package chaos

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rate is how many callers call in a second.
const rate = 20.0

// settle is how long calls come before the first fault, and calm for how long they do after the last.
const (
	settle = 4 * time.Second
	calm   = 12 * time.Second
)

// TestOneNode: the phones, the callers and the judge against a node alone that nothing happens to.
func TestOneNode(t *testing.T) {
	w := newTown(t, 1, 1)
	w.ready()
	begun := time.Now()
	stop := make(chan struct{})
	var calling sync.WaitGroup
	calling.Go(func() { w.load(rate, stop) })
	time.Sleep(settle + calm)
	close(stop)
	calling.Wait()
	e := w.evidence(nil, span{begun, time.Now()})
	e.Alone = true
	report(t, e)
	held(t, e)
}

// held fails the test by what the judge finds.
func held(t *testing.T, e *evidence) {
	t.Helper()
	found := judge(e)
	for i, v := range found {
		if i == 40 {
			t.Logf("and %d more", len(found)-i)
			break
		}
		t.Error(v)
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
