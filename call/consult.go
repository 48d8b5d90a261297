package call

import (
	"slices"
	"time"
)

// An attended transfer, by docs/adr/0006-transfers.md: an agent talks to a caller in one call and, as the
// caller of another (the consultation), to a third party, and asks for the two to be connected. The call
// that has the caller asks (LetGo); the consultation lets its party's leg go and is over; the leg is owned
// by one of the two calls, or is in the mailbox of the one that asked, at every instant.

// referred acts on a REFER that is not from the phone of an agent who serves this call. On the caller's own
// leg it is the wish to connect the party of this call with that of another one, where the same agent
// serves: that call decides. All else is refused: who calls does not hand on who answers.
func (c *Call) referred(cmd Referred) {
	if l := c.referrer(); l != nil && l.ID() == cmd.Leg { // one wish at a time
		c.refuseReferral(cmd, CauseBusy)
		return
	}
	if c.by == "" || cmd.Leg != c.caller.ID() || cmd.Replaces == "" {
		c.refuseReferral(cmd, CauseForbidden)
		return
	}
	other, ok := c.x.ownerOf(cmd.Replaces)
	switch {
	case !ok:
		c.refuseReferral(cmd, CauseNotFound)
	case other.call == c, other.caller: // the agent made both calls: neither has a caller to be served
		c.refuseReferral(cmd, CauseForbidden)
	default:
		cmd.Leg, cmd.Replaces, cmd.To = cmd.Replaces, cmd.Leg, c.at
		if !other.call.post(cmd) {
			c.refuseReferral(cmd, CauseOverload)
		}
	}
}

// ask begins an attended transfer: it asks the call that the agent made for its party. The talk goes on
// until that call has answered.
func (t *talking) ask(cmd Referred) {
	c := t.c
	other, ok := c.x.ownerOf(cmd.Replaces)
	switch {
	case !ok:
		c.refuseReferral(cmd, CauseNotFound)
	case other.call == c, !other.caller, other.by != t.at.Agent:
		c.refuseReferral(cmd, CauseForbidden)
	case !t.accept(cmd, attendedTransfer, t.at): // before the other call is asked, since what it gives must be taken
	case !other.call.post(LetGo{By: cmd.Replaces, Reply: func(g LetGone) bool { return c.post(g) }}):
		c.endTransfer(CauseOverload)
	default:
		c.transfer.asked = true
	}
}

// letGone acts on what the other call has to give: its party, or whom it was still trying to reach, who is
// then tried for this call. changed says that what the parties hear must follow.
func (t *talking) letGone(cmd LetGone) (changed bool, next Next, moved bool) {
	c := t.c
	if c.transfer == nil || !c.transfer.asked {
		refuse(cmd)
		return false, Next{}, false
	}
	c.transfer.asked = false
	if cmd.Answer.Leg != nil {
		return false, t.take(cmd), true
	}
	why := CauseUnreachable
	if to := resolved(cmd.To); to.Kind != "" {
		c.rec.Transfers[c.transfer.record].To = whom(to)
		if why = t.unfit(to); why == CauseNone {
			return false, t.send(to), true
		}
	}
	if t.left {
		return false, c.unreached(t.at, why), true
	}
	c.endTransfer(why)
	return true, Next{}, false
}

// take has the party that was let go talk to the caller in the agent's place.
func (t *talking) take(g LetGone) Next {
	c, leg := t.c, g.Answer.Leg
	c.adopt(leg) // first of all: from here on the call's end is the leg's too, whatever happens
	party := Next{Kind: Talk, Queue: t.at.Queue, Agent: g.Answer.Agent, Number: g.Talk.Number, Leg: leg.ID()}
	if party.Agent != "" {
		c.x.Desk.Moved(party.Agent, leg.ID(), c.id, party.Queue)
	}
	c.rec.Transfers[c.transfer.record].To = whom(party)
	t.takeDown()
	t.left = true
	c.transferred()
	c.rec.Talks = append(c.rec.Talks, TalkRecord{
		Agent: party.Agent, Number: party.Number, Queue: party.Queue, Answered: time.Now(), Holds: []Hold{},
	})
	return party
}

// deserted reports whether the talk has no agent any more: one who asked for a transfer and hung up before
// the other call answered. It will answer, and the caller hears music till then.
func (t *talking) deserted() bool {
	if !t.left && t.c.transfer != nil && t.agent.Context().Err() != nil {
		t.left = true
		t.c.dropReferrer()
	}
	return t.left
}

// mayLetGo reports whether who asks for this call's party may have it: the agent who made the call, unless
// the party itself is being handed on.
func (c *Call) mayLetGo(cmd LetGo) bool {
	return c.caller != nil && cmd.By == c.caller.ID() && c.transfer == nil
}

// letGo answers a call that asks for this one's party in a stage where there is none yet: it may take where
// this call was, which is then over.
func (c *Call) letGo(cmd LetGo) (next Next, moved bool) {
	if !c.mayLetGo(cmd) {
		cmd.Reply(LetGone{})
		return Next{}, false
	}
	if !cmd.Reply(LetGone{To: c.at}) {
		return Next{}, false
	}
	return c.gaveAway(), true
}

// gaveAway is the Next of a call whose party, or whose try at one, another call has taken.
func (c *Call) gaveAway() Next {
	c.release(BySystem)
	return c.over(ReasonTransferred)
}

// give hands the party of a talk to the call that asks for it, and reports whether it was taken; if not,
// the leg is still this call's.
func (c *Call) give(to LetGo, a Answer, talk int) (taken bool) {
	a.Leg.Attach(nil)
	delete(c.legs, a.Leg.ID())
	c.x.disown(a.Leg.ID(), c)
	record := c.rec.Talks[talk]
	record.Holds = slices.Clone(record.Holds)
	if !to.Reply(LetGone{Answer: a, Talk: record}) {
		c.adopt(a.Leg)
		return false
	}
	c.lastOf(a.Leg)
	c.closeTalk(talk, time.Now())
	return true
}

// letGo answers a call that asks for the party of this talk.
func (t *talking) letGo(cmd LetGo) (changed bool, next Next, moved bool) {
	c := t.c
	if !c.mayLetGo(cmd) || t.agent.Context().Err() != nil {
		cmd.Reply(LetGone{})
		return false, Next{}, false
	}
	t.takeDown()
	a := Answer{Agent: t.at.Agent, Queue: t.at.Queue, Leg: t.agent, At: t.record().Answered}
	if !c.give(cmd, a, t.talk) {
		return true, Next{}, false
	}
	t.left = true
	return false, c.gaveAway(), true
}

// letGo answers a call that asks for the agent who is being rung. The seat is given up first, so that the
// phone is on its way to being free when that call rings it; an agent who has answered is handed over.
func (w *waiting) letGo(cmd LetGo) (next Next, moved bool) {
	c := w.c
	if !c.mayLetGo(cmd) {
		cmd.Reply(LetGone{})
		return Next{}, false
	}
	if !w.seat.Leave(CauseWithdrawn) {
		a := <-w.seat.Answered()
		next = w.answered(a)
		if next.Kind == Talk && c.give(cmd, a, len(c.rec.Talks)-1) {
			return c.gaveAway(), true
		}
		if next.Kind != Talk {
			cmd.Reply(LetGone{})
		}
		return next, true
	}
	w.close()
	return c.letGoOf(cmd, w.at), true
}

// letGoOf offers where this call was going, of which nothing is left behind. If it is not taken, the call
// goes there again.
func (c *Call) letGoOf(cmd LetGo, at Next) Next {
	if cmd.Reply(LetGone{To: at}) {
		return c.gaveAway()
	}
	return at
}
