package site

import (
	"time"

	"hotline/call"
)

// forsaken is a claim that this node gave up without being sure that its phone is free. From then on it is its phone's
// edge's to judge, and this node never releases it, in whatever order the log, the deeds' lane and the desk come to it. It
// is remembered until the log can tell of it no more: a later claim of its agent was told of, or that it was cleared; or
// the book was read whole after it was written, and does not have it.
type forsaken struct {
	call string
	// written is when the book had the word of it; zero while it has not.
	written time.Time
	// parted: its leg is over all the same, since the phone has answered that it has ended, or has had the time to.
	parted bool
}

// forsake remembers a claim that this node gives up. A local one, which the book does not have, needs no word. It needs mu.
func (m *Member) forsake(agent, callID string, t call.Token, local bool) {
	f := &forsaken{call: callID}
	if local {
		f.written = time.Now()
	}
	if m.forsaken[agent] == nil {
		m.forsaken[agent] = map[call.Token]*forsaken{}
	}
	m.forsaken[agent][t] = f
	m.abandoned++
	m.figures.abandoned.Inc()
}

// forsook reports whether a claim was given up so. Two calls may have had the same token, one before the book failed over
// and one after it; a call that is not known is taken for that of the token. It needs mu.
func (m *Member) forsook(agent, callID string, t call.Token) bool {
	f := m.forsaken[agent][t]
	return f != nil && (callID == "" || f.call == "" || f.call == callID)
}

// forsakenWritten notes that the book had the word of it. It needs mu.
func (m *Member) forsakenWritten(agent string, t call.Token) {
	if f := m.forsaken[agent][t]; f != nil && f.written.IsZero() {
		f.written = time.Now()
	}
}

// forsakenBefore forgets what the log is past, by a claim that it tells of. It needs mu.
func (m *Member) forsakenBefore(c call.SiteClaim) {
	for t, f := range m.forsaken[c.Agent] {
		if c.Token.Compare(t) > 0 || c.Token == t && c.Call != f.call {
			m.recall(c.Agent, t)
		}
	}
}

// forsakenGone forgets what a book that was read whole, from an instant on, has no more. It needs mu.
func (m *Member) forsakenGone(v *view, began time.Time) {
	for agent, all := range m.forsaken {
		for t, f := range all {
			c, has := v.claims[agent]
			if !f.written.IsZero() && f.written.Before(began) && (!has || c.Token != t || c.Call != f.call) {
				m.recall(agent, t)
			}
		}
	}
}

// recall forgets one. It needs mu.
func (m *Member) recall(agent string, t call.Token) {
	delete(m.forsaken[agent], t)
	if len(m.forsaken[agent]) == 0 {
		delete(m.forsaken, agent)
	}
}

// kept turns a release of what was forsaken into what may be written of it: the rest alone. It needs mu.
func (m *Member) kept(agent string, d deed) deed {
	if d.kind != doRelease || !m.forsook(agent, d.rest.Call, d.token) {
		return d
	}
	d.rest.Token = call.Token{}
	return deed{kind: doRest, rest: d.rest}
}
