package call_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/call/calltest"
	"hotline/media"
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
hotline_leg_one_way_total{healed="false",role="supervisor"} 0
hotline_leg_one_way_total{healed="true",role="agent"} 0
hotline_leg_one_way_total{healed="true",role="caller"} 0
hotline_leg_one_way_total{healed="true",role="outside"} 0
hotline_leg_one_way_total{healed="true",role="supervisor"} 0
# HELP hotline_leg_silent_total Legs on which nothing was heard for the time-out, by whether their far ends were there when they were asked.
# TYPE hotline_leg_silent_total counter
hotline_leg_silent_total{outcome="lived",role="agent"} 0
hotline_leg_silent_total{outcome="lived",role="caller"} 1
hotline_leg_silent_total{outcome="lived",role="outside"} 0
hotline_leg_silent_total{outcome="lived",role="supervisor"} 0
hotline_leg_silent_total{outcome="lost",role="agent"} 1
hotline_leg_silent_total{outcome="lost",role="caller"} 0
hotline_leg_silent_total{outcome="lost",role="outside"} 0
hotline_leg_silent_total{outcome="lost",role="supervisor"} 0
`), "hotline_leg_one_way_total", "hotline_leg_silent_total"))
}

// audioAct does what is about a leg's audio, and reports whether that was meant.
func (s *stage) audioAct(what string, args []string) bool {
	s.t.Helper()
	switch what {
	case "fact": // fact caller silent 3: so often
		n := 1
		if len(args) > 2 {
			var err error
			n, err = strconv.Atoi(args[2])
			require.NoError(s.t, err)
		}
		l := s.leg(args[0])
		for range n {
			require.True(s.t, l.Post(call.AudioFact{Leg: l.ID(), Fact: facts[args[1]], At: time.Now()}))
			synctest.Wait()
		}
	case "sounds": // sounds caller 3.9
		mos, err := strconv.ParseFloat(args[1], 64)
		require.NoError(s.t, err)
		s.leg(args[0]).Stream().SetStats(media.Stats{PacketsIn: 100, Lost: 2, MOS: mos, RoundTrip: 1500 * time.Microsecond})
	case "live-mos": // of the worst leg, as those who watch see it now
		require.Equal(s.t, args[0], fmt.Sprint(s.x.Live()[0].Record.MOS))
	default:
		return false
	}
	return true
}

// facts by name.
var facts = map[string]media.Fact{
	media.FactSilent.String(): media.FactSilent, media.FactOneWay.String(): media.FactOneWay, media.FactHeard.String(): media.FactHeard,
}

// leg is the caller's, or an agent's.
func (s *stage) leg(name string) *calltest.Leg {
	if name == "caller" {
		return s.caller
	}
	require.Contains(s.t, s.agents, name)
	return s.agents[name]
}

// tellLegs is what the record has of legs of which there is something to tell.
func (s *stage) tellLegs(r *call.Record, p func(format string, args ...any)) {
	for _, a := range r.Legs {
		if a.Silent == 0 && a.OneWay == nil && !a.NoMedia && a.MOS == 0 {
			continue
		}
		name := string(a.Role)
		if a.Role != call.RoleCaller {
			name = a.Agent + a.Number
		}
		l := s.leg(name)
		way := "both ways"
		if w := a.OneWay; w != nil {
			way = fmt.Sprintf("one way at %s, %d times, healed %s", s.sec(&w.At), w.Count, s.sec(w.Healed))
		}
		p("audio %s %s: %s, silent %d, no media %v; asked %d, mended %d; %s mos %g in %d lost %d round trip %g ms",
			a.Role, a.Agent+a.Number, way, a.Silent, a.NoMedia, l.Asked(), l.Mended(), a.Codec, a.MOS, a.PacketsIn, a.Lost, a.RoundTripMS)
	}
}
