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
	w.slots = 4000 // more than strangers may have
	table := w.siege(30*time.Second, 5*time.Minute, 60*time.Millisecond)
	if path := os.Getenv("HOTLINE_PROOF"); path != "" {
		require.NoError(t, os.WriteFile(path, []byte(table), 0o600))
	}
}
