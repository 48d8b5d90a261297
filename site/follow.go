package site

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// followWithin is for how long an answer to Follow is waited for; the book's own bound is below a second.
const followWithin = 3 * time.Second

// follows reads the book whole, and then its log, for as long as both are of the same run.
func (m *Member) follows(ctx context.Context) {
	for ctx.Err() == nil {
		m.mu.Lock()
		silent := m.cut && !m.silent.IsZero() && time.Since(m.silent) >= m.o.CutAfter
		ready, generation, changed, settled := !m.dead && !m.left && !silent, m.generation, m.changed, m.settled
		limited, stop := context.WithCancel(ctx)
		m.reread = stop
		m.mu.Unlock()
		switch wait := time.Until(settled); {
		case !ready:
			select {
			case <-ctx.Done():
			case <-changed:
			}
		case wait > 0: // the others write what is theirs into a book that was begun anew
			pause(limited, wait)
		case m.read(limited, generation):
			m.trail(limited, generation)
		default:
			pause(limited, 100*time.Millisecond)
		}
		stop()
	}
}

// read takes the whole in, and tells it.
func (m *Member) read(ctx context.Context, generation uint64) bool {
	limited, stop := context.WithTimeout(ctx, followWithin)
	defer stop()
	began := time.Now()
	read, err := m.o.Book.Read(limited)
	if err != nil {
		m.complain(ctx, "read the site's book", err)
		return false
	}
	took := false
	m.telling(func() {
		var news call.SiteNews
		if news, took = m.takeWhole(read, generation, began); took {
			m.o.Desk.Learn(news)
		}
	})
	if took {
		m.figures.reads.Inc()
		wake(m.wakeCheck)
		wake(m.wakeAsk)
	}
	return took
}

// takeWhole takes in what was read from an instant on, and returns what the desk is to be told; false: it is of no use.
func (m *Member) takeWhole(read View, generation uint64, began time.Time) (call.SiteNews, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.generation != generation || m.dead {
		return call.SiteNews{}, false
	}
	if m.cut || m.view.book != m.lease.Book {
		m.spared = now.Add(m.o.Lease)
	}
	next, facts := m.view.whole(read, m.lease.Book, m.clock.local, now.Before(m.spared), now)
	if _, lives := next.nodes[m.node.ID]; !lives {
		m.foundDead()
		return call.SiteNews{}, false
	}
	m.remind(&next)
	m.forsakenGone(&next, began)
	if m.buriedAlive {
		m.distrust(now)
	}
	if m.joined.IsZero() {
		m.joined = now
	}
	for key, f := range m.view.shared {
		if m.rechosen(f) {
			next.shared[key] = f
		}
	}
	if m.cut { // tokens that gates handed out meanwhile are not to be the book's
		m.raise("", m.handed)
		m.handed = call.Token{}
	}
	m.view, m.whole, m.cut = next, true, false
	m.publish()
	if _, fresh := m.stand(now); !fresh {
		m.moved()
	}
	return call.SiteNews{Self: m.node.ID, State: m.state, Whole: true, Facts: slices.DeleteFunc(facts, m.rechosen)}, true
}

// rechosen reports whether a fact is a shift of an agent who has chosen otherwise here since, which is not written yet. It
// will be, and hold then: until then neither the echo of an earlier choice nor another node's is to undo it. It needs mu.
func (m *Member) rechosen(f call.SiteFact) bool { return f.Shift != nil && m.out.awaits(keyOf(f)) }

// foundDead has it taken in, once tell is free, that this run is dead in the book. It needs mu.
func (m *Member) foundDead() {
	id := m.node.ID
	m.start("found dead", func(context.Context) { m.died(id) })
}

// remind says again what was known of the site when the book was lost, and is not in the new one. It needs mu.
func (m *Member) remind(next *view) {
	if m.view.book == "" || m.view.book == next.book {
		return
	}
	var lost []call.SiteFact
	for key, f := range m.view.shared {
		if _, there := next.shared[key]; !there {
			next.shared[key] = f
			lost = append(lost, f)
		}
	}
	slices.SortFunc(lost, fresher)
	for _, f := range lost[:min(len(lost), remindMost)] {
		m.out.say(m, f)
	}
}

// trail follows the log until it has a gap, the node's run is another, or ctx is done.
func (m *Member) trail(ctx context.Context, generation uint64) {
	m.mu.Lock()
	at := m.view.at
	m.mu.Unlock()
	for ctx.Err() == nil {
		limited, stop := context.WithTimeout(ctx, followWithin)
		entries, err := m.o.Book.Follow(limited, at)
		stop()
		switch {
		case errors.Is(err, ErrGap):
			m.figures.gaps.Inc()
			m.o.Logger.Warn("the site's log has a gap: the book is read whole")
			wake(m.wakeRenew) // it may be another book
			pause(ctx, 10*time.Millisecond)
			return
		case err != nil:
			m.complain(ctx, "follow the site's log", err)
			pause(ctx, 100*time.Millisecond)
			continue
		}
		if len(entries) > 0 {
			at = entries[len(entries)-1].At
		}
		if !m.takeIn(entries, generation) {
			return
		}
	}
}

// takeIn takes entries in and tells them, in their order; false: they are of a run that is over.
func (m *Member) takeIn(entries []Entry, generation uint64) (took bool) {
	m.telling(func() {
		var batches []call.SiteNews
		batches, took = m.absorb(entries, generation)
		for _, n := range batches {
			m.o.Desk.Learn(n)
		}
	})
	return took
}

// absorb takes entries in, and returns what the desk is to be told of them.
func (m *Member) absorb(entries []Entry, generation uint64) (batches []call.SiteNews, took bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.generation != generation {
		return nil, false
	}
	now := time.Now()
	m.figures.followed(now)
	if len(entries) == 0 {
		return nil, true
	}
	news := call.SiteNews{Self: m.node.ID, State: m.state}
	flush := func() {
		if len(news.Facts)+len(news.Dead)+len(news.Cleared) > 0 {
			batches = append(batches, news)
			news = call.SiteNews{Self: m.node.ID, State: m.state}
		}
	}
	found := false
	for _, e := range entries {
		if len(e.Facts) > 0 && len(news.Dead)+len(news.Cleared) > 0 || e.Dead != "" && len(news.Cleared) > 0 {
			flush() // what came later is told later
		}
		found = m.entry(e, &news, now) || found
	}
	flush()
	m.view.at = entries[len(entries)-1].At
	m.publish()
	if found {
		m.foundDead()
	}
	m.moved()
	return batches, true
}

// entry takes one in, and reports whether it says that this node is dead. It needs mu.
func (m *Member) entry(e Entry, news *call.SiteNews, now time.Time) (dead bool) {
	for _, f := range e.Facts {
		if m.rechosen(f) {
			continue
		}
		f = turned(f, m.clock.local)
		m.view.apply(f, now)
		news.Facts = append(news.Facts, f)
		if f.Claim != nil {
			m.claimed(*f.Claim)
		}
		if f.Flow != nil {
			m.elsewhere(*f.Flow)
			m.reroutes(f.Flow.Agent)
		}
		if f.Rest != nil {
			m.settles(f.Rest.Agent, f.Rest.Call, f.Rest.Token)
		}
	}
	if e.Node != nil {
		m.view.nodes[e.Node.ID] = *e.Node
		wake(m.wakeAsk)
	}
	if e.Dead != "" {
		m.view.dead(e.Dead, now.Before(m.spared), now)
		m.reroutes("")
		if !m.self(e.Dead) { // what an older run of this process left is still this node's
			news.Dead = append(news.Dead, e.Dead)
		}
		wake(m.wakeCheck)
		wake(m.wakeAsk)
	}
	if e.Cleared != nil {
		c := turnedClaim(*e.Cleared, m.clock.local)
		m.view.cleared(c)
		m.settles(c.Agent, c.Call, c.Token)
		m.recall(c.Agent, c.Token)
		news.Cleared = append(news.Cleared, c)
	}
	return e.Dead != "" && e.Dead == m.node.ID
}

// elsewhere gives a phone up that the book has at another edge, unless it came here since. It needs mu.
func (m *Member) elsewhere(f call.SiteFlow) {
	mine, here := m.own.flows[f.Agent]
	if here && !m.self(f.Edge) && !mine.Since.After(f.Since) {
		m.yield(f.Agent)
	}
}

// claimed looks at a claim that the log tells of: one that is this node's and that nobody here waits for any more is
// given back, and an orphan may be this node's to judge. It needs mu.
func (m *Member) claimed(c call.SiteClaim) {
	if c.Token.Compare(m.highest) > 0 {
		m.highest = c.Token
	}
	m.forsakenBefore(c)
	if c.Orphan {
		wake(m.wakeCheck)
		return
	}
	m.stray(c)
}

// stray gives a claim back that no ring of this node waits for, such as one whose grant did not come in time. It needs mu.
func (m *Member) stray(c call.SiteClaim) {
	if !m.self(c.Owner) || m.forsook(c.Agent, c.Call, c.Token) { // that is abandoned, now or when things are looked over
		return
	}
	for _, h := range m.holds {
		if h.agent == c.Agent && (h.token == c.Token || h.phase == claiming) {
			return
		}
	}
	if m.out.busy(c.Agent) {
		return
	}
	m.o.Logger.Info("a claim that nobody waits for is given back", zap.String("agent", c.Agent), zap.String("call", c.Call),
		zap.Stringer("token", c.Token))
	m.out.release(m, c.Agent, call.SiteRest{Agent: c.Agent, Call: c.Call, Token: c.Token, How: howStray})
}

// howStray is how a claim ends by which nothing was rung, in the words of acd's offers.
const howStray = "withdrawn"
