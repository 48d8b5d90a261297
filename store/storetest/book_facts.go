package storetest

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/site"
)

func testSaidByTheSpeaker(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	away := time.FixedZone("away", 8*3600)
	say(t, b, nodeA, flow(anna, nodeB, dawn.In(away).Add(123)), caller("c1", nodeC))
	got := facts(t, b)
	require.Equal(t, call.SiteFlow{Agent: anna, Edge: nodeA, Since: dawn}, *got[0].Flow, "of the speaker; in UTC, in microseconds")
	require.Equal(t, nodeA, got[1].Caller.Owner)
	silent(t, b, func() { say(t, b, nodeA, flow(anna, nodeA, dawn), caller("c1", nodeA)) })
}

// testSayRefused: a batch with a fact that is none to say is not written at all.
func testSayRefused(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	for name, bad := range map[string]call.SiteFact{
		"nothing":           {},
		"two":               {Flow: &call.SiteFlow{Agent: anna}, Caller: &call.SiteCaller{Call: "c1"}},
		"of nobody":         {Flow: &call.SiteFlow{}},
		"a claim":           {Claim: &call.SiteClaim{Agent: anna}},
		"a rest of a claim": {Rest: &call.SiteRest{Agent: anna, Token: call.Token{Epoch: 1, N: 1}}},
	} {
		silent(t, b, func() { require.Error(t, b.Say(t.Context(), nodeA, caller("c1", nodeA), bad), name) })
		require.Empty(t, facts(t, b))
	}
	silent(t, b, func() { say(t, b, nodeA) })
}

func testFlows(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA, nodeB)
	edge := func() call.NodeID { return facts(t, b)[0].Flow.Edge }
	say(t, b, nodeA, flow(anna, nodeA, dawn))
	silent(t, b, func() { say(t, b, nodeB, flow(anna, nodeB, dawn)) })
	silent(t, b, func() { say(t, b, nodeB, flow(anna, nodeB, dawn.Add(-1*time.Second))) })
	require.Equal(t, nodeA, edge(), "an older one takes no place")
	say(t, b, nodeB, flow(anna, nodeB, dawn.Add(time.Second)))
	require.Equal(t, nodeB, edge(), "a later one does")
	silent(t, b, func() { say(t, b, nodeA, flow(anna, nodeA, dawn)) })
	silent(t, b, func() { say(t, b, nodeA, call.SiteFact{FlowGone: &call.SiteFlow{Agent: anna}}) })
	require.Equal(t, nodeB, edge(), "what is gone was the other's")
	// The same process may say what it likes of its own: legs, and an older instant.
	say(t, b, nodeB, call.SiteFact{Flow: &call.SiteFlow{Agent: anna, Since: dawn, Legs: 2, At: netip.MustParseAddr("2001:db8::7")}})
	require.Equal(t, 2, facts(t, b)[0].Flow.Legs)
	require.Equal(t, "2001:db8::7", facts(t, b)[0].Flow.At.String())
	at := view(t, b).At
	enter(t, b, "b.2")
	say(t, b, "b.2", call.SiteFact{FlowGone: &call.SiteFlow{Agent: anna}})
	require.Empty(t, facts(t, b))
	require.Equal(t, nodeB, follow(t, b, at)[1].Facts[0].FlowGone.Edge, "the log says whose flow it was")
	// One at an edge whose lease is over is no flow any more, though nobody has said so yet.
	say(t, b, nodeB, flow(anna, nodeB, dawn))
	b.Advance(lease)
	enter(t, b, nodeC)
	say(t, b, nodeC, flow(anna, nodeC, dawn.Add(-time.Hour)))
	require.Equal(t, nodeC, edge())
}

func testCallers(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA, nodeB, nodeA2)
	all := call.SiteCaller{
		Call: "c1", Owner: nodeA, Queue: repair, Agent: anna, Once: true, From: "13800000001", Private: true, Asserted: true,
		Front: true, Stay: true, Prefer: "PCMA", Entered: dawn, Came: dawn.Add(time.Second), Regular: ben, Rejoined: true,
	}
	say(t, b, nodeA, call.SiteFact{Caller: &all})
	require.Equal(t, all, *facts(t, b)[0].Caller)
	all.Front = false
	say(t, b, nodeA, call.SiteFact{Caller: &all})
	require.Equal(t, all, *facts(t, b)[0].Caller)
	gone := call.SiteFact{Gone: &call.SiteCallerGone{Call: "c1", How: answered, At: dawn, Agent: anna}}
	silent(t, b, func() { say(t, b, nodeB, gone) })
	require.Len(t, facts(t, b), 1, "it is the other's")
	at := view(t, b).At
	say(t, b, nodeA2, gone)
	require.Empty(t, facts(t, b))
	said := call.SiteCallerGone{Call: "c1", Owner: nodeA2, How: answered, At: dawn, Agent: anna}
	require.Equal(t, said, *follow(t, b, at)[0].Facts[0].Gone)
	silent(t, b, func() { say(t, b, nodeA, gone) })
}

func testRests(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	first := call.SiteRest{Agent: anna, How: answered, Queue: consult, Talked: time.Minute, WrapUntil: dawn, RestUntil: dawn.Add(time.Second), AlarmRest: dawn.Add(2), Missed: 2}
	say(t, b, nodeA, call.SiteFact{Rest: &first})
	at := view(t, b).At
	later := call.SiteRest{Agent: anna, WrapUntil: dawn.Add(time.Minute), Idle: dawn.Add(time.Hour)}
	say(t, b, nodeA, call.SiteFact{Rest: &later})
	want := later
	later.By = nodeA
	want.By, want.RestUntil, want.AlarmRest = nodeA, first.RestUntil, dawn // 2 ns are less than a microsecond
	require.Equal(t, want, *facts(t, b)[0].Rest, "what the later one leaves out stays")
	require.Equal(t, later, *follow(t, b, at)[0].Facts[0].Rest, "the log says what was said")
	silent(t, b, func() { say(t, b, nodeA, call.SiteFact{Rest: &later}) })
}

func testBookShifts(t *testing.T, b BookAt) {
	t.Helper()
	enter(t, b, nodeA)
	lunch := call.Shift{Agent: anna, Paused: true, Reason: "用餐", Since: dawn, Out: []string{consult, repair}}
	say(t, b, nodeA, call.SiteFact{Shift: &lunch})
	require.Equal(t, lunch, *facts(t, b)[0].Shift)
	silent(t, b, func() { say(t, b, nodeA, call.SiteFact{Shift: &lunch}) })
	plain := call.SiteFact{Shift: &call.Shift{Agent: anna}}
	at := view(t, b).At
	say(t, b, nodeA, plain)
	require.Equal(t, []call.SiteFact{plain}, facts(t, b), "who was away reads that the pause is over")
	require.Equal(t, []call.SiteFact{plain}, follow(t, b, at)[0].Facts)
	silent(t, b, func() { say(t, b, nodeA, plain) })
}

func testPlaces(t *testing.T, b BookAt) {
	t.Helper()
	now := enter(t, b, nodeA).Now
	place := func(left, until time.Duration, taken bool) call.SiteFact {
		return call.SiteFact{Place: &call.SitePlace{Queue: consult, Number: "13800000001", Entered: dawn, Left: now.Add(left), Until: now.Add(until), Taken: taken}}
	}
	silent(t, b, func() { say(t, b, nodeA, place(0, 0, false)) })
	say(t, b, nodeA, place(time.Second, time.Minute, false))
	require.Equal(t, []call.SiteFact{place(time.Second, time.Minute, false)}, facts(t, b))
	silent(t, b, func() { say(t, b, nodeA, place(time.Second, time.Minute, false)) })
	silent(t, b, func() { say(t, b, nodeA, place(0, time.Hour, false), place(0, time.Hour, true)) })
	say(t, b, nodeA, place(2*time.Second, time.Minute, false))
	say(t, b, nodeA, place(2*time.Second, time.Minute, true))
	require.Empty(t, facts(t, b))
	silent(t, b, func() { say(t, b, nodeA, place(2*time.Second, time.Minute, true)) })
	// It is over at its instant, whoever looks or does not.
	say(t, b, nodeA, place(3*time.Second, 3*time.Second, false))
	b.Advance(3*time.Second - time.Millisecond)
	require.Len(t, facts(t, b), 1)
	b.Advance(time.Millisecond)
	require.Empty(t, facts(t, b))
	silent(t, b, func() { say(t, b, nodeA, place(3*time.Second, time.Second, true)) })
	say(t, b, nodeA, place(0, time.Minute, false))
	require.Len(t, facts(t, b), 1, "one that is over is in no other's way")
}

func testRegulars(t *testing.T, b BookAt) {
	t.Helper()
	now := enter(t, b, nodeA).Now
	regular := func(agent string, ago time.Duration) call.SiteFact {
		return call.SiteFact{Regular: &call.SiteRegular{Queue: consult, Number: "13800000001", Agent: agent, At: now.Add(-ago)}}
	}
	silent(t, b, func() { say(t, b, nodeA, regular(anna, smallBounds().RegularsFor)) })
	say(t, b, nodeA, regular(anna, time.Minute))
	silent(t, b, func() { say(t, b, nodeA, regular(anna, time.Minute), regular(ben, 2*time.Minute)) })
	say(t, b, nodeA, regular(ben, time.Minute))
	require.Equal(t, []call.SiteFact{regular(ben, time.Minute)}, facts(t, b), "the last who is as late")
	b.Advance(smallBounds().RegularsFor - time.Minute - time.Millisecond)
	require.Len(t, facts(t, b), 1)
	b.Advance(time.Millisecond)
	require.Empty(t, facts(t, b))
}

// testBounded: of what nobody takes back there is never more than is allowed, and the oldest goes first.
func testBounded(t *testing.T, b BookAt) {
	t.Helper()
	now := enter(t, b, nodeA).Now
	for i := range 5 {
		number := strconv.Itoa(i)
		// The places end in the reverse order in which they come.
		say(t, b, nodeA,
			call.SiteFact{Place: &call.SitePlace{Queue: consult, Number: number, Until: now.Add(time.Duration(60-i) * time.Second)}},
			call.SiteFact{Regular: &call.SiteRegular{Queue: consult, Number: number, Agent: anna, At: now.Add(time.Duration(i) * time.Second)}},
			call.SiteFact{Rest: &call.SiteRest{Agent: number, Missed: 1}},
			call.SiteFact{Shift: &call.Shift{Agent: number, Paused: true}})
		b.Advance(time.Millisecond)
	}
	kept := map[string][]string{}
	for _, f := range facts(t, b) {
		switch {
		case f.Place != nil:
			kept["places"] = append(kept["places"], f.Place.Number)
		case f.Regular != nil:
			kept["regulars"] = append(kept["regulars"], f.Regular.Number)
		case f.Rest != nil:
			kept["rests"] = append(kept["rests"], f.Rest.Agent)
		case f.Shift != nil:
			kept["shifts"] = append(kept["shifts"], f.Shift.Agent)
		}
	}
	last := []string{"2", "3", "4"}
	require.Equal(t, map[string][]string{"places": {"0", "1", "2"}, "regulars": last, "rests": last, "shifts": last}, kept)
}

// testStrangeNames: names are text, whatever is in it.
func testStrangeNames(t *testing.T, b BookAt) {
	t.Helper()
	now := enter(t, b, nodeA).Now
	strange := "a\nb\\n\x00 \"é, 张"
	said := []call.SiteFact{
		flow(strange, nodeA, dawn), caller(strange, nodeA),
		{Rest: &call.SiteRest{Agent: strange, By: nodeA, How: strange, Queue: strange, Idle: dawn, Call: strange}},
		{Place: &call.SitePlace{Queue: strange, Number: strange, Until: now.Add(time.Minute)}},
		{Regular: &call.SiteRegular{Queue: strange, Number: strange, Agent: strange, At: now}},
	}
	say(t, b, nodeA, said...)
	require.Equal(t, said, facts(t, b))
	g, err := b.Claim(t.Context(), nodeA, strange, strange)
	require.NoError(t, err)
	require.Equal(t, strange, facts(t, b)[2].Claim.Call)
	require.NoError(t, b.Mark(t.Context(), call.SiteClaim{Agent: strange, Owner: nodeA, Token: g.Token, Rung: dawn}))
	require.NoError(t, b.Abandon(t.Context(), nodeA, strange, g.Token))
	require.True(t, facts(t, b)[2].Claim.Orphan)
	require.NoError(t, b.Clear(t.Context(), strange, g.Token))
	require.Equal(t, said, facts(t, b))
	_, err = b.Claim(t.Context(), nodeA, "a", strange)
	require.ErrorIs(t, err, site.ErrNoFlow)
}
