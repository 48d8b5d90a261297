package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Bounds of the rules.
const (
	// mostSilence is how long a call may hear nothing while its node lives, and after it was stopped once it goes on.
	mostSilence = 2 * time.Second
	// alarmWithin is how long after its first INVITE an alarm must ring an agent, faults that came meanwhile not counted.
	alarmWithin = 15 * time.Second
	// recordGrace is how long before its node is killed a call must have begun to be on record.
	recordGrace = time.Second
	// placeGrace is how long a caller must have waited when the node was killed to have the old place kept.
	placeGrace = 2 * time.Second
	// orphanWithin is how long after its owner's death a leg may live whose edge lives: the owner's lease, the sweep that sees
	// its end, the questions, and the phone's answer.
	orphanWithin = 20 * time.Second
	// goesOn is the least length of a fault in which a talk must begin, settled what passes before.
	goesOn = 6 * time.Second
	// crossing is for how long a BYE may be overtaken on the way from a node alone.
	crossing = 50 * time.Millisecond
	// answering is for how long an edge may not have passed on a 200 that it was killed after: until then the phone has not
	// repeated it (T1, RFC 3261 section 13.3.1.4), and the processor may have been with others.
	answering = 500 * time.Millisecond
	// remembered is for how long a talk is, at the least, whose node and edge were killed.
	remembered = time.Minute
	settled    = 3 * time.Second
)

// rule is one of those that the judge knows.
type rule string

const (
	ruleOneLeg    rule = "R1: no agent is in two offers or calls"
	ruleHears     rule = "R2: no call of a living node hears nothing for more than 2 s"
	ruleRecord    rule = "R3: every call has exactly one record"
	ruleAlarm     rule = "R4: alarms reach an agent"
	ruleNotStuck  rule = "R5: every agent is offered calls again"
	ruleOwnAudio  rule = "R6: nobody hears the audio of another call"
	rulePlace     rule = "R7: who redials after a node's death has the old place"
	ruleNoOrphan  rule = "R8: a dead node's legs are ended by the phone's edge"
	ruleServiceOn rule = "R9: calls are answered during faults"
)

// violation is one rule broken once.
type violation struct {
	Rule rule
	Text string
}

func (v violation) String() string { return fmt.Sprintf("%s: %s", v.Rule, v.Text) }

// judge holds evidence against every rule.
func judge(e *evidence) (found []violation) {
	c := newCase(e)
	for _, r := range []struct {
		rule rule
		hold func(*caseFile, func(string, ...any))
	}{
		{ruleOneLeg, oneLeg},
		{ruleHears, hears},
		{ruleRecord, oneRecord},
		{ruleAlarm, alarmsReach},
		{ruleNotStuck, notStuck},
		{ruleOwnAudio, ownAudio},
		{rulePlace, oldPlace},
		{ruleNoOrphan, noOrphan},
		{ruleServiceOn, serviceOn},
	} {
		r.hold(c, func(format string, args ...any) {
			found = append(found, violation{r.rule, fmt.Sprintf(format, args...)})
		})
	}
	return found
}

// caseFile is evidence, put in order.
type caseFile struct {
	*evidence
	legsOf   map[string][]*leg     // by the caller's number
	tries    map[string][]*attempt // likewise, in order
	recorded map[string][]*row     // likewise
	begun    time.Time
}

func newCase(e *evidence) *caseFile {
	c := &caseFile{evidence: e, legsOf: map[string][]*leg{}, tries: map[string][]*attempt{}, recorded: map[string][]*row{}}
	slices.SortFunc(e.Legs, func(a, b leg) int { return cmp.Or(cmp.Compare(a.Agent, b.Agent), a.Invited.Compare(b.Invited)) })
	slices.SortFunc(e.Attempts, func(a, b attempt) int { return a.Invited.Compare(b.Invited) })
	slices.SortFunc(e.Rows, func(a, b row) int { return a.Started.Compare(b.Started) })
	for i := range e.Legs {
		c.legsOf[e.Legs[i].From] = append(c.legsOf[e.Legs[i].From], &e.Legs[i])
	}
	for i := range e.Attempts {
		c.tries[e.Attempts[i].Number] = append(c.tries[e.Attempts[i].Number], &e.Attempts[i])
	}
	for i := range e.Rows {
		c.recorded[e.Rows[i].From] = append(c.recorded[e.Rows[i].From], &e.Rows[i])
	}
	if len(e.Attempts) > 0 {
		c.begun = e.Attempts[0].Invited
	}
	return c
}

// at is an instant as told to people: seconds since the beginning.
func (c *caseFile) at(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return fmt.Sprintf("%.3f s", t.Sub(c.begun).Seconds())
}

// uncovered is how much of a time is in none of the others.
func uncovered(s span, others []span) time.Duration {
	others = slices.Clone(others)
	slices.SortFunc(others, func(a, b span) int { return a.From.Compare(b.From) })
	at, left := s.From, time.Duration(0)
	for _, o := range others {
		if o.From.After(at) {
			left += min(o.From.Sub(at), max(s.To.Sub(at), 0))
		}
		if o.To.After(at) {
			at = o.To
		}
	}
	return left + max(s.To.Sub(at), 0)
}

// excused are the times in which a call of a node that began at an instant need not hear anything.
func (c *caseFile) excused(node int, began time.Time) []span {
	spans := slices.Clone(c.Stalls)
	for _, f := range c.Faults {
		if f.Node != node || f.To.Before(began) {
			continue
		}
		switch f.Kind {
		case faultKill, faultDrain: // it is over with that node, but for the time in which it drains
			spans = append(spans, span{f.From, f.To.Add(time.Hour)})
		case faultPause:
			spans = append(spans, f.span)
		}
	}
	return spans
}

// parted are the times in which an agent's phone and its call's node could not tell each other anything, the phone's edge
// being dead, stopped or cut off: an answer that does not arrive brings no audio, and a BYE that does not ends none. Who
// answered an edge that was killed is told nothing afterwards either: the way of the 200 died with it, and the phone gives up
// by itself, 32 s later (RFC 3261, 13.3.1.4).
func (c *caseFile) parted(l *leg) (spans []span) {
	for _, f := range c.Faults {
		of := f.Node >= 0 && l.Owner != l.Edge && (f.Node == l.Edge || f.Node == l.Owner)
		if of && (f.Kind == faultCutNodes || f.Node == l.Edge && (f.Kind == faultKill || f.Kind == faultPause)) {
			spans = append(spans, f.span)
		}
		if of && f.Kind == faultKill && f.Node == l.Edge && l.How == endedNoAck && !l.Answered.Before(f.From.Add(-answering)) && l.Answered.Before(f.To) {
			spans = append(spans, span{f.From, l.Ended})
		}
	}
	return spans
}

// mute are the times in which the agent whom a caller was given could not be told so, the phone having answered without an ACK to
// speak after; or in which the agent's hanging up could not be told.
func (c *caseFile) mute(a attempt, gap span) (spans []span) {
	in := func(at time.Time) bool { return !at.Before(gap.From.Add(-time.Second)) && at.Before(gap.To) }
	for _, l := range c.legsOf[a.Number] {
		if l.Owner == a.Node && !l.Answered.IsZero() && (in(l.Answered) || l.How == endedByPhone && in(l.Ended)) {
			spans = append(spans, c.parted(l)...)
		}
	}
	return spans
}

// killed finds the first kill of a node within a time.
func (c *caseFile) killed(node int, within span) (time.Time, bool) {
	for _, f := range c.Faults {
		if f.Kind == faultKill && f.Node == node && f.From.After(within.From) && f.From.Before(within.To) {
			return f.From, true
		}
	}
	return time.Time{}, false
}

// living is the leg that lived when another came.
func (c *caseFile) living(second *leg) *leg {
	for i := range c.Legs {
		l := &c.Legs[i]
		if l.Agent == second.Agent && l.How != endedBusy && l.Invited.Before(second.Invited) && !l.Ended.Before(second.Invited) {
			return l
		}
	}
	return nil
}

// forgotten reports whether a leg's node and its edge were both killed in its course, and so long before that nobody is
// asked to remember it: the phone is in a talk that no living node knows of, and is offered calls again (docs/cluster.md).
func (c *caseFile) forgotten(l *leg, at time.Time) bool {
	in := span{l.Invited, at.Add(-remembered)}
	_, owner := c.killed(l.Owner, in)
	_, edge := c.killed(l.Edge, in)
	return owner && edge
}

func oneLeg(c *caseFile, say func(string, ...any)) {
	more := make(map[*leg]int) // INVITEs that came during a leg; the first of them is told
	for i := range c.Legs {
		l := &c.Legs[i]
		if l.How != endedBusy {
			continue
		}
		first := c.living(l)
		if first == nil {
			say("agent %s got a second INVITE at %s (call of %s by node %d), and nothing is known of the first", l.Agent, c.at(l.Invited), l.From, l.Owner)
		} else if crossed := c.forgotten(first, l.Invited) || c.Alone && first.How == endedByFar && first.Ended.Sub(l.Invited) <= crossing; !crossed {
			if more[first]++; more[first] == 1 {
				say("agent %s got a second INVITE at %s (call of %s by node %d); of the first, of %s by node %d at node %d, the INVITE came at %s, the 200 went at %s and the end was at %s: %s",
					l.Agent, c.at(l.Invited), l.From, l.Owner, first.From, first.Owner, first.Edge, c.at(first.Invited), c.at(first.Answered), c.at(first.Ended), first.How)
			}
		}
	}
	for i := range c.Legs {
		l := &c.Legs[i]
		for j := i + 1; l.How != endedBusy && j < len(c.Legs) && c.Legs[j].Agent == l.Agent; j++ {
			if m := &c.Legs[j]; m.How != endedBusy && m.Invited.Before(l.Ended) {
				say("agent %s had two legs: %s from %s to %s, and %s from %s", l.Agent, l.From, c.at(l.Invited), c.at(l.Ended), m.From, c.at(m.Invited))
			}
		}
	}
}

func hears(c *caseFile, say func(string, ...any)) {
	for _, a := range c.Attempts {
		for _, g := range a.Gaps {
			if silent := uncovered(g, append(c.excused(a.Node, a.Invited), c.mute(a, g)...)); silent > mostSilence {
				say("caller %s at node %d heard nothing for %s from %s on (answered %s, agent %s, ended %s: %s)", a.Number, a.Node,
					silent.Round(time.Millisecond), c.at(g.From), c.at(a.Answered), c.at(a.Talked), c.at(a.Ended), a.How)
			}
		}
	}
	for _, l := range c.Legs {
		for _, g := range l.Gaps {
			if silent := uncovered(g, append(c.excused(l.Owner, l.Invited), c.parted(&l)...)); silent > mostSilence {
				say("agent %s, in a call of %s at node %d, heard nothing for %s from %s on (answered %s, ended %s: %s)", l.Agent, l.From, l.Owner,
					silent.Round(time.Millisecond), c.at(g.From), c.at(l.Answered), c.at(l.Ended), l.How)
			}
		}
	}
}

func oneRecord(c *caseFile, say func(string, ...any)) {
	for _, r := range c.Rows {
		if len(c.tries[r.From]) == 0 {
			say("record %s is of %s, who never called", r.ID, r.From)
		}
		if !r.Finished {
			say("record %s of %s was never finished", r.ID, r.From)
		}
	}
	for number, tries := range c.tries {
		rows := c.recorded[number]
		needed := 0
		for _, a := range tries {
			if _, lost := c.killed(a.Node, span{a.Invited, a.Invited.Add(recordGrace)}); !a.Heard.IsZero() && !lost {
				needed++
			}
		}
		if len(rows) < needed {
			say("%s called %d times (the first at %s, node %d) and has %d records", number, needed, c.at(tries[0].Invited), tries[0].Node, len(rows))
		}
		if len(rows) > len(tries) {
			say("%s called %d times (the first at %s) and has %d records", number, len(tries), c.at(tries[0].Invited), len(rows))
		}
	}
}

func alarmsReach(c *caseFile, say func(string, ...any)) {
	for number, tries := range c.tries {
		first, last := tries[0], tries[len(tries)-1]
		if first.Dialled != c.Alarm {
			continue
		}
		until := last.Ended
		reached := "nobody"
		for _, l := range c.legsOf[number] {
			if l.Invited.Before(until) {
				until, reached = l.Invited, "agent "+l.Agent
			}
		}
		var faults []span
		for _, f := range c.Faults {
			faults = append(faults, f.span)
		}
		took := uncovered(span{first.Invited, until}, append(faults, c.Stalls...))
		if took > alarmWithin || reached == "nobody" && last.How != endedRunning {
			say("alarm of %s at %s rang %s at %s, %s of it without a fault (%d calls, the last ended: %s)", number, c.at(first.Invited), reached,
				c.at(until), took.Round(time.Millisecond), len(tries), last.How)
		}
	}
}

func notStuck(c *caseFile, say func(string, ...any)) {
	offered := make(map[string]time.Time)
	for _, l := range c.Legs {
		if l.How == endedRunning {
			say("agent %s was left in a call of %s by node %d (INVITE %s, 200 %s) when every caller was gone", l.Agent, l.From, l.Owner, c.at(l.Invited), c.at(l.Answered))
		}
		if l.Invited.Before(c.Calm.To) {
			offered[l.Agent] = l.Invited
		}
	}
	for _, a := range c.Agents {
		if offered[a].Before(c.Calm.From) {
			say("agent %s was offered nothing from %s on, when all was whole again; the last offer was at %s", a, c.at(c.Calm.From), c.at(offered[a]))
		}
	}
}

func ownAudio(c *caseFile, say func(string, ...any)) {
	agents := make(map[string]mark)
	for i, a := range c.Agents {
		agents[a] = firstAgentMark + mark(i)
	}
	for _, l := range c.Legs {
		for m, n := range l.Marks {
			if !slices.ContainsFunc(c.tries[l.From], func(a *attempt) bool { return a.Mark == m }) {
				say("agent %s, in a call of %s at %s, heard %d packets of %d", l.Agent, l.From, c.at(l.Answered), n, m)
			}
		}
	}
	for _, a := range c.Attempts {
		for m, n := range a.Marks {
			if !slices.ContainsFunc(c.legsOf[a.Number], func(l *leg) bool { return agents[l.Agent] == m && !l.Answered.IsZero() }) {
				say("caller %s, at %s, heard %d packets of %d", a.Number, c.at(a.Answered), n, m)
			}
		}
	}
}

// oldPlace looks at those who waited for a scarce agent when their node was killed, and were let in again.
func oldPlace(c *caseFile, say func(string, ...any)) {
	for number, tries := range c.tries {
		for i, a := range tries[:len(tries)-1] {
			next := tries[i+1]
			if a.Dialled != c.Scarce || a.Answered.IsZero() || !a.Talked.IsZero() || next.Answered.IsZero() || next.Ended.Sub(next.Answered) < placeGrace {
				continue
			}
			killed, ok := c.killed(a.Node, span{a.Answered.Add(placeGrace), a.Ended})
			if !ok || slices.ContainsFunc(c.legsOf[number], func(l *leg) bool { return !l.Answered.IsZero() && l.Answered.Before(next.Invited) }) {
				continue
			}
			if !slices.ContainsFunc(c.recorded[number], func(r *row) bool {
				return r.Rejoined && !r.Started.Before(killed) && r.Since.Before(killed) && !r.Since.Before(a.Invited.Add(-time.Second))
			}) {
				say("%s waited since %s when node %d was killed at %s, called again at %s, and did not get the old place", number,
					c.at(a.Invited), a.Node, c.at(killed), c.at(next.Invited))
			}
		}
	}
}

func noOrphan(c *caseFile, say func(string, ...any)) {
	for _, l := range c.Legs {
		if l.Owner == l.Edge || l.Owner < 0 {
			continue
		}
		killed, ok := c.killed(l.Owner, span{l.Invited, l.Ended})
		if !ok {
			continue
		}
		if _, too := c.killed(l.Edge, span{l.Invited, l.Ended}); too {
			continue
		}
		if lived := uncovered(span{killed, l.Ended}, c.Stalls); lived > orphanWithin {
			say("agent %s (at node %d) was left in a call of node %d for %s after its death at %s (ended: %s)", l.Agent, l.Edge, l.Owner,
				lived.Round(time.Millisecond), c.at(killed), l.How)
		}
	}
}

func serviceOn(c *caseFile, say func(string, ...any)) {
	for _, f := range c.Faults {
		if f.length() < goesOn {
			continue
		}
		if !slices.ContainsFunc(c.Attempts, func(a attempt) bool {
			return a.Talked.After(f.From.Add(settled)) && a.Talked.Before(f.To)
		}) {
			say("no talk began from %s to %s (%s)", c.at(f.From.Add(settled)), c.at(f.To), f.Kind)
		}
	}
}
