package site

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// renews renews the lease, and enters the book where the node does not live in it.
func (m *Member) renews(ctx context.Context) {
	for ctx.Err() == nil {
		m.mu.Lock()
		dead, left := m.dead, m.left
		m.mu.Unlock()
		var err error
		switch {
		case left:
		case dead:
			m.enter(ctx)
		default:
			err = m.renew(ctx)
		}
		if errors.Is(err, ErrDead) {
			continue // enter at once
		}
		wait(ctx, m.wakeRenew, m.o.Renew)
	}
}

// asked notes that the book was asked, and answered what came of it. It is silent since it was asked for what it did
// not answer.
func (m *Member) asked(sent time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil || errors.Is(err, ErrDead) || errors.Is(err, ErrTaken) || errors.Is(err, ErrRange) {
		m.heard, m.silent = time.Now(), time.Time{}
		if m.cut {
			m.moved() // the follower waits for that
		}
	} else if m.silent.IsZero() {
		m.silent = sent
	}
}

// asking notes that a request is on its way, so that an answer that never comes is missed.
func (m *Member) asking() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.silent.IsZero() {
		m.silent = now
	}
	return now
}

func (m *Member) renew(ctx context.Context) error {
	m.mu.Lock()
	id, book := m.node.ID, m.lease.Book
	m.mu.Unlock()
	sent := m.asking()
	limited, stop := context.WithTimeout(ctx, m.o.Lease/2)
	lease, err := m.o.Book.Renew(limited, id)
	stop()
	m.asked(sent, err)
	switch {
	case errors.Is(err, ErrDead):
		m.o.Logger.Warn("this node was taken for dead by the site, or the book was lost: it enters anew",
			zap.String("node", string(id)))
		m.died(id)
		return err
	case err != nil:
		m.complain(ctx, "renew this node's lease in the site's book", err)
		return err
	case lease.Book != book: // the book was lost, and somebody made this one believe that we live: it is not so
		m.died(id)
		return ErrDead
	}
	m.telling(func() {
		m.under(func() {
			m.clock.heard(sent, time.Now(), lease.Now)
			m.lasts(sent)
			m.lease = lease
			m.publish()
		})
		m.assess()
	})
	return nil
}

// lasts takes a lease in, by when it was asked for, and whether the node had none for a while before. It needs mu.
func (m *Member) lasts(sent time.Time) {
	if !m.lastEnd.IsZero() && sent.After(m.lastEnd) {
		m.lapsed = sent
	}
	m.leaseEnd = sent.Add(m.o.Lease)
	m.lastEnd = m.leaseEnd
}

// enter begins a new run. A run whose Enter was not answered may live in the book for a lease: so each try is another.
func (m *Member) enter(ctx context.Context) {
	m.mu.Lock()
	m.run++
	n, last := m.node, m.lease
	n.ID = call.NodeID(fmt.Sprintf("%s.%d", m.process, m.run))
	m.mu.Unlock()
	sent := m.asking()
	limited, stop := context.WithTimeout(ctx, m.o.Lease/2)
	lease, err := m.o.Book.Enter(limited, n, last)
	stop()
	m.asked(sent, err)
	if err != nil {
		m.complain(ctx, "enter the site: the node goes on alone, and tries again", err)
		return
	}
	anew := last.Book != "" && lease.Book != last.Book
	m.telling(func() {
		m.under(func() {
			now := time.Now()
			if anew {
				m.clock = clock{} // another server's, perhaps
				m.settled = now.Add(settle)
			}
			m.clock.heard(sent, now, lease.Now)
			m.lasts(sent)
			m.node, m.lease, m.dead, m.whole = n, lease, false, false
			m.publish()
			m.returns(anew, now)
			m.again()
		})
		m.assess()
	})
	m.o.Logger.Info("entered the site", zap.String("node", string(n.ID)), zap.Uint64("epoch", lease.Epoch), zap.Bool("anew", anew))
}

// returns has a run that has just been entered say first of all which claims it holds, and then, where the book is another one,
// what else it knows: an agent with a flow and no claim could be another's at once. It needs mu.
func (m *Member) returns(anew bool, now time.Time) {
	m.out.first = map[string]bool{}
	m.out.firstUntil = now.Add(settle)
	for _, h := range m.holds {
		if h.lives() && h.token != (call.Token{}) && !h.unsure {
			h.local = false
			m.out.first[h.agent] = true
			m.out.push(m, h.agent, deed{kind: doResume, token: h.token, claim: h.claim(m.node.ID)})
		}
	}
	if !anew {
		return // what went elsewhere meanwhile is told by the book
	}
	for _, f := range m.own.flows {
		m.out.say(m, call.SiteFact{Flow: &f})
	}
	for _, f := range m.own.callers {
		if f.Caller != nil {
			m.out.say(m, f)
		}
	}
}

// again has the whole be read anew. It needs mu.
func (m *Member) again() {
	m.generation++
	if m.reread != nil {
		m.reread()
	}
	m.moved()
}

// died takes in that a run of this node does not live in the book.
func (m *Member) died(id call.NodeID) {
	m.telling(func() {
		if m.dies(id) {
			m.assess()
			wake(m.wakeRenew)
		}
	})
}

// dies reports whether that is news.
func (m *Member) dies(id call.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.node.ID != id || m.dead {
		return false
	}
	// While the lease holds by this node's clock it is the book that has lost the run: no other node can think it dead.
	m.buriedAlive = m.buriedAlive || !time.Now().Before(m.leaseEnd)
	m.dead, m.whole, m.leaseEnd = true, false, time.Time{}
	m.figures.deaths.Inc()
	m.publish()
	m.again()
	return true
}

// watches looks at the clock: what happens by nothing else than time passing.
func (m *Member) watches(ctx context.Context) {
	tick := min(m.o.CutAfter/14, m.o.Lease/100)
	last := time.Now()
	for pause(ctx, tick) {
		m.telling(func() {
			m.under(func() {
				now := time.Now()
				slept := now.Sub(last)
				last = now
				if slept > m.o.CutAfter/2 && !m.silent.IsZero() {
					m.silent = now // the process was stopped meanwhile: the book is asked first
				}
				if slept > askWithin && m.cut && !now.Before(m.leaseEnd) { // others may have asked in vain, and passed it over
					m.distrust(now)
				}
			})
			m.assess()
		})
	}
}

// standing is how the node stands now. It needs mu.
func (m *Member) standing(now time.Time) call.SiteState {
	switch {
	case m.cut:
		return call.SiteCut
	case !m.whole:
		return call.SiteJoining
	case m.leaseEnd.Sub(now) < m.o.Margin:
		return call.SiteFading
	default:
		return call.SiteJoined
	}
}

// assess looks at how the node stands, and tells the desk when that is new. It needs tell, and takes mu.
func (m *Member) assess() {
	var news call.SiteNews
	fresh := false
	m.under(func() {
		now := time.Now()
		if !m.cut && !m.silent.IsZero() && now.Sub(m.silent) >= m.o.CutAfter && !m.left {
			m.cut, m.whole = true, false
			m.again()
			if !now.Before(m.leaseEnd) { // it slept, or was found dead: its phones may have been rung by others since
				m.distrust(now)
			}
		}
		news, fresh = m.stand(now)
	})
	if fresh {
		m.o.Desk.Learn(news)
	}
}

// stand takes a new state in; false: it is as before. It needs mu.
func (m *Member) stand(now time.Time) (call.SiteNews, bool) {
	state := m.standing(now)
	if state == m.state {
		return call.SiteNews{}, false
	}
	if m.state == call.SiteCut {
		m.cutFor += now.Sub(m.since)
	}
	log := m.o.Logger.Info
	if state == call.SiteCut {
		log = m.o.Logger.Warn
	}
	log("how this node stands to its site", zap.String("state", string(state)), zap.String("before", string(m.state)),
		zap.String("node", string(m.node.ID)), zap.Duration("after", now.Sub(m.since)))
	m.state, m.since = state, now
	m.moved()
	wake(m.wakeAsk)
	return call.SiteNews{Self: m.node.ID, State: state}, true
}
