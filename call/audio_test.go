package call_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestLegsAreBounded: one agent after the other is lost. The record keeps the first legs and the last, the caller's among
// them, and says how many it does not keep.
func TestLegsAreBounded(t *testing.T) {
	t.Parallel()
	const lost = 50
	var script strings.Builder
	fmt.Fprintln(&script, "0s dial menu main\n3s key 2")
	for i := range lost {
		at := 10 + 20*i
		fmt.Fprintf(&script, "%ds ring %d\n%ds answer %d\n%ds sounds %d 3.5\n%ds agent %d no-media\n", at, 9000+i, at+1, 9000+i, at+8, 9000+i, at+9, 9000+i)
	}
	fmt.Fprintf(&script, "%ds caller bye\n", 20*lost+10)
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.play(script.String())
		r := s.records.finished(t)
		require.Len(t, r.Legs, call.MaxLegs)
		require.Equal(t, call.RoleCaller, r.Legs[0].Role)
		all := 0
		for _, a := range r.Legs {
			all += 1 + a.LeftOut
		}
		require.Equal(t, lost+1, all)
		require.Equal(t, "9000", r.Legs[1].Agent)
		require.Equal(t, fmt.Sprint(9000+lost-1), r.Legs[call.MaxLegs-1].Agent)
		require.InDelta(t, 3.5, r.MOS, 0)
		for _, a := range r.Legs[1:] {
			require.True(t, a.NoMedia)
		}
	})
}

// TestAudioMetrics: what a finished call's legs were like is counted by whose they were.
func TestAudioMetrics(t *testing.T) {
	t.Parallel()
	reg := call.CountLegs(t,
		call.LegAudio{Role: call.RoleCaller, MOS: 4.2, Silent: 3},
		call.LegAudio{Role: call.RoleAgent, Silent: 1, NoMedia: true},
		call.LegAudio{Role: call.RoleAgent, OneWay: &call.OneWay{Count: 2}},
	)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP hotline_leg_one_way_total Legs whose audio went one way only, by whether it went both ways in the end.
# TYPE hotline_leg_one_way_total counter
hotline_leg_one_way_total{healed="false",role="agent"} 1
hotline_leg_one_way_total{healed="false",role="caller"} 0
hotline_leg_one_way_total{healed="false",role="outside"} 0
hotline_leg_one_way_total{healed="true",role="agent"} 0
hotline_leg_one_way_total{healed="true",role="caller"} 0
hotline_leg_one_way_total{healed="true",role="outside"} 0
# HELP hotline_leg_silent_total Legs on which nothing was heard for the time-out, by whether their far ends were there when they were asked.
# TYPE hotline_leg_silent_total counter
hotline_leg_silent_total{outcome="lived",role="agent"} 0
hotline_leg_silent_total{outcome="lived",role="caller"} 1
hotline_leg_silent_total{outcome="lived",role="outside"} 0
hotline_leg_silent_total{outcome="lost",role="agent"} 1
hotline_leg_silent_total{outcome="lost",role="caller"} 0
hotline_leg_silent_total{outcome="lost",role="outside"} 0
`), "hotline_leg_one_way_total", "hotline_leg_silent_total"))
}
