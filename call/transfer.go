package call

import (
	"time"

	"go.uber.org/zap"
)

// A transfer, by docs/adr/0006-transfers.md. The agent whose phone asked stays on the line, with the bridge
// down and the caller hearing music, until it is decided: so it can be taken back, and no talk ends before
// the next one has begun. The call meanwhile is in Wait (one agent, once) or Dial (a number), or, while
// another call is asked for its party (consult.go), still in Talk.

// maxTransfers bounds what one call remembers of transfers: a phone may ask again and again.
const maxTransfers = 32

// reflex is how soon after it has heard that a transfer is not to be a phone hangs up by itself (baresip does), its
// BYE lost twice (0.5 s and 1 s, RFC 3261 section 17.1.2.2). The person at it wanted somebody else to have the
// caller, and has left nobody in the lurch.
const reflex = 2 * time.Second

// spurned is an agent's leg whose phone was told that the transfer it asked for is not to be, and when.
type spurned struct {
	leg      LegID
	at       time.Time
	referral Referral
}

// hungUpOn reports whether a hang-up of that leg is the reflex. What the phone was told may have been lost and sent
// again, so it counts from when it was heard.
func (s spurned) hungUpOn(leg LegID, at time.Time) bool {
	if s.referral == nil || s.leg != leg {
		return false
	}
	since := s.at
	if heard := s.referral.Heard(); heard.After(since) {
		since = heard
	}
	return at.Sub(since) < reflex
}

// The kinds of a transfer, in the record and as a metric's label.
const (
	blindTransfer    = "blind"
	attendedTransfer = "attended"
)

// How a transfer ended other than with a Cause: the record's done, and the label of one that was refused,
// which no record has.
const (
	transferDone    = "done"
	transferRefused = "refused"
)

// transfer is a wish of an agent's phone that was accepted and is not decided yet. A call has one at most.
type transfer struct {
	referral Referral
	// record and talk are the indexes of the transfer, and of the asking agent's talk, in the record.
	record, talk int
	// back is that agent's talk. Its leg is among the call's until the agent hangs up.
	back Next
	// turned is the talk as it was, where the agent who asked had made the call; nil otherwise. See turn.
	turned *Next
	// asked: another call was asked to let its party go, and will answer by LetGone.
	asked bool
	// rang: the phone was told that the new party is being rung.
	rang bool
}

// referred acts on a REFER from the phone of the agent whose part of the call by is. A transfer to a queue or a menu is
// done at once; one to a person has the agent stay.
func (t *talking) referred(cmd Referred, by Next) (next Next, moved bool) {
	cmd.To = t.surveyed(resolved(cmd.To))
	c, to := t.c, cmd.To
	why := t.refusal()
	if why == CauseNone && cmd.Replaces == "" {
		why = t.unfit(to)
	}
	if why != CauseNone {
		c.refuseReferral(cmd, why)
		return Next{}, false
	}
	if cmd.Replaces != "" {
		t.ask(cmd)
		return Next{}, false
	}
	if !t.accept(cmd, blindTransfer, by) {
		return Next{}, false
	}
	if by.Leg != t.at.Leg {
		t.turn(by)
	}
	return t.send(to), true
}

// refusal is why no transfer may begin now; CauseNone if one may. Nobody is handed on before the parties
// were joined, since what has to be said to the caller was not said yet.
func (t *talking) refusal() Cause {
	switch {
	case t.record().Joined == nil, t.c.transfer != nil:
		return CauseBusy
	case len(t.c.rec.Transfers) >= maxTransfers:
		return CauseOverload
	default:
		return CauseNone
	}
}

// unfit is why the other party cannot be sent there; CauseNone if it can. Neither of the two who talk can
// be the third.
func (t *talking) unfit(to Next) Cause {
	c := t.c
	now, _ := c.x.settings()
	_, queue := now.Queues[to.Queue]
	switch {
	case to.Kind == Wait && to.Agent != "":
		if to.Agent == t.at.Agent || to.Agent == c.by {
			return CauseForbidden
		}
	case to.Kind == Wait && queue, to.Kind == Menu:
	case to.Kind == Dial && to.Number != "":
		if c.x.Dialer == nil {
			return CauseForbidden
		}
	default:
		return CauseNotFound
	}
	return CauseNone
}

// resolved is the stage that a Route leads to; what is no Route stays as it is.
func resolved(to Next) Next {
	switch {
	case to.Kind != Route:
		return to
	case to.Menu != "":
		return Next{Kind: Menu, Menu: to.Menu}
	default:
		return Next{Kind: Wait, Queue: to.Queue, Agent: to.Agent, Once: to.Once, Else: to.Else}
	}
}

// accept begins a transfer; false when it is too late for that: the phone has given up, or was told to.
func (t *talking) accept(cmd Referred, kind string, by Next) bool {
	c := t.c
	if !cmd.Referral.Accept() {
		c.refuseReferral(cmd, CauseCancel)
		return false
	}
	c.rec.Transfers = append(c.rec.Transfers, Transfer{
		At: cmd.At, By: by.Agent, Kind: kind, To: whom(resolved(cmd.To)),
	})
	c.transfer = &transfer{referral: cmd.Referral, record: len(c.rec.Transfers) - 1, talk: t.talk, back: by}
	c.log.Info("transfer", zap.String("kind", kind), zap.String("by", by.Agent))
	return true
}

// send is the Next of a transfer under way to a party that is not talked to yet.
func (t *talking) send(to Next) Next {
	switch {
	case to.Kind == Wait && to.Agent != "":
		// Whose figures these are does not change with the person, so the queue stays.
		return Next{Kind: Wait, Queue: t.at.Queue, Agent: to.Agent, Once: true}
	case to.Kind == Dial:
		return Next{Kind: Dial, Queue: t.at.Queue, Number: to.Number}
	}
	t.c.endTransfer(CauseNone)
	if to.Kind == Menu {
		return Next{Kind: Menu, Menu: to.Menu}
	}
	return Next{Kind: Wait, Queue: to.Queue}
}

// whom is a transfer's target as the record has it.
func whom(to Next) string {
	switch {
	case to.Number != "":
		return "number:" + to.Number
	case to.Agent != "":
		return "agent:" + to.Agent
	case to.Menu != "":
		return "menu:" + to.Menu
	default:
		return "queue:" + to.Queue
	}
}

// refuseReferral answers a REFER that leads to nothing.
func (c *Call) refuseReferral(cmd Referred, why Cause) {
	cmd.Referral.Refuse(why)
	c.spurned = spurned{cmd.Leg, time.Now(), cmd.Referral}
	kind := blindTransfer
	if cmd.Replaces != "" {
		kind = attendedTransfer
	}
	c.x.metrics.transfers.WithLabelValues(kind, transferRefused).Inc()
	c.log.Info("transfer refused", zap.String("kind", kind), zap.String("cause", string(why)))
}

// endTransfer decides the transfer under way, if there is one: the phone that asked is told, once.
func (c *Call) endTransfer(why Cause) {
	if c.transfer == nil {
		return
	}
	tr := &c.rec.Transfers[c.transfer.record]
	tr.Ended, tr.How = new(time.Now()), transferDone
	if why != CauseNone {
		tr.How = string(why)
		c.spurned = spurned{c.transfer.back.Leg, *tr.Ended, c.transfer.referral}
	}
	c.transfer.referral.Done(why)
	c.transfer = nil
}

// targetRings tells the phone that asked that the new party is being rung, once.
func (c *Call) targetRings() {
	if c.transfer != nil && !c.transfer.rang {
		c.transfer.rang = true
		c.transfer.referral.Ringing()
	}
}

// referrer is the leg of the agent who asked for the transfer under way; nil when there is none any more.
func (c *Call) referrer() Leg {
	if c.transfer == nil {
		return nil
	}
	return c.legs[c.transfer.back.Leg]
}

// referrerGone is closed when the leg of the agent who asked has ended; it never is without one.
func (c *Call) referrerGone() <-chan struct{} {
	if l := c.referrer(); l != nil {
		return l.Context().Done()
	}
	return nil
}

// dropReferrer ends the part of the agent who asked for a transfer: it is decided, or the agent has hung up
// and leaves it to us. That is a handing over, which is no hang-up of the agent's.
func (c *Call) dropReferrer() {
	if l := c.referrer(); l != nil {
		c.closeTalk(c.transfer.talk, c.drop(l, CauseBye).At)
	}
}

// transferred ends a transfer whose new party has answered.
func (c *Call) transferred() { c.settleTransfer(CauseNone) }

// settleTransfer ends the transfer under way, if there is one, and the part of the agent who asked for it.
func (c *Call) settleTransfer(why Cause) {
	tr, leg := c.transfer, c.referrer()
	c.endTransfer(why) // before the BYE, so that the phone hears what became of it
	if leg != nil {
		c.closeTalk(tr.talk, c.drop(leg, CauseBye).At)
	}
}

// unreached is the Next after the one try at somebody came to nothing: back to the agent who asked for it,
// else to the head of the queue, else the call is over.
func (c *Call) unreached(at Next, why Cause) Next {
	if c.transfer != nil {
		at = c.transfer.back
		stays := c.referrer() != nil && c.referrer().Context().Err() == nil
		if !stays {
			c.dropReferrer()
		}
		turned := c.transfer.turned
		c.endTransfer(why)
		switch {
		case stays && turned != nil:
			return c.turnBack(at, *turned)
		case stays:
			return at
		}
	}
	return c.backToQueue(at.Queue, reasonOf(why))
}

// backToQueue is the Next of a caller who lost the party served by: the head of the queue. A call that came
// through no queue ends, for the reason given.
func (c *Call) backToQueue(queue string, why Reason) Next {
	if queue == "" {
		c.release(BySystem)
		return c.over(why)
	}
	return Next{Kind: Wait, Queue: queue, Front: true, Lost: true}
}

// hold writes down in a talk that one put the other on hold, or took it back (RFC 3264 section 8.4).
func (c *Call) hold(talk int, held bool, at time.Time) {
	if held == c.held {
		return
	}
	c.held = held
	defer c.lookAhead()
	t := &c.rec.Talks[talk]
	if held {
		t.Holds = append(t.Holds, Hold{From: at})
	} else { // its end may have come before it, and have been looked at after it
		open := &t.Holds[len(t.Holds)-1]
		open.To = new(later(open.From, at))
	}
}

// later is the later of two instants.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// heldBy takes in a hold, or its end, by the agent who asked for a transfer, who may be talked to again.
func (c *Call) heldBy(leg LegID, held bool, at time.Time) {
	if l := c.referrer(); l != nil && l.ID() == leg {
		c.hold(c.transfer.talk, held, at)
	}
}

// closeTalk writes the end of an agent's part, or the caller's end if that was first. A hold that is open
// ends with it.
func (c *Call) closeTalk(i int, ended time.Time) {
	talk := &c.rec.Talks[i]
	if talk.Ended != nil {
		return
	}
	if c.left() {
		if end, _ := EndOf(c.caller); end.At.Before(ended) {
			ended = end.At
		}
	}
	if open := len(talk.Holds) - 1; open >= 0 && talk.Holds[open].To == nil {
		c.hold(i, false, ended)
	}
	talk.Ended = &ended
	for _, by := range []Release{c.rec.Release, BySystem} { // the call may go on without this agent
		if talk.Release == "" {
			talk.Release = by
		}
	}
}

// closeTalks closes what a fault, or the caller's end in the middle of a transfer, left open.
func (c *Call) closeTalks(ended time.Time) {
	for i := range c.rec.Talks {
		c.closeTalk(i, ended)
	}
}
