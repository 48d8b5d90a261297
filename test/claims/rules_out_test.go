package claims

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Beginnings of schedules. The phone of agent 1 is at node A.
var (
	ownRing  = []event{{kind: pair, n: 0}, {kind: grant, n: 0}}
	ownTalk  = append(slices.Clip(ownRing), event{kind: answer}, event{kind: edgeLearn})
	farRing  = []event{{kind: pair, n: 1}, {kind: grant, n: 1}, {kind: reach}, {kind: edgeLearn}, {kind: ownerLearn}}
	farTalk  = append(slices.Clip(farRing), event{kind: answer}, event{kind: edgeLearn}, event{kind: ownerLearn})
	sleepsOn = func(before []event, n, other uint8, seconds int) []event {
		out := append(slices.Clip(before), event{kind: sleep, n: n})
		for range seconds {
			out = append(out, event{kind: tick}, event{kind: act, n: other})
		}
		return out
	}
)

func with(before []event, more ...event) []event {
	return append(slices.Clip(before), more...)
}

// What is to be heard of a schedule that goes wrong.
const (
	twice = "two live offers or legs"
	rung  = "rung by a claim that is no more"
	free  = "does not come free"
	ended = "an edge ends a talk"
	given = "an owner ends its own talk"
)

// outs are the rules, each with a small world in which a schedule goes wrong when it is taken out.
var outs = []struct {
	name    string
	rule    rule
	faults  []kind
	budget  budget
	claims  [callers]uint8
	how     manner
	prelude []event
	broken  string
}{
	{"the edge's check", noGate, []kind{delayInvite}, budget{faults: 1}, [callers]uint8{1, 1}, brisk, nil, twice},
	{"highest token", noHighest, []kind{doubleInvite}, budget{faults: 1}, [callers]uint8{0, 1}, strict, nil, rung},
	{"live leg", noLiveLeg, []kind{bookEmpty}, budget{faults: 1}, [callers]uint8{1, 1}, fine, farTalk, twice},
	{"deadline", noDeadline, []kind{sleep}, budget{moves: 1}, [callers]uint8{0, 2}, brisk, givenUp, twice},
	{"hold", noHold, []kind{cutBook}, budget{faults: 1, moves: 1}, [callers]uint8{1, 1}, brisk, nil, twice},
	{"asking", noAsking, []kind{cutBook}, budget{faults: 1, moves: 1}, [callers]uint8{1, 1}, brisk, nil, twice},
	{"asking the dead", noAskingDead, []kind{sleep}, budget{moves: 1}, [callers]uint8{1, 1}, brisk, cutOffFor(5), twice},
	{"hearsay", hearsay, []kind{crash}, budget{moves: 1}, [callers]uint8{1, 0}, brisk, startedAnew, free},
	{"owner's legs", noOwnerLegs, []kind{bookEmpty}, budget{faults: 1}, [callers]uint8{1, 1}, fine, with(farTalk, event{kind: crash}, event{kind: restart}), twice},
	{"release only when sure", noSureness, []kind{crash}, budget{faults: 1}, [callers]uint8{0, 2}, brisk, farRing, twice},
	{"epoch", noEpoch, []kind{bookEmpty}, budget{faults: 1}, [callers]uint8{1, 1}, brisk, nil, free},
	{"orphan's edge", anyEdge, []kind{crash}, budget{faults: 1}, [callers]uint8{1, 1}, brisk, ownRing, twice},
	{"refusing an orphan's token", noRefuse, []kind{delayInvite}, budget{faults: 1}, [callers]uint8{0, 1}, strict, nil, rung},
	{"what was abandoned is not released", amnesia, []kind{delayInvite}, budget{faults: 1}, [callers]uint8{0, 1}, exact, nil, rung},
	{"asking the owner", noOwnerAsked, []kind{bookForgets}, budget{faults: 1}, [callers]uint8{0, 1}, brisk, nil, ended},
	{"silence is no answer", silenceIsNo, []kind{cutPeers}, budget{faults: 1}, [callers]uint8{0, 1}, fine, nil, ended},
	{"judging legs", orphansOnly, []kind{bookEmpty}, budget{faults: 1}, [callers]uint8{0, 1}, brisk, with(farTalk, event{kind: crash, n: 1}), free},
	{"hold while it may ring", noRingHold, []kind{crash}, budget{faults: 1}, [callers]uint8{1, 1}, brisk, ownRing, twice},
	{"surrender", noSurrender, []kind{sleep}, budget{moves: 1}, [callers]uint8{1, 1}, brisk, sleepsOn(ownTalk, 0, 1, 4), twice},
	{"surrender only after a lapse", rashness, []kind{bookEmpty, sleep}, budget{faults: 2}, [callers]uint8{1, 1}, fine, farTalk, given},
	{"absence from a new book", absence, []kind{cutPeers, bookEmpty}, budget{faults: 2}, [callers]uint8{0, 1}, brisk, farTalk, ended},
	{"raising", noRaise, []kind{bookForgets}, budget{faults: 1}, [callers]uint8{1, 1}, brisk, nil, free},
	{"sleep", noSleepCheck, []kind{bookGone}, budget{faults: 1, moves: 1}, [callers]uint8{1, 1}, brisk, sleepsOn(nil, 0, 1, 7), twice},
	{"reconciling", noReconcile, []kind{loseGrant}, budget{faults: 1}, [callers]uint8{1, 0}, brisk, nil, free},
}

// manner is how a world is gone through.
type manner uint8

const (
	brisk  manner = iota // what a process tells itself takes no time
	fine                 // it does
	strict               // brisk; and no phone may be rung by a claim that is no more
	exact                // it does, and no phone may be
)

// givenUp: node A is stopped while an INVITE is on its way to it, whose owner gives up.
var givenUp = []event{
	{kind: pair, n: 1}, {kind: grant, n: 1}, {kind: sleep}, {kind: tick}, {kind: act, n: 1}, {kind: tick}, {kind: act, n: 1}, {kind: giveUp}, {kind: tell},
}

// cutOffFor has node A be cut off from the book for some seconds.
func cutOffFor(seconds int) []event {
	out := []event{{kind: cutBook, n: 0}}
	for range seconds {
		out = append(out, event{kind: tick}, event{kind: act, n: 1})
	}
	return out
}

// startedAnew has node A be killed and started again.
var startedAnew = []event{{kind: crash, n: 0}, {kind: restart, n: 0}, {kind: tick}, {kind: act, n: 0}, {kind: act, n: 1}}

// TestEachRuleMatters: with any one of the rules taken out some schedule goes wrong, in a world in which none does with it.
func TestEachRuleMatters(t *testing.T) {
	for _, x := range outs {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			e := env{
				brisk: x.how == brisk || x.how == strict, strict: x.how >= strict, faults: x.faults, prelude: x.prelude,
				size: size{agents: 1, claims: x.claims, budget: x.budget},
			}
			without := e
			without.without = x.rule
			s := newSearch(&without, 150_000)
			schedule, broken := s.run()
			require.Contains(t, broken, x.broken, "in %d worlds", len(s.came))
			t.Logf("%d worlds\n%s", len(s.came), s.tell(schedule, broken))
			control := newSearch(&e, 2*len(s.came)+1000)
			schedule, broken = control.run()
			require.Empty(t, broken, control.tell(schedule, broken))
		})
	}
}
