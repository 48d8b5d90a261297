package call_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// A Next is data: written to a journal and read again it is the same.
func TestNextIsData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := call.Next{
			Kind:  rapid.SampledFrom([]call.Kind{call.Route, call.Menu, call.Wait, call.Talk, call.Done}).Draw(t, "kind"),
			Menu:  rapid.String().Draw(t, "menu"),
			Queue: rapid.String().Draw(t, "queue"),
			Agent: rapid.String().Draw(t, "agent"),
			Leg:   call.LegID(rapid.String().Draw(t, "leg")),
			Front: rapid.Bool().Draw(t, "front"),
			End:   call.End{Result: call.Answered, Reason: call.ReasonCallerHangup},
		}
		if rapid.Bool().Draw(t, "else") {
			n.Else = &call.Next{Kind: call.Wait, Queue: rapid.String().Draw(t, "instead")}
		}
		b, err := json.Marshal(n)
		require.NoError(t, err)
		var back call.Next
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, n, back)
	})
}

func TestMoves(t *testing.T) {
	require.True(t, call.Allowed(call.Route, call.Menu))
	require.True(t, call.Allowed(call.Talk, call.Wait), "an agent lost")
	require.False(t, call.Allowed(call.Menu, call.Talk), "nobody talks without an agent's answer")
	require.False(t, call.Allowed(call.Done, call.Menu), "nothing follows the end")
	require.False(t, call.Allowed("", call.Menu))
}

// Kept if and only if rings ≤ N, which is elapsed < N·cycle.
func TestRingsOf(t *testing.T) {
	const cycle = 5 * time.Second
	for _, c := range []struct {
		elapsed time.Duration
		rings   int
	}{
		{-time.Second, 1},
		{0, 1},
		{5*time.Second - 1, 1},
		{5 * time.Second, 2},
		{15*time.Second - 1, 3},
		{15 * time.Second, 4},
	} {
		require.Equal(t, c.rings, call.RingsOf(c.elapsed, cycle), c.elapsed)
	}
	require.Zero(t, call.RingsOf(time.Second, 0))
	rapid.Check(t, func(t *rapid.T) {
		e := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "elapsed"))
		n := rapid.IntRange(1, 20).Draw(t, "promised")
		require.Equal(t, e < time.Duration(n)*cycle, call.RingsOf(e, cycle) <= n)
	})
}

func TestMask(t *testing.T) {
	for number, masked := range map[string]string{
		"": "", "8": "8", "96777": "9****", "13912345678": "139******78", "+8613912345678": "+86*********78",
	} {
		require.Equal(t, masked, call.Mask(number))
	}
}

func TestMetricsAreClean(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	_, err := call.NewExchange(call.Options{Registry: reg})
	require.NoError(t, err)
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
	_, err = call.NewExchange(call.Options{Registry: reg})
	require.Error(t, err, "registered twice is told, not ignored")
}
