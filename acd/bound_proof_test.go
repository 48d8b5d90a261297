//go:build proof

package acd

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAlarmBoundInFull tries more than TestAlarmBound. What it tried goes to the file HOTLINE_PROOF, if set.
func TestAlarmBoundInFull(t *testing.T) {
	left := budget{acts: 3, seconds: 5}
	e, bad, err := exploreAll(nil, left)
	require.NoError(t, err, "%v", bad)
	line := fmt.Sprintf("%d schedules of at most %d acts and %d seconds from %d beginnings, %d states: every rule held.\n",
		e.runs, left.acts, left.seconds, len(beginnings), len(e.seen))
	t.Log(line)
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(line), 0o600))
	}
}
