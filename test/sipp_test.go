package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestSippOwnScenarios: the scenarios that sipp has built in, which nobody here has written: its caller, its caller
// that reads our answer with regular expressions, and its telephone as an agent.
func TestSippOwnScenarios(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m", MediaPorts: 180})
	finished := 0
	for _, scenario := range []string{"uac", "regexp"} {
		t.Run(scenario, func(t *testing.T) {
			const calls = 20
			c := testkit.StartOwnCaller(t, scenario, "96777", h.SIP, calls, 10, 100*time.Millisecond)
			require.Zero(t, c.Wait(), c.Messages())
			finished += calls
			for _, r := range h.AwaitCalls(finished, "finished", testkit.Finished) {
				require.Equal(t, "abandoned", r.Result, "hung up in the menu")
			}
		})
	}
	t.Run("uas", func(t *testing.T) {
		phone := testkit.StartOwnAgent(t, "uas", h.SIP, "8002", passwords["8002"], 1)
		h.AwaitAgent("8002", "ready")
		// Neither of them has audio, and sipp fails over a re-INVITE: the call ends before the hotline asks about it.
		c := testkit.StartOwnCaller(t, "uac", "96110", h.SIP, 1, 1, 6*time.Second)
		require.Zero(t, c.Wait(), c.Messages())
		require.Zero(t, phone.Wait(), phone.Messages())
		finished++
		answered := 0
		for _, r := range h.AwaitCalls(finished, "finished", testkit.Finished) {
			if r.Result == "answered" {
				answered++
				require.Equal(t, "8002", r.Agent)
				require.Equal(t, "caller", r.Release)
			}
		}
		require.Equal(t, 1, answered)
	})
}
