package sip

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
)

// A leg that goes through another node outlives that node: audio goes direct, and the phone registers elsewhere. What its
// owner asks of the phone then goes by way of that node, which adopts the leg.

// rerouteWithin is for how long, in T1, a leg that was hung up waits for a way to its phone, whose node is dead: 5 min, in which
// a phone has found another.
const rerouteWithin = 600

// Dialog is the leg's Call-ID.
func (l *leg) Dialog() string { return callIDOf(l.key) }

// Reroute has what is asked of an agent's phone within the leg's dialog go by way of the node at door (HOST:PORT, see
// [UA.SiteAddr]), at which the phone is registered now, since the node that the leg went through is dead. The phone is asked
// for a sign of life there at once, so that the node knows of the leg, and takes what the phone has to say; or it is
// told that the leg has ended, if that could not be told before. It does nothing for a leg that went through no other node, or
// that the phone has ended.
func (l *leg) Reroute(door string) {
	at := parsePeer(door)
	if !at.IsValid() || l.ua.site == nil {
		l.ua.log.Error("node with no address to reach a phone by", zap.String("agent", l.agent), zap.String("address", door))
		return
	}
	l.mu.Lock()
	if !l.d.Relayed || l.d.By == nil || l.farGone {
		l.mu.Unlock()
		return
	}
	fresh := l.d.reroute(at)
	l.followed()
	hurry := l.hurry
	l.mu.Unlock()
	l.ua.site.peers.met(at.Addr())
	if fresh {
		l.ua.log.Info("leg goes on by way of the phone's new node", zap.String("leg", string(l.id)), zap.String("agent", l.agent),
			zap.Stringer("door", at))
		if hurry != nil {
			(*hurry)()
		}
	}
	select {
	case l.moved <- struct{}{}:
	default: // told already
	}
	if fresh && l.ctx.Err() == nil {
		l.ua.ask(l)
	}
}

// reroute changes the way of a dialog; false when that is as it was.
func (d *dialog) reroute(at netip.AddrPort) bool {
	if d.Moved && d.Peer == at {
		return false
	}
	d.Moved, d.Peer = true, at
	d.Routes = slices.DeleteFunc(slices.Clone(d.Routes), func(route string) bool {
		return strings.HasPrefix(userIn(uriIn(route)), relayMark) // of the node that is dead
	})
	return true
}

// hastens has what waits for an answer give up when there is a new way to the phone. The caller holds l.mu, and calls what it
// returns without it.
func (l *leg) hastens(give func()) (done func()) {
	mine := &give
	l.hurry = mine
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.hurry == mine { // else a BYE waits, which came later
			l.hurry = nil
		}
	}
}

// dispatchableIn is dispatchable for a request in a dialog.
func (u *UA) dispatchableIn(d *dialog, req *sipmsg.Request, h hop) {
	u.dispatchable(req, h)
	if !d.Moved || d.By == nil || u.site == nil {
		return
	}
	header := legHeader{
		legOwner: *d.By, agent: d.Agent, method: string(req.Method), dialog: d.CallID, from: d.LocalTag, to: d.RemoteTag,
		seq: req.CSeq().SeqNo, sentBy: req.Via().SentBy(),
	}
	req.AppendHeader(sipmsg.NewHeader(headerLeg, header.signed(u.site.o.Secret)))
}

// strayed reports whether a response is not the phone's, but that of a node which could not reach it.
func (l *leg) strayed(res *sipmsg.Response) bool {
	return l.relayed && res.GetHeader(headerRefused) != nil
}

// awaitWay waits for a way to the phone of a leg that was hung up; false when there will be none.
func (l *leg) awaitWay(limit <-chan time.Time) bool {
	select {
	case <-l.moved:
		return true
	case <-l.gone:
	case <-limit:
	case <-l.ua.ctx.Done():
	case <-l.ua.patience.Done():
	}
	return false
}
