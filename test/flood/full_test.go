//go:build linux && proof

package flood

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestFloodInFull: each attack for 30 seconds, with the limits of overload as they come. The table goes to the file
// HOTLINE_PROOF, if set.
func TestFloodInFull(t *testing.T) {
	testkit.Require(t, "svmap", "svwar", "svcrack")
	w := openTown(t, "{}")
	require.True(t, w.foreign.IsValid(), "strangers of IPv6 are part of it: it takes root, and a machine on which root may add routes")
	w.slots = 4000      // more than strangers may have
	w.scanPace = 35_000 // so that a million hosts are behind it
	table := w.siege(fullAttack(t), bounds{gap: 60 * time.Millisecond, setUp: resentAfter}, true)
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(table), 0o600))
	}
}

// lastsVariable is how long each attack lasts; 30 seconds where it is not set.
const lastsVariable = "HOTLINE_FLOOD_TIME"

func fullAttack(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(lastsVariable)
	if text == "" {
		return 30 * time.Second
	}
	lasts, err := time.ParseDuration(text)
	require.NoError(t, err, lastsVariable)
	return lasts
}
