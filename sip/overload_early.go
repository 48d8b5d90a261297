package sip

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// An INVITE that has a transaction of its own, a 100, a 486 that is repeated and an ACK to take it costs several times what it
// takes to see that it cannot be let in. In overload that is what is left of the processor, so trunks' INVITEs over UDP are refused
// without a state from their first look (RFC 3261 sections 8.2.7 and 16.11, RFC 7339 section 4): the same answer as often as they
// come, and their ACKs dropped. Whatever is not plain goes the long way, which decides alone who is let in.

// firstLooks remembers for a while what became of INVITEs at their first look, so that their repetitions have the same: a
// transaction that has begun is not to be ended by another answer, nor one to begin that was ended (RFC 3261 section 17.2). What
// is kept is bounded, 1 MiB from the first INVITE on, which is 2,000 INVITEs a second for lookFor·T1: of those that there is no
// room for it forgets one that was turned away before one that was let in, since that would most likely be turned away again,
// by the very same answer. It may be used from any goroutine.
type firstLooks struct {
	seed  maphash.Seed
	began time.Time
	mu    sync.Mutex
	sets  [][looksEach]firstLook // lookSets; nil before the first
}

// firstLook takes 16 octets.
type firstLook struct {
	key uint64
	at  lookTime
}

// lookTime is when, in nanoseconds since firstLooks.began; its last bit, what became of the INVITE. 0 is none.
type lookTime int64

func (t lookTime) turned() bool { return t&1 != 0 }

// A look has one set to be in, and any place there.
const (
	lookSets  = 1 << 13
	looksEach = 1 << 3
	// lookFor is how long, in T1, an INVITE may be repeated (RFC 3261 section 17.1.1.2, timer B).
	lookFor = 64
)

func newFirstLooks() *firstLooks { return &firstLooks{seed: maphash.MakeSeed(), began: time.Now()} }

// key is what repetitions of one INVITE have in common.
func (p *firstLooks) key(o *outline) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, k := range [...]kind{viaKind, fromKind, callIDKind, cseqKind} {
		_, _ = h.WriteString(o.first[k]) // it cannot fail
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (p *firstLooks) add(key uint64, turned bool, now time.Time) {
	at := lookTime(now.Sub(p.began))&^1 + 2 // never 0
	if turned {
		at |= 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sets == nil {
		p.sets = make([][looksEach]firstLook, lookSets)
	}
	set := &p.sets[key%uint64(len(p.sets))]
	least := 0
	for i := range set {
		if set[i].key == key {
			least = i
			break
		}
		if p.worth(set[i].at, at) < p.worth(set[least].at, at) {
			least = i
		}
	}
	set[least] = firstLook{key, at}
}

// worth is greater for what is to be forgotten later.
func (p *firstLooks) worth(at, now lookTime) lookTime {
	const longest = lookTime(10 * time.Minute) // more than any lookFor·T1
	if at == 0 || at.turned() || now-at > longest {
		return at - longest
	}
	return at
}

// of is what became of an INVITE at its first look, since then; false: there was none.
func (p *firstLooks) of(key uint64, since time.Time) (turned, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sets == nil {
		return false, false
	}
	for _, l := range p.sets[key%uint64(len(p.sets))] {
		if l.key == key && l.at != 0 {
			return l.at.turned(), l.at > lookTime(since.Sub(p.began))
		}
	}
	return false, false
}

// turnedAway decides by the outline of a datagram of somebody known whether it needs no parser: an INVITE that is refused for load,
// whose fault is set then, or the ACK of such a refusal, which is gone.
func (u *UA) turnedAway(o *outline, src netip.AddrPort, now time.Time) (refused, gone bool) {
	method := o.method()
	if method == sipmsg.ACK {
		return false, now.Sub(time.Unix(0, u.turned.Load())) <= lookFor*u.o.T1 && u.acksTurned(o)
	}
	inDialog := strings.Contains(o.first[toKind], ";tag=")
	return method == sipmsg.INVITE && !inDialog && u.turnsInvite(o, src, now), false
}

func (u *UA) turnsInvite(o *outline, src netip.AddrPort, now time.Time) bool {
	key := u.looks.key(o)
	turned, again := u.looks.of(key, now.Add(-lookFor*u.o.T1))
	if again && !turned {
		return false
	}
	k, ok := u.turnable(o, src)
	if !again {
		turned = ok && !u.lives(o) && u.load.turns(k, time.Duration(u.queued.Load()), now)
		u.looks.add(key, turned, now)
		if turned {
			u.metrics.admission(k, admitNot)
		}
	}
	if turned {
		o.fault = fault{code: overloads[classRest]} // as menus have it
		u.turned.Store(now.UnixNano())
	}
	return turned
}

// lives tells whether an INVITE, or a CANCEL's, is of a call that is in, whatever was forgotten of its first look.
func (u *UA) lives(o *outline) bool {
	number, _, _ := strings.Cut(o.first[cseqKind], " ")
	return u.legs.invited(dialogID(o.first[callIDKind], tagIn(o.first[fromKind]), strings.TrimLeft(number, "0")))
}

// turnable is the class of an INVITE that may be refused unread: a trunk's, to one of its numbers as they are written there,
// which is not one that only alarms have.
func (u *UA) turnable(o *outline, src netip.AddrPort) (class, bool) {
	if !u.load.pressed.Load() || u.unready() != nil {
		return 0, false
	}
	if _, agent := u.registrar.agentAt(transportUDP, src); agent {
		return 0, false
	}
	t, ok := u.plan().match(src.Addr())
	if !ok {
		return 0, false
	}
	_, uri, _ := strings.Cut(o.start, " ")
	at, ok := t.numbers[userIn(uri)]
	if !ok {
		return 0, false
	}
	k := u.calls.classOf(at, false)
	return k, k < classAgent
}

// acksTurned tells whether an ACK is of a refusal of ours that has no transaction, by the tag that it made.
func (u *UA) acksTurned(o *outline) bool {
	via, ok := o.answerVia()
	number, method, _ := strings.Cut(o.first[cseqKind], " ")
	if !ok || strings.TrimSpace(method) != string(sipmsg.ACK) {
		return false
	}
	invite := *o
	invite.first[cseqKind] = number + " " + string(sipmsg.INVITE)
	return strings.HasSuffix(o.first[toKind], ";tag="+u.tagOf(&invite, via))
}
