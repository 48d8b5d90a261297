package claims

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"time"

	"hotline/call"
	"hotline/site"
	"hotline/store/memstore"
)

// ledger is the book (the real one) as a search needs it: what is in it, and a digest of that. A ledger that a world has
// is never changed: write makes another.
type ledger struct {
	book  *memstore.Book
	until map[call.NodeID]int // when leases end, by the book's clock
	top   call.Token          // the greatest token given
	view  *view
}

// view is what a node reads of the book.
type view struct {
	lives  [nodes][generations]bool
	flows  [agents]call.SiteFlow // no agent: none
	claims [agents]call.SiteClaim
	ids    []call.NodeID // of the nodes that live
	digest []byte
}

var background = context.Background()

var (
	agentIDs = [agents]string{"8001", "8002"}
	callIDs  = [callers]string{"c0", "c1"}
	dialogs  = [legs]string{"d0", "d1", "d2", "d3", "d4", "d5"}
)

const runs = 6

// ids are the nodes' ids: of a place, a generation and a run.
var ids = func() (all [nodes][generations][runs]call.NodeID) {
	for n := range nodes {
		for g := range generations {
			for r := range runs {
				all[n][g][r] = call.NodeID(fmt.Sprintf("%c%d.%d", 'a'+n, g, r))
			}
		}
	}
	return all
}()

// place is the place and generation of a node's id.
func place(id call.NodeID) (n, gen uint8) { return id[0] - 'a', id[1] - '0' }

func (w *world) id(n uint8) call.NodeID { return ids[n][w.nodes[n].gen][w.nodes[n].run] }

func newLedger(e *env) *ledger {
	b := memstore.NewBook(func() time.Time { return e.clock }, site.Bounds{
		Log: 1, LogFor: time.Hour, Places: 1, Regulars: 1, Agents: agents, RegularsFor: time.Hour,
	})
	l := &ledger{book: b, until: map[call.NodeID]int{}}
	l.read()
	return l
}

// write changes the book in one step. What it replaced can be failed over to.
func (w *world) write(step func(l *ledger)) {
	w.env.clock = at(w.now)
	was := w.book
	l := &ledger{book: was.book.Clone(func() time.Time { return w.env.clock }), top: was.top, until: maps.Clone(was.until)}
	step(l)
	l.read()
	if string(l.view.digest) != string(was.view.digest) {
		w.before = was
	}
	w.book = l
}

// read reads the book anew.
func (l *ledger) read() {
	read, err := l.book.Read(background)
	must(err)
	v := &view{}
	d := binary.AppendUvarint(nil, read.Epoch)
	d = binary.AppendUvarint(d, l.top.N)
	for _, n := range read.Nodes {
		p, g := place(n.ID)
		v.lives[p][g] = true
		v.ids = append(v.ids, n.ID)
		d = append(d, n.ID...)
	}
	for _, f := range read.Facts {
		switch {
		case f.Flow != nil:
			v.flows[agentOf(f.Flow.Agent)] = *f.Flow
			d = append(d, f.Flow.Agent[3], f.Flow.Edge[0], f.Flow.Edge[1], f.Flow.Edge[3], byte(f.Flow.Since.Sub(began)/time.Second))
		case f.Claim != nil:
			v.claims[agentOf(f.Claim.Agent)] = *f.Claim
			d = append(d, 'c', f.Claim.Agent[3], f.Claim.Call[1])
			d = appendToken(append(append(d, f.Claim.Owner...), f.Claim.Edge...), f.Claim.Token)
			d = append(d, bit(f.Claim.Orphan))
		}
	}
	v.digest = d
	l.view = v
}

func agentOf(id string) uint8 { return id[3] - '1' }

func appendToken(d []byte, t call.Token) []byte {
	return append(d, byte(t.Epoch), byte(t.N))
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (l *ledger) saw(t call.Token) {
	if t.Compare(l.top) > 0 {
		l.top = t
	}
}

// enter begins a node's run.
func (w *world) enter(n uint8) {
	nd := &w.nodes[n]
	id := w.id(n)
	last := nd.lease
	if w.env.without == noEpoch {
		last = site.Lease{}
	}
	w.write(func(l *ledger) {
		lease, err := l.book.Enter(background, site.Node{
			ID: id, Name: string(id[:1]), SIP: "127.0.0.1:5070", HTTP: "127.0.0.1:8070", Lease: leaseFor * time.Second,
		}, last)
		must(err)
		if nd.lease.Epoch != 0 && nd.lease.Book != lease.Book {
			nd.newBook = w.now
		}
		nd.lease = lease
		l.until[id] = w.now + leaseFor
		if lease.Epoch > l.top.Epoch {
			l.top = call.Token{Epoch: lease.Epoch}
		}
	})
	nd.until = w.now + leaseFor
	nd.stands = joining
	if nd.entered == never {
		nd.entered = w.now
	}
}

// renew reports whether the node's lease held.
func (w *world) renew(n uint8) bool {
	id := w.id(n)
	ok := false
	w.write(func(l *ledger) {
		lease, err := l.book.Renew(background, id)
		if err != nil {
			return
		}
		ok = true
		w.nodes[n].lease = lease
		l.until[id] = w.now + leaseFor
	})
	if ok {
		w.nodes[n].until = w.now + leaseFor
	}
	return ok
}

// say says the flow of a phone.
func (w *world) say(n, a uint8) {
	since := at(w.nodes[n].phones[a].since)
	w.write(func(l *ledger) {
		_ = l.book.Say(background, w.id(n), call.SiteFact{Flow: &call.SiteFlow{Agent: agentIDs[a], Since: since}})
	})
}

// giveBack releases or abandons the claim of a leg.
func (w *world) giveBack(x *leg, what deed) {
	id := w.id(x.owner)
	w.write(func(l *ledger) {
		if what == release {
			must(l.book.Release(background, id, call.SiteRest{Agent: agentIDs[x.agent], Token: x.token, How: "ended"}))
		} else {
			must(l.book.Abandon(background, id, agentIDs[x.agent], x.token))
		}
	})
}

// resume claims the agent of a leg that lives again.
func (w *world) resume(x *leg) {
	w.write(func(l *ledger) {
		if l.book.Resume(background, call.SiteClaim{
			Agent: agentIDs[x.agent], Call: callIDs[x.caller], Owner: w.id(x.owner), Edge: x.edgeID, Token: x.token,
		}) == nil {
			l.saw(x.token)
		}
	})
}
