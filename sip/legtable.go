package sip

import (
	"net/netip"
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"

	"hotline/call"
	"hotline/media"
)

// legTable finds a leg by its dialog, and knows the INVITEs under way, theirs and ours. Its lock is a leaf.
type legTable struct {
	mu      sync.Mutex
	legs    map[string]*leg
	invites map[string]struct{}
	rings   map[string]*ringing // by their dialog's id without the far end's tag
	gone    func(l *leg)        // told, without the lock, of each leg that is removed; may be nil
}

func newLegTable() *legTable {
	return &legTable{legs: make(map[string]*leg), invites: make(map[string]struct{}), rings: make(map[string]*ringing)}
}

// enter enters a leg that is complete.
func (t *legTable) enter(l *leg) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.legs[l.key] = l
}

// enterRung is enter for a leg that we rang. When the BYE of its far end has come already, it returns when.
func (t *legTable) enterRung(l *leg, r *ringing) (bye time.Time, over bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.legs[l.key] = l
	bye, over = r.byes[l.key]
	return bye, over
}

// withStream finds the leg that a stream belongs to, or nil.
func (t *legTable) withStream(s media.Stream) *leg {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.legs {
		if l.stream == s {
			return l
		}
	}
	return nil
}

// ring enters an INVITE of ours, until rung.
func (t *legTable) ring(r *ringing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rings[dialogID(r.d.CallID, r.d.LocalTag, "")] = r
}

func (t *legTable) rung(r *ringing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rings, dialogID(r.d.CallID, r.d.LocalTag, ""))
}

// ringOf finds the INVITE of ours that a response answers, or nil.
func (t *legTable) ringOf(res *sipmsg.Response) *ringing {
	id, from := res.CallID(), res.From()
	if id == nil || from == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rings[dialogID(id.Value(), from.Params.GetOr("tag", ""), "")]
}

// earlyMost bounds the BYEs noted for one INVITE of ours: as many phones may answer it behind a fork.
const earlyMost = 8

// leaving finds the leg that a received BYE ends. early means that there is none yet, since the BYE was
// handled before the 2xx to an INVITE of ours that is still under way: it is noted for enterRung.
func (t *legTable) leaving(x *exchange, at time.Time) (l *leg, early bool) {
	id, remote := x.req.CallID().Value(), x.req.From().Params.GetOr("tag", "")
	key := dialogID(id, x.localTag, remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	if l = t.legs[key]; l != nil {
		return l, false
	}
	r := t.rings[dialogID(id, x.localTag, "")]
	if r == nil || len(r.byes) >= earlyMost {
		return nil, false
	}
	if _, again := r.byes[key]; !again {
		r.byes[key] = at
	}
	return nil, true
}

// inviting reports whether a received request belongs to a dialog that an INVITE of ours under way may yet make.
func (t *legTable) inviting(x *exchange) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rings[dialogID(x.req.CallID().Value(), x.localTag, "")] != nil
}

// ringWith finds an INVITE of ours under way by its Call-ID, or nil.
func (t *legTable) ringWith(callID string) *ringing {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rings {
		if r.d.CallID == callID {
			return r
		}
	}
	return nil
}

func (t *legTable) remove(l *leg) {
	t.mu.Lock()
	delete(t.legs, l.key)
	t.mu.Unlock()
	if t.gone != nil {
		t.gone(l)
	}
}

// find returns the leg whose dialog a received request belongs to, or nil.
func (t *legTable) find(x *exchange) *leg {
	remote, _ := x.req.From().Params.Get("tag")
	return t.of(dialogID(x.req.CallID().Value(), x.localTag, remote))
}

// of returns the leg of a dialog, or nil.
func (t *legTable) of(dialog string) *leg {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.legs[dialog]
}

// claim enters an INVITE outside a dialog; false means that it is there already, having come another way
// (RFC 3261 section 8.2.2.2). unclaim forgets it.
func (t *legTable) claim(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.invites[key]; there {
		return false
	}
	t.invites[key] = struct{}{}
	return true
}

// has tells whether a dialog is a leg's, or may become one that we ring.
func (t *legTable) has(callID, local, remote string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.legs[dialogID(callID, local, remote)] != nil || t.rings[dialogID(callID, local, "")] != nil
}

// invited tells whether an INVITE outside a dialog is entered.
func (t *legTable) invited(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, there := t.invites[key]
	return there
}

func (t *legTable) unclaim(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.invites, key)
}

// occupied tells whether an agent is on a call, or is being rung.
func (t *legTable) occupied(agent string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.legs {
		if l.agent == agent && l.ctx.Err() == nil {
			return true
		}
	}
	for _, r := range t.rings {
		if r.o.agent == agent {
			return true
		}
	}
	return false
}

func (t *legTable) all() []*leg {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]*leg, 0, len(t.legs))
	for _, l := range t.legs {
		out = append(out, l)
	}
	return out
}

// hangupAll ends every leg, for a UA that closes, and has their far ends told, for which that waits; each in the background: the
// lock of one whose far end does not read is held for as long as a message to it is being written, and the others are not to
// wait for it.
func (t *legTable) hangupAll() {
	for _, l := range t.all() {
		if l.end(call.LegEnd{By: call.System, Why: call.CauseShutdown, At: time.Now()}) {
			l.ua.background("hang up", func() { l.dismiss(call.CauseShutdown) })
		}
	}
}

// reach tells whether a leg's way is the connection from peer. It waits for no leg that something is being written to, since
// whoever asks reads another peer's messages, or even that one's.
func (t *legTable) reach(transport string, peer netip.AddrPort) bool {
	way := flowKey{transport, peer}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.legs {
		if at := l.lies.Load(); at != nil && *at == way {
			return true
		}
	}
	return false
}

// connClosed ends the legs that are not answered yet and can be answered over that connection only.
func (t *legTable) connClosed(end connEnd) {
	for _, l := range t.all() {
		if l.invite != nil && l.invite.src.transport == end.transport && l.invite.src.addr == end.peer && !l.received.After(end.at) {
			l.unreachable()
		}
	}
}
