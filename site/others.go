package site

import (
	"time"

	"hotline/call"
)

// Over the other nodes, as far as this one can tell of each whether it lives:
//
//	a process is | when                                                                             | what it did not answer
//	living       | a run of it is in the book                                                       | is asked again
//	missing      | it was, and this node came to the book anew, or back to it, less than a lease ago | is asked again
//	dead         | it was, and is not; or was never                                                 | is passed over, when what it sent is over
//
// Missing is who may not have come yet: whoever is the first in a book that was lost finds nobody else in it, and whoever is
// the first to renew in one that was away sweeps all the others.

// other is a process that this node knows of.
type other struct {
	Node
	// died is when this node learned that it is dead; zero: it is not, as far as can be told.
	died time.Time
}

// known are the other processes that this node knows of, those that died in the last minutes among them. It needs mu.
func (m *Member) known() map[string]other {
	known := make(map[string]other, len(m.view.nodes))
	for id, n := range m.view.nodes {
		if !m.self(id) {
			known[id.Process()] = other{Node: n}
		}
	}
	for id, n := range m.view.missing {
		if _, is := known[id.Process()]; !is && !m.self(id) {
			known[id.Process()] = other{Node: n.Node}
		}
	}
	for id, n := range m.view.past {
		was, is := known[id.Process()]
		if m.self(id) || is && (was.died.IsZero() || !n.died.After(was.died)) {
			continue
		}
		known[id.Process()] = other(n)
	}
	return known
}

// deadByBook reports whether a process is dead by the book, and not just missing. It needs mu.
func (m *Member) deadByBook(process string, now time.Time) bool {
	if _, lives := m.view.process(process); lives || !m.whole || now.Before(m.spared) {
		return false
	}
	for id := range m.view.missing {
		if id.Process() == process {
			return false
		}
	}
	return true
}

// deathOf is when this node learned that a process is dead: where it does not know, when it came itself. It needs mu.
func (m *Member) deathOf(process string) time.Time {
	var died time.Time
	for id, n := range m.view.past {
		if id.Process() == process && n.died.After(died) {
			died = n.died
		}
	}
	if died.IsZero() {
		return m.joined
	}
	return died
}

// mourn takes those for dead who are missing for a lease. It needs mu.
func (m *Member) mourn(now time.Time) {
	if now.Before(m.spared) {
		return
	}
	for id, n := range m.view.missing {
		delete(m.view.missing, id)
		if _, again := m.view.process(id.Process()); !again {
			m.view.past[id] = pastNode{Node: n.Node, died: now}
			wake(m.wakeAsk)
		}
	}
}

// word is what another process has said of a phone when it was asked last.
type word struct {
	// wanted is when somebody here last wanted it, asked when it was asked for.
	wanted, asked time.Time
	// answered is when it last came, and leg what it told of; silent since when it has not come though it was asked for.
	answered, silent time.Time
	leg              *call.GateLeg
}

type wordKey struct{ process, agent string }

// Of words: how often they are asked for, for how long they count, and for how long they are kept when nobody wants them.
const (
	wordEvery = 900 * time.Millisecond
	wordFor   = 3 * time.Second
	wordKept  = 10 * time.Second
)

// word is what a process says of a phone: it is asked for now and then for as long as it is wanted. It needs mu.
func (m *Member) word(process, agent string, now time.Time) *word {
	key := wordKey{process, agent}
	w := m.arrivals.words[key]
	if w == nil {
		w = &word{}
		m.arrivals.words[key] = w
		wake(m.wakeAsk)
	}
	w.wanted = now
	return w
}

// counts reports whether there is an answer that is not too old.
func (w *word) counts(now time.Time) bool {
	return !w.answered.IsZero() && w.silent.IsZero() && now.Sub(w.answered) < wordFor
}

// inquiries are the phones of which a word is to be asked for, by process. It needs mu.
func (m *Member) inquiries(now time.Time, want map[string][]string) {
	for key, w := range m.arrivals.words {
		switch {
		case now.Sub(w.wanted) > wordKept:
			delete(m.arrivals.words, key)
		case now.Sub(w.asked) >= wordEvery:
			want[key.process] = append(want[key.process], key.agent)
		}
	}
}

// spoke takes in what a process said of a phone. It needs mu.
func (m *Member) spoke(process, agent string, leg *call.GateLeg, now time.Time) {
	if w := m.arrivals.words[wordKey{process, agent}]; w != nil {
		w.answered, w.silent, w.leg = now, time.Time{}, leg
	}
}

// unanswered takes in that a process has not answered about phones. It needs mu.
func (m *Member) unanswered(process string, agents []string, now time.Time) {
	for _, agent := range agents {
		if w := m.arrivals.words[wordKey{process, agent}]; w != nil && w.silent.IsZero() {
			w.silent = now
		}
		if a := m.arrivals.held[agent]; a != nil {
			a.silent[process] = true
		}
	}
}
