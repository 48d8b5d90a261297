//go:build proof

package test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// keyBudget is what half of the keys must take less than, to the agent's INVITE (docs/design.md, section 7).
const keyBudget = 2 * time.Millisecond

// TestKeyToInviteInFull: 200 callers for each way to press a key, about four of them in at a time, with a binary without
// the race detector. The table goes to the file HOTLINE_PROOF, if set.
func TestKeyToInviteInFull(t *testing.T) {
	const calls = 200
	table := strings.Builder{}
	table.WriteString("| key by | to the agent's INVITE from | n | p50 | p90 | p99 | max |\n|---|---|---|---|---|---|---|\n")
	median := make(map[string]time.Duration)
	for _, by := range []struct{ name, how string }{{"RFC 4733", testkit.KeysByRTP}, {"SIP INFO", testkit.KeysByINFO}} {
		t.Run(by.name, func(t *testing.T) { // one after the other: they are measured
			keys := pressKeys(t, presser{calls: calls, agents: 12, every: 250 * time.Millisecond, stays: time.Second, by: by.how})
			require.Len(t, keys, calls)
			var begun, let []time.Duration
			for _, k := range keys {
				k.check(t)
				begun = append(begun, k.rung.Sub(k.key))
				if !k.end.IsZero() {
					let = append(let, k.rung.Sub(k.end))
				}
			}
			from := "the INFO"
			if by.how == testkit.KeysByRTP {
				from = "the event's first packet"
				require.Len(t, let, calls)
				defer line(&table, by.name, "the event's first end packet", let)
			}
			line(&table, by.name, from, begun)
			median[by.name] = percentile(begun, 0.50)
		})
	}
	t.Log("\n" + table.String())
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(table.String()), 0o600))
	}
	require.Len(t, median, 2)
	for name, m := range median {
		require.Less(t, m, keyBudget, "median by %s", name)
	}
}

// line adds figures to the table.
func line(table *strings.Builder, by, from string, d []time.Duration) {
	fmt.Fprintf(table, "| %s | %s | %d |", by, from, len(d))
	for _, p := range []float64{0.50, 0.90, 0.99, 1} {
		fmt.Fprintf(table, " %.2f ms |", percentile(d, p).Seconds()*1000)
	}
	table.WriteString("\n")
}

// percentile is the smallest figure that a part of all do not exceed (nearest rank).
func percentile(d []time.Duration, part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}
