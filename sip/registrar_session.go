package sip

import (
	"net/netip"
	"slices"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// losersPerAgent bounds the phones that are remembered for one agent as having lost the place. One
// that is forgotten counts as a phone that comes anew.
const losersPerAgent = 4

// session is what tells one phone's registrations from another's.
type session struct {
	// callID is that of all REGISTERs from one start of the phone to the next (RFC 3261 section 10.2.4).
	callID   string
	instance string     // RFC 5626 section 4.1; outlives a restart; may be empty
	contact  sipmsg.Uri // as it was given
	source   netip.AddrPort
}

// loser is a phone whose place another one took.
type loser struct {
	session
	told bool // that it was refused is in the log
}

// samePhone reports whether two sessions are of one phone: of one start, of one instance, or, where they
// do not both name an instance, with one contact at one host. A phone that has restarted has no calls
// any more, so it needs nobody's leave to register.
func (s *session) samePhone(o *session) bool {
	switch {
	case s.callID == o.callID:
		return true
	case s.instance != "" && o.instance != "":
		return s.instance == o.instance
	default:
		return s.source.Addr() == o.source.Addr() && sameContact(&s.contact, &o.contact)
	}
}

// session is that of the phone which is bound.
func (b *binding) session() session {
	return session{callID: b.callID, instance: b.instance, contact: b.display, source: b.flow.source}
}

// succeed takes over what is remembered of the places lost: by the phone before, if it was another one, and
// not any more by this one.
func (b *binding) succeed(old *binding) {
	mine, before := b.session(), old.session()
	b.losers = slices.DeleteFunc(slices.Clone(old.losers), func(l loser) bool { return l.samePhone(&mine) })
	if before.samePhone(&mine) {
		return
	}
	if len(b.losers) == losersPerAgent {
		b.losers = b.losers[1:]
	}
	b.losers = append(b.losers, loser{session: before})
}

// contestLocked decides whether a phone may have, or clear, the place that b holds. One agent has one live
// session: another phone gets the place only while the agent is idle or b's flow is lost, and whoever
// lost it is refused until it starts anew, or b is gone.
func (r *registrar) contestLocked(b *binding, by *session, from netip.AddrPort) *refusedError {
	holder := b.session()
	if b.lost || by.samePhone(&holder) {
		return nil
	}
	for i := range b.losers {
		l := &b.losers[i]
		if l.callID != by.callID {
			continue
		}
		if !l.told {
			l.told = true
			r.contested("phone that lost the agent's place refused", b, from)
		}
		return anotherPhone(registerSuperseded, "another phone has taken this agent's place; restart this one to take it back")
	}
	if r.o.busy(b.agent) || r.occupiedLocked(b.agent) {
		r.contested("second phone refused while the agent is busy", b, from)
		return anotherPhone(registerBusy, "this agent is on a call at another phone")
	}
	return nil
}

// current tells whether a flow is still a way to its agent's phone.
func (r *registrar) current(agent string, f flow) bool {
	return slices.ContainsFunc(r.ways(agent), func(now flow) bool { return now.serial == f.serial })
}

// contested logs a refusal, as often as the quota allows: a phone may ask again each second.
func (r *registrar) contested(line string, b *binding, from netip.AddrPort) {
	r.limited(zap.WarnLevel, line, zap.String("agent", b.agent),
		zap.Stringer("source", from), zap.Stringer("holder", b.flow.shown()))
}

// limited logs a line that a stranger or a phone gone wild can cause, as often as the quota allows.
func (r *registrar) limited(level zapcore.Level, line string, fields ...zap.Field) {
	if n, ok := r.quota.take(line); ok {
		r.o.logger.Log(level, line, append(fields, unlogged(n))...)
	}
}

// anotherPhone is the refusal of a phone whose agent is registered elsewhere. The Warning is for the person
// at the phone (RFC 3261 section 20.43: 399 is any text).
func anotherPhone(outcome, why string) *refusedError {
	return &refusedError{
		code: sipmsg.StatusForbidden, reason: reason(sipmsg.StatusForbidden), outcome: outcome,
		header: sipmsg.NewHeader("Warning", `399 `+serverName+` "`+why+`"`),
	}
}
