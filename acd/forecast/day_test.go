package forecast_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/acd"
	"hotline/acd/forecast"
	"hotline/call"
)

const cycle = 5 * time.Second

// recorded is a call that waited; agent is empty for who gave up. The phone rang for ring seconds before the end.
func recorded(from, wait, talk, ring float64, agent string) call.Record {
	left := at(from + wait)
	v := call.Visit{Queue: "repair", Entered: at(from), Left: &left, How: "abandoned"}
	r := call.Record{Queue: "repair", Visits: []call.Visit{v}}
	if agent == "" {
		return r
	}
	r.Visits[0].How = "answered"
	ended := at(from + wait + talk)
	sent := at(from + wait - ring)
	r.Offers = []call.Offer{{Agent: agent, Queue: "repair", Sent: sent, Rung: &sent, Ended: &left, How: "answered"}}
	r.Talks = []call.TalkRecord{{Agent: agent, Queue: "repair", Answered: left, Ended: &ended}}
	return r
}

// TestReadDay: what a day's records tell, and what of them is left out.
func TestReadDay(t *testing.T) {
	refused := recorded(50, 20, 100, 4, "8002")
	refusedAt := at(55)
	refused.Offers = append([]call.Offer{{Agent: "8001", Queue: "repair", Sent: at(50), Ended: &refusedAt, How: "refused"}}, refused.Offers...)
	turned := recorded(60, 0, 0, 0, "")
	turned.Visits[0].How, turned.Visits[0].Overflow = "overflow", call.QueueFull
	open := recorded(70, 0, 0, 0, "")
	open.Visits[0].Left = nil
	agents := recorded(80, 1, 1, 1, "8001")
	agents.Queue = "" // a call that an agent made
	d := forecast.ReadDay([]call.Record{
		turned, recorded(30, 40, 0, 0, ""), recorded(0, 10, 60, 6, "8001"), refused, open, agents,
		recorded(8000, 1, 60, 1, "8001"),
	}, cycle)
	require.Len(t, d.Stays, 5)
	first := d.Stays[0]
	require.True(t, first.Answered)
	require.Equal(t, "8001", first.Agent)
	require.Equal(t, []time.Duration{10 * time.Second, 60 * time.Second}, []time.Duration{first.Wait, first.Talk})
	require.Equal(t, 2, first.Rings, "6 s are the second ring")
	require.False(t, d.Stays[1].Answered)
	require.False(t, d.Stays[1].Cut)
	require.Equal(t, 4, d.Stays[2].Rings, "the clock began a second after the first INVITE, which nobody's 18x came to: 19 s")
	require.True(t, d.Stays[3].Cut)
	require.Equal(t, call.QueueFull, d.Stays[3].Turned)
	require.Len(t, d.Talks("repair"), 3)
	require.Empty(t, d.Talks("other"))
	require.Len(t, d.Waits(""), 5)
	require.Equal(t, []string{"repair"}, d.Queues("8002"))
	require.Equal(t, []forecast.Shift{
		{Agent: "8001", From: at(4), To: at(70)},
		{Agent: "8002", From: at(66), To: at(170)},
		{Agent: "8001", From: at(8000), To: at(8061)},
	}, d.Shifts(), "a break of more than an hour ends a shift")
}

// TestKaplanMeier: the worked example of such tables: who gave up at 1, 3, 3 and 6, cut short at 2, 4, 7.
func TestKaplanMeier(t *testing.T) {
	waits := []forecast.Wait{
		{3 * time.Second, true},
		{1 * time.Second, true},
		{2 * time.Second, false},
		{3 * time.Second, true},
		{4 * time.Second, false},
		{6 * time.Second, true},
		{7 * time.Second, false},
	}
	p := forecast.KaplanMeier(waits)
	for seconds, share := range map[float64]float64{0: 1, 0.9: 1, 1: 6.0 / 7, 2.9: 6.0 / 7, 3: 18.0 / 35, 5.9: 18.0 / 35, 6: 9.0 / 35} {
		require.InDelta(t, share, p.Share(time.Duration(seconds*float64(time.Second))), 1e-9, seconds)
	}
	require.InDelta(t, 9.0/35*math.Exp(-1), p.Share(12500*time.Millisecond), 1e-9, "beyond them, of a mean of 6.5 s")
	require.Equal(t, 26*time.Second/4, forecast.MeanPatience(waits), "all that was waited, by those who gave up")
	require.Zero(t, forecast.MeanPatience(waits[2:3]))
	require.Zero(t, forecast.KaplanMeier(waits[2:3]).Draw(rand.New(rand.NewPCG(1, 1)), 0), "nobody gave up: nobody does")
}

// TestPatienceIsFound: of an exponential patience that answers cut short, both estimates find the law again; who has
// waited is more patient than that.
func TestPatienceIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	patience, answer := forecast.Exponential(2*time.Minute), forecast.Exponential(30*time.Second)
	waits := make([]forecast.Wait, 20_000)
	for i := range waits {
		p, a := patience(r), answer(r)
		waits[i] = forecast.Wait{Lasted: min(p, a), GaveUp: p < a}
	}
	require.InEpsilon(t, (2 * time.Minute).Seconds(), forecast.MeanPatience(waits).Seconds(), 0.05)
	p := forecast.KaplanMeier(waits)
	for _, at := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute} {
		require.InDelta(t, math.Exp(-at.Minutes()/2), p.Share(at), 0.03, at)
	}
	for _, waited := range []time.Duration{0, time.Minute, 10 * time.Minute} {
		sum := 0.0
		const n = 2000
		for range n {
			d := p.Draw(r, waited)
			require.Greater(t, d, waited)
			sum += (d - waited).Seconds()
		}
		require.InEpsilon(t, 120, sum/n, 0.12, waited)
	}
}

// TestReplay: a day of one agent, by hand. As it was, and again; with another agent nobody waits, and who had given up
// does so no more.
func TestReplay(t *testing.T) {
	day := forecast.ReadDay([]call.Record{
		recorded(0, 2, 100, 2, "8001"), recorded(10, 20, 0, 0, ""), recorded(30, 74, 50, 2, "8001"),
	}, cycle)
	p := forecast.Replay{
		Day: day, Begin: nine, Seed: 1, Targets: forecast.Targets{Rings: 3, Within: 15 * time.Second},
		Desk: acd.Options{Queues: []acd.Queue{{Name: "repair"}}},
	}
	was := p.Recorded()
	require.Equal(t, forecast.Tally{
		Calls: 3, Answered: 2, GaveUp: 1, InRings: 2, Soon: 1, Late: 1, Waited: 96 * time.Second, Longest: 74 * time.Second,
	}, was.All)
	require.Equal(t, was.All, *was.Queues["repair"])
	again, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, was, again, "the very same")

	p.Shifts = append(day.Shifts(), forecast.Shift{Agent: "8002", From: nine, To: at(200)})
	p.Desk.Agents = []acd.Agent{{ID: "8002", Skills: map[string]int{"repair": 1}}}
	better, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, better.All.Answered)
	share, ok := better.All.ServiceLevel()
	require.True(t, ok)
	require.Greater(t, share, 0.5)
	repeated, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, better, repeated, "the same seed, the same day")
}

// TestReplayEndsWhereNobodyServes: a queue without agents does not keep the run for ever.
func TestReplayEndsWhereNobodyServes(t *testing.T) {
	day := forecast.ReadDay([]call.Record{recorded(0, 2, 100, 2, "8001")}, cycle)
	p := forecast.Replay{Day: day, Begin: nine, Desk: acd.Options{Queues: []acd.Queue{{Name: "repair"}}}, Shifts: []forecast.Shift{}}
	counts, err := p.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, counts.All.GaveUp)
}

// TestChart: it is an SVG that parses, with its lines named, its axes, and nothing of the day taken for markup.
func TestChart(t *testing.T) {
	c := forecast.NewCounts(nine, forecast.Targets{Rings: 3, Within: 15 * time.Second})
	for i := range 40 {
		c.Count(forecast.Outcome{Caller: caller(float64(i*600), 0, 0), Wait: time.Duration(i) * time.Second, Answered: true}, false)
	}
	svg := forecast.Chart("燃气 <热线>", "a & b", nine, forecast.Line{Name: "as it was", Counts: c},
		forecast.Line{Name: "ring-all", Counts: forecast.NewCounts(nine, forecast.Targets{})})
	var texts []string
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
	for _, want := range []string{"燃气 <热线>", "a & b", "as it was", "ring-all", "mean wait, s", "service level, %", "09:00", "100"} {
		require.Contains(t, texts, want)
	}
	require.NotContains(t, svg, "NaN")
	require.NotContains(t, forecast.Chart("", "", nine), "NaN", "an empty day")
}
