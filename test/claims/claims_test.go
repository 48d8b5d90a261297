package claims

import (
	"testing"
	"time"
)

// every fault there is.
var every = []kind{
	crash, sleep, cutBook, cutPeers, loseInvite, loseForward, delayInvite, doubleInvite, loseGrant, lateQuery, bookGone, bookEmpty, bookForgets,
}

// Beginnings of schedules. The phone of agent 1 is at node A.
var (
	ownRing  = []event{{kind: pair, n: 0}, {kind: grant, n: 0}}
	ownTalk  = append(ownRing[:2:2], event{kind: answer}, event{kind: edgeLearn})
	farRing  = []event{{kind: pair, n: 1}, {kind: grant, n: 1}, {kind: reach}, {kind: edgeLearn}, {kind: ownerLearn}}
	farTalk  = append(farRing[:5:5], event{kind: answer}, event{kind: edgeLearn}, event{kind: ownerLearn})
	sleepsOn = func(before []event, n, other uint8, seconds int) []event {
		out := append(before[:len(before):len(before)], event{kind: sleep, n: n})
		for range seconds {
			out = append(out, event{kind: tick}, event{kind: act, n: other})
		}
		return out
	}
)

func with(before []event, more ...event) []event {
	return append(before[:len(before):len(before)], more...)
}

// outs are the rules, each with a small world in which a schedule goes wrong when it is taken out.
var outs = []struct {
	name    string
	rule    rule
	fault   kind
	budget  budget
	claims  [callers]uint8
	how     manner
	prelude []event
}{
	{"the edge's check", noGate, delayInvite, budget{faults: 1}, [callers]uint8{1, 1}, brisk, nil},
	{"highest token", noHighest, doubleInvite, budget{faults: 1}, [callers]uint8{0, 1}, strict, nil},
	{"live leg", noLiveLeg, bookEmpty, budget{faults: 1}, [callers]uint8{1, 1}, fine, farTalk},
	{"deadline", noDeadline, sleep, budget{moves: 1}, [callers]uint8{0, 2}, brisk, givenUp},
	{"hold", noHold, cutBook, budget{faults: 1, moves: 1}, [callers]uint8{1, 1}, brisk, nil},
	{"asking", noAsking, cutBook, budget{faults: 1, moves: 1}, [callers]uint8{1, 1}, brisk, nil},
	{"asking the dead", noAskingDead, sleep, budget{moves: 1}, [callers]uint8{1, 1}, brisk, cutOffFor(5)},
	{"hearsay", hearsay, crash, budget{moves: 1}, [callers]uint8{1, 0}, brisk, startedAnew},
	{"owner's legs", noOwnerLegs, bookEmpty, budget{faults: 1}, [callers]uint8{1, 1}, fine, with(farTalk, event{kind: crash}, event{kind: restart})},
	{"release only when sure", noSureness, crash, budget{faults: 1}, [callers]uint8{0, 2}, brisk, farRing},
	{"epoch", noEpoch, bookEmpty, budget{faults: 1}, [callers]uint8{1, 1}, brisk, nil},
	{"orphan's edge", anyEdge, crash, budget{faults: 1}, [callers]uint8{1, 1}, brisk, ownRing},
	{"refusing an orphan's token", noRefuse, delayInvite, budget{faults: 1}, [callers]uint8{0, 1}, strict, nil},
	{"asking the owner", noOwnerAsked, bookForgets, budget{faults: 1}, [callers]uint8{0, 1}, brisk, nil},
	{"silence is no answer", silenceIsNo, cutPeers, budget{faults: 1}, [callers]uint8{0, 1}, fine, nil},
	{"judging legs", orphansOnly, bookEmpty, budget{faults: 1}, [callers]uint8{0, 1}, brisk, with(farTalk, event{kind: crash, n: 1})},
	{"hold while it may ring", noRingHold, crash, budget{faults: 1}, [callers]uint8{1, 1}, brisk, ownRing},
	{"surrender", noSurrender, sleep, budget{moves: 1}, [callers]uint8{1, 1}, brisk, sleepsOn(ownTalk, 0, 1, 4)},
	{"raising", noRaise, bookForgets, budget{faults: 1}, [callers]uint8{1, 1}, brisk, nil},
	{"sleep", noSleepCheck, bookGone, budget{faults: 1, moves: 1}, [callers]uint8{1, 1}, brisk, sleepsOn(nil, 0, 1, 7)},
	{"reconciling", noReconcile, loseGrant, budget{faults: 1}, [callers]uint8{1, 0}, brisk, nil},
}

// manner is how a world is gone through.
type manner uint8

const (
	brisk  manner = iota // what a process tells itself takes no time
	fine                 // it does
	strict               // brisk; and no phone may be rung by a claim that is no more
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

// TestEachRuleMatters: with any one of the rules taken out some schedule goes wrong.
func TestEachRuleMatters(t *testing.T) {
	for _, x := range outs {
		t.Run(x.name, func(t *testing.T) {
			e := &env{
				without: x.rule, brisk: x.how != fine, strict: x.how == strict, faults: []kind{x.fault}, prelude: x.prelude,
				size: size{agents: 1, claims: x.claims, budget: x.budget},
			}
			s := newSearch(e, 150_000)
			begin := time.Now()
			schedule, broken := s.run()
			if broken == "" {
				t.Fatalf("nothing goes wrong without it in %d worlds (%v)", len(s.came), time.Since(begin))
			}
			t.Logf("%d worlds, %v\n%s", len(s.came), time.Since(begin).Round(time.Millisecond), e.tell(schedule, broken))
		})
	}
}

// TestAnyOneFault: nothing goes wrong with any one fault.
func TestAnyOneFault(t *testing.T) {
	for _, k := range every {
		t.Run(words[k], func(t *testing.T) {
			e := &env{
				brisk: true, faults: []kind{k}, strict: k == delayInvite || k == doubleInvite,
				size: size{agents: 1, claims: [callers]uint8{1, 1}, budget: budget{moves: 1, faults: 1}},
			}
			s := newSearch(e, 1_500_000)
			begin := time.Now()
			schedule, broken := s.run()
			t.Logf("%d worlds, %v, all %t", len(s.came), time.Since(begin), s.full)
			if broken != "" {
				t.Fatal("\n" + e.tell(schedule, broken))
			}
		})
	}
}
