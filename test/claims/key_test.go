package claims

import (
	"encoding/binary"
	"hash/maphash"
	"slices"

	"hotline/call"
)

// key is a world's state: two worlds with the same key have the same future. Instants are in it only as far as they are
// from now.
type key [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func (w *world) key(buf []byte) (key, []byte) {
	d := append(buf[:0], w.left.faults, w.left.moves, w.left.restarts, bit(w.bookUp), bit(w.before != nil))
	d = w.bookKey(d, w.book)
	if w.left.faults > 0 && w.before != nil && w.env.can(bookForgets) {
		d = w.bookKey(d, w.before)
	}
	for n := range w.nodes {
		d = w.nodeKey(d, uint8(n))
	}
	for a := range w.phones {
		p := &w.phones[a]
		d = append(d, p.at, p.gen, byte(p.count))
	}
	for c := range w.callers {
		x := &w.callers[c]
		d = append(d, x.gen, byte(x.stands), bit(x.left), x.claims)
		if x.stands == claiming {
			d = append(d, x.agent, w.since(x.sent, 8))
			d = append(appendToken(d, x.grant.Token), x.grant.Edge...)
		}
	}
	for i := range w.legs {
		d = w.legKey(d, &w.legs[i])
	}
	if w.stale.used {
		d = append(d, 1, w.stale.from, w.stale.gen, w.stale.to, w.stale.agent, byte(w.stale.since))
	}
	return key{maphash.Bytes(seeds[0], d), maphash.Bytes(seeds[1], d)}, d
}

// since is how long ago something was, up to a limit after which it makes no difference.
func (w *world) since(t, limit int) byte {
	if t == never {
		return 0xff
	}
	return byte(min(w.now-t, limit) + 100)
}

func (w *world) bookKey(d []byte, l *ledger) []byte {
	d = binary.AppendUvarint(d, uint64(len(l.view.digest)))
	d = append(d, l.view.digest...)
	for n := range ids {
		for g := range ids[n] {
			for r := range ids[n][g] {
				if l.view.lives[n][g] {
					if t, ok := l.until[ids[n][g][r]]; ok {
						d = append(d, byte(r), byte(max(t-w.now, 0)))
					}
				}
			}
		}
	}
	return d
}

func (w *world) nodeKey(d []byte, n uint8) []byte {
	nd := &w.nodes[n]
	d = append(d, nd.gen, nd.run, bit(nd.up)|bit(nd.asleep)<<1|bit(nd.slept)<<2|bit(nd.cutBook)<<3|bit(nd.cutPeers)<<4, byte(nd.stands))
	if !nd.up {
		return d
	}
	d = append(d, byte(nd.lease.Epoch), byte(max(nd.until-w.now, 0)))
	if nd.gen > 0 {
		d = append(d, w.since(nd.entered, deadline+expires))
	}
	d = append(d, bit(nd.view != nil), byte(max(nd.newBook+leaseFor-w.now, 0)))
	if nd.view != nil {
		d = append(append(d, bit(nd.read == w.now)), nd.view.digest...)
	}
	for m := range nd.lives {
		for g := range nd.lives[m] {
			if m != int(n) {
				d = append(d, bit(nd.lives[m][g]), w.since(nd.diedAt[m][g], deadline+expires))
			}
		}
	}
	for a := range nd.phones {
		d = w.edgeKey(d, &nd.phones[a])
	}
	return d
}

func (w *world) edgeKey(d []byte, e *edge) []byte {
	g := &e.gate
	d = append(appendToken(d, g.Highest()), bit(e.here)|bit(g.Held())<<1|bit(w.far(e))<<2, byte(e.since), byte(e.silent))
	d = appendGateLeg(d, g.Leg())
	if g.Held() {
		d = append(append(d, e.asked), w.since(e.heldAt, doubt))
		d = appendGateLeg(appendToken(d, e.past.Highest), e.past.Leg)
	}
	return d
}

func appendGateLeg(d []byte, x *call.GateLeg) []byte {
	if x == nil {
		return append(d, 0)
	}
	return appendToken(append(d, 1, x.Dialog[1], bit(!x.Rung.IsZero()), bit(!x.Answered.IsZero())), x.Token)
}

func (w *world) legKey(d []byte, l *leg) []byte {
	if !l.used {
		return append(d, 0)
	}
	d = append(d, 1, l.agent, l.caller, l.owner, l.ownerGen, l.edge, l.edgeGen, byte(l.invite), byte(l.forward),
		byte(l.phone), byte(l.edgeHas), byte(l.ownerHas), byte(l.deed), byte(max(l.until-w.now, 0)),
		bit(l.ownerEnds)|bit(l.edgeEnds)<<1|bit(l.ownerDone)<<2|bit(l.dozes)<<3|bit(l.lapsed)<<4|bit(l.forsaken)<<5, l.edgeID[3])
	if l.phone == ringing {
		d = append(d, w.since(l.phoneAt, expires))
	}
	if l.deadAt > 0 {
		d = append(d, w.since(l.deadAt, session))
	}
	return appendToken(d, l.token)
}

// can reports whether a fault may happen.
func (e *env) can(fault kind) bool { return slices.Contains(e.faults, fault) }
