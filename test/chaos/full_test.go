//go:build proof

package chaos

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lastsVariable is how long the long run lasts; ten minutes where it is not set.
const lastsVariable = "HOTLINE_CHAOS_TIME"

// TestChaosInFull: ten minutes, with faults of up to 15 seconds, longer than any lease.
func TestChaosInFull(t *testing.T) {
	lasts := 10 * time.Minute
	if text := os.Getenv(lastsVariable); text != "" {
		var err error
		lasts, err = time.ParseDuration(text)
		require.NoError(t, err, lastsVariable)
	}
	testChaos(t, lasts, seedOf(t, 10), 2*time.Second, 15*time.Second)
}
