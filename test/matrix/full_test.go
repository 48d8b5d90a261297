//go:build proof

package matrix

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rfcT1 is the default of RFC 3261 section 17.1.1.1.
const rfcT1 = 500 * time.Millisecond

// TestLossMatrixInFull: every cell, with the timers of RFC 3261. The table goes to the file HOTLINE_PROOF,
// if set.
func TestLossMatrixInFull(t *testing.T) {
	columns := []column{first, firstTwo, everySecond, twice, late, swapped}
	began := time.Now()
	var plans []plan
	var all []row
	for _, p := range parts {
		plans = append(plans, plan{p.rows, columns}, plan{p.traffic, columns[2:]})
		all = append(append(all, p.rows...), p.traffic...)
	}
	report(t, all, columns, playAll(t, rfcT1, plans), time.Since(began))
}

// report writes the table: a line for each row, what became of each column.
func report(t *testing.T, rows []row, columns []column, results map[string]map[string]string, took time.Duration) {
	t.Helper()
	path := os.Getenv("HOTLINE_PROOF")
	if path == "" {
		return
	}
	var b strings.Builder
	ok, wrong := 0, 0
	b.WriteString("| call | side | way | message |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n|---|---|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, r := range rows {
		way, kind := string(r.way), string(r.kind)
		if way == "" {
			way, kind = "both", "everything"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |", r.scenario.name, r.side, way, kind)
		for _, c := range columns {
			problem, played := results[r.String()][c.name]
			switch {
			case !played:
				b.WriteString(" |")
			case problem == "":
				b.WriteString(" ok |")
				ok++
			default:
				fmt.Fprintf(&b, " **%s** |", strings.ReplaceAll(problem, "|", "/"))
				wrong++
			}
		}
		b.WriteString("\n")
	}
	summary := fmt.Sprintf("%d cells of %d went well, with T1 = %s, in %.0f s.\n\n", ok, ok+wrong, rfcT1, took.Seconds())
	require.NoError(t, os.WriteFile(path, []byte(summary+b.String()), 0o600))
}
