package sip

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/media"
)

// admit is the door: it decides who may call, and where the number dialled leads. A source that holds a
// registered flow is an agent first, and must prove it; a trunk is known by its address, or by what its carrier was told to
// call when we registered there, or by a connection that we made to it, and nobody else. An edge proxy is one source
// for both: what came through one, and does not claim to be an agent registered there, is the trunk's, if it is one.
func (u *UA) admit(x *exchange) (in call.Incoming, refused *sipmsg.Response) {
	in.To = dialled(&x.req.Recipient)
	p := u.plan()
	t, registered := p.contact(in.To)
	trunk := registered
	if registered {
		in.To = calledParty(x.req)
		u.sentry.guesses.homes.settles(carrierSpace+t.name, t.reg.secret(), x.src.addr.Addr(), homesTrunk, time.Now())
	} else if t = u.over(p, x.src, in.To); t != nil {
		trunk = true
	} else {
		t, trunk = p.match(x.src.addr.Addr())
	}
	if !registered && u.isAgent(x, trunk) {
		agent, challenge := u.registrar.authenticate(x.req)
		if challenge != nil {
			return in, challenge
		}
		in.Agent, in.From = agent, agent
		at, why := u.reach(agent, x.src.addr.Addr(), in.To)
		if why != call.CauseNone {
			if why == call.CauseNotFound {
				u.notOutside(agent, in.To, "", dialNoRule)
			}
			return in, x.response(statusOf(why), nil)
		}
		in.At = at
		return in, nil
	}
	if !trunk {
		var challenge *sipmsg.Response
		if t, in.At, challenge = p.logins.admit(x.req, in.To); challenge != nil {
			return in, challenge
		}
	}
	if t == nil {
		return in, x.response(statusOf(call.CauseForbidden), nil)
	}
	return t.admit(x, in)
}

// admit routes a call that is the trunk's.
func (t *trunk) admit(x *exchange, in call.Incoming) (call.Incoming, *sipmsg.Response) {
	at, ok := t.route(in.To)
	if !ok && t.begins(in.To) {
		return in, x.response(sipmsg.StatusAddressIncomplete, nil)
	}
	if !ok {
		return in, x.response(statusOf(call.CauseNotFound), nil)
	}
	in.Trunk, in.At, in.Private = t.name, at, private(x.req)
	if t.doubted {
		in.From, in.Unproven = t.numbering.shown(saidCaller(x.req)), true
		return in, nil
	}
	in.From, in.Diverted = t.numbering.shown(callerOf(x.req)), diverted(x.req)
	return in, nil
}

// isAgent tells whether a request is to be taken for an agent's; trunk says whether its source is a trunk's.
func (u *UA) isAgent(x *exchange, trunk bool) bool {
	if _, flow := u.registrar.agentAt(x.src.transport, x.src.addr); !flow {
		return false
	}
	if !trunk || !proxied(x.req) {
		return true
	}
	return u.registrar.registeredAt(x.src.transport, x.src.addr, x.req.From().Address.User)
}

// proxied reports whether a request has passed a proxy, which leaves its Via (RFC 3261 section 16.6, step 8).
func proxied(req *sipmsg.Request) bool { return count(req, nameVia) > 1 }

// agentRoute is where a number leads that an agent's phone dials: as for the trunk at its address, else as
// for the first trunk that has the number.
func (u *UA) agentRoute(from netip.Addr, number string) (call.Next, bool) {
	if t, ok := u.plan().match(from); ok {
		if at, ok := t.route(number); ok {
			return at, true
		}
	}
	for _, t := range u.plan().list {
		if at, ok := t.route(number); ok {
			return at, true
		}
	}
	return call.Next{}, false
}

// incoming takes an INVITE outside any dialog, and returns when its call is over (RFC 3261 section
// 13.3.1).
func (u *UA) incoming(x *exchange) {
	received := arrivedAt(x.req)
	in, refused := u.door(x)
	if u.unready() != nil && (refused != nil && !challenges(refused) || !u.alarmUnready(&in)) {
		x.reply(statusOf(call.CauseShutdown))
		return
	}
	if refused == silence {
		return // counted where it was judged
	}
	if refused != nil {
		u.limited(zap.InfoLevel, "call refused at the door", zap.Int("code", refused.StatusCode),
			zap.Stringer("source", x.src.shown()), zap.String("to", masked(in.To)))
		if x.stranger && reliable(x.src.transport) && !challenges(refused) {
			u.sentry.offended(x.src.addr.Addr(), banCalls)
		}
		_ = x.send(refused) // logged there
		return
	}
	if u.refusedTimer(x) {
		return
	}
	x.tryLater()
	key := mergeKey(x.req)
	if !u.legs.claim(key) {
		x.reply(sipmsg.StatusLoopDetected)
		return
	}
	defer u.legs.unclaim(key)
	free, shed, full := u.place(&in, cameAt(x.req))
	if full != 0 {
		x.reply(full)
		return
	}
	var l *leg
	defer func() {
		if l == nil {
			free()
		}
	}()
	if l = u.answerable(x, &in, received, free); l == nil {
		return
	}
	if lasts := lifetime(x.req); lasts > 0 {
		l.lapseAt(received.Add(lasts))
	}
	in.Leg, in.Received, in.Shed = l, received, shed
	u.own(x, l, in)
}

// challenges tells whether a refusal asks for a password, with which the same call may come again. That is no fault of who
// calls; a wrong one is noted where it is judged.
func challenges(refused *sipmsg.Response) bool {
	return refused.StatusCode == sipmsg.StatusUnauthorized
}

// own gives a call to OnIncoming. A leg that has no owner when that returns is hung up, and so is one whose
// owner panicked; one that somebody else has taken meanwhile keeps its INVITE's handler until it ends.
func (u *UA) own(x *exchange, l *leg, in call.Incoming) {
	u.ladder.name(callIDOf(l.key), in)
	returned := false
	defer func() {
		if !returned || !l.owned() {
			l.Hangup(call.CauseError)
			return
		}
		<-l.ctx.Done()
	}()
	up := l.up
	cancelled := func(cancel *sipmsg.Request) {
		x.cancelled()
		if l := up.Load(); l != nil {
			l.cancelled(arrivedAt(cancel))
		}
	}
	if !x.tx.OnCancel(cancelled) { // a CANCEL came before there was anybody to tell of it
		if !x.final.Load() {
			x.cancelled() // else finish would end the transaction, and with it the 487
		}
		l.cancelled(time.Now())
	} else if u.o.OnIncoming != nil {
		u.o.OnIncoming(u.ctx, in)
	}
	returned = true
}

// acquainted tells whether a host is a trunk, of those that call us or that we call, has an agent's phone registered, or is
// where a password was proved in the last days: a phone that registers anew after a night, or after our restart, and a carrier
// who logs in, are not to be kept out by who floods.
func (u *UA) acquainted(host netip.Addr) bool {
	if _, ok := u.plan().match(host); ok || u.plan().calledAt(host) {
		return true
	}
	return u.registrar.registeredFrom(host) || u.site != nil && u.site.peers.know(host) ||
		u.sentry.guesses.homes.known(host, time.Now())
}

// expects tells whether a message is an INVITE to what a trunk's carrier alone was told to call.
func (u *UA) expects(o *outline) bool {
	if o.method() != sipmsg.INVITE {
		return false
	}
	_, uri, _ := strings.Cut(o.start, " ")
	_, ok := u.plan().contact(userIn(uri))
	return ok
}

// statusWithout is the status owed to a new call that there is no stream for: without a port left it is refused as any that the
// hotline has no place for, by its class.
func (u *UA) statusWithout(in *call.Incoming, err error) int {
	if errors.Is(err, media.ErrNoPorts) {
		return overloads[u.calls.classOf(in.At, in.Agent != "")]
	}
	return statusOfMedia(err)
}

// answerable makes the leg of an INVITE whose offer, if it has one, we can answer; it calls free when it ends.
// Otherwise it answers with the status due, and returns nil.
func (u *UA) answerable(x *exchange, in *call.Incoming, received time.Time, free func()) *leg {
	agent := in.Agent
	d, err := dialogOfInvite(x, agent)
	if err != nil {
		x.reply(sipmsg.StatusBadRequest)
		return nil
	}
	offer := x.req.Body()
	stream, err := u.openStream(media.StreamOptions{
		Signalling: x.src.addr.Addr(), Secure: u.securityOf(in), Codecs: u.codecsOf(in), Advertise: u.audioAt(d.hop(), offer),
	})
	if err != nil {
		u.limited(zap.WarnLevel, "no stream for a call", zap.Error(err))
		x.reply(u.statusWithout(in, err))
		return nil
	}
	var answer []byte
	if len(offer) > 0 {
		answer, err = stream.Answer(offer)
	}
	if err != nil {
		u.limited(zap.InfoLevel, "offer refused", zap.Stringer("source", x.src.shown()), zap.Error(err))
		x.reply(u.statusWithout(in, err), warningsOfMedia(err)...)
		if err := stream.Close(); err != nil {
			u.log.Warn("stream of a refused call not closed", zap.Error(err))
		}
		return nil
	}
	l := u.newLeg(d, stream)
	l.invite, l.received, l.answer, l.reliably, l.free = x, received, answer, reliablyFor(x.req), free
	l.up = new(atomic.Pointer[leg])
	l.up.Store(l)
	u.legs.enter(l)
	if agent != "" {
		u.registrar.dialled(agent, d.CallID)
	}
	// Another phone may have taken the agent's place since the door, when the leg did not yet keep it.
	if agent != "" && !u.registrar.registeredAt(x.src.transport, x.src.addr, agent) {
		l.Hangup(call.CauseForbidden)
		return nil
	}
	if u.ctx.Err() != nil { // Close may have hung up all legs just before this one
		l.Hangup(call.CauseShutdown)
		return nil
	}
	return l
}

// mergeKey is what an INVITE has in common with itself having come another way (RFC 3261 section
// 8.2.2.2).
func mergeKey(req *sipmsg.Request) string {
	return dialogID(req.CallID().Value(), req.From().Params.GetOr("tag", ""), strconv.FormatUint(uint64(req.CSeq().SeqNo), 10))
}
