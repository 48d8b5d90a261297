package site

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// troubles are what those who run the node are to mend. It is under the member's lock.
//
//	trouble                                                    | since              | is over
//	a node lives by the book, and does not answer this one     | it was asked first | it answers, or lives no more
//	another process has this node's name                       | it was seen        | it lives no more
type troubles struct {
	unheard, namesakes map[string]time.Time // processes, since when
	probed             map[string]time.Time // when a process was asked last without need
	told               map[string]time.Time // when something was logged last
}

func newTroubles() troubles {
	return troubles{
		unheard: map[string]time.Time{}, namesakes: map[string]time.Time{}, probed: map[string]time.Time{}, told: map[string]time.Time{},
	}
}

const (
	// tellEvery is how often a trouble is logged that does not end.
	tellEvery = time.Minute
	// probeEvery is how often a node is asked though there is no phone to be asked about, so that it is known before one comes
	// that it does not answer.
	probeEvery = 5 * time.Second
	// troubleAfter is how old a trouble is that is told: more than a lease, so that it is not that of a node that died, or was
	// started again.
	troubleAfter = 10 * time.Second
)

// due reports whether something is to be logged: at first, and then each minute. It needs mu.
func (m *Member) due(what string, now time.Time) bool {
	if at, was := m.troubles.told[what]; was && now.Sub(at) < tellEvery {
		return false
	}
	maps.DeleteFunc(m.troubles.told, func(_ string, at time.Time) bool { return now.Sub(at) >= tellEvery })
	m.troubles.told[what] = now
	return true
}

// complain logs what the book, or a node, did not do.
func (m *Member) complain(ctx context.Context, what string, err error) {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return
	}
	m.mu.Lock()
	due := m.due(what, time.Now())
	m.mu.Unlock()
	if due {
		m.o.Logger.Warn(what, zap.Error(err))
	}
}

// heardOf takes in whether a process has answered. It needs mu.
func (m *Member) heardOf(process string, asked time.Time, answered bool) {
	if answered {
		delete(m.troubles.unheard, process)
	} else if _, was := m.troubles.unheard[process]; !was {
		m.troubles.unheard[process] = asked
	}
}

// checkTroubles looks for them, and has them told. It needs mu.
func (m *Member) checkTroubles(now time.Time) {
	others := m.others()
	gone := func(process string, _ time.Time) bool { _, lives := others[process]; return !lives }
	maps.DeleteFunc(m.troubles.unheard, gone)
	maps.DeleteFunc(m.troubles.namesakes, gone)
	maps.DeleteFunc(m.troubles.probed, gone)
	for process, n := range others {
		if now.Sub(m.troubles.probed[process]) >= probeEvery {
			m.troubles.probed[process] = now
			m.start("probe a node", func(ctx context.Context) { m.probe(ctx, process, n) })
		}
		if since, is := m.troubles.unheard[process]; is && now.Sub(since) >= troubleAfter && m.due("unheard "+process, now) {
			m.o.Logger.Error("another node lives and does not answer this one: phones that register anew here are not rung while it does not; "+
				"can its node.http be reached from here, is what it advertises right, and is node.secret the same?",
				zap.String("name", n.Name), zap.String("address", n.HTTP), zap.Duration("for", now.Sub(since)))
		}
		if n.Name != m.o.Name {
			continue
		}
		since, was := m.troubles.namesakes[process]
		if !was {
			m.troubles.namesakes[process], since = now, now
		}
		if now.Sub(since) >= troubleAfter && m.due("namesake "+process, now) {
			m.o.Logger.Error("another node has the name of this one: calls, recordings and supervisors go astray between the two; "+
				"give each its own node.name", zap.String("name", n.Name), zap.String("address", n.HTTP), zap.String("node", string(n.ID)))
		}
	}
}

// probe asks a node for nothing, so that it is known whether it answers. It is none of the questions about phones: those do not
// wait for it.
func (m *Member) probe(ctx context.Context, process string, n Node) {
	began := time.Now()
	limited, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	_, err := m.o.Peers.Holds(limited, n, nil)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		m.complain(ctx, "node "+n.Name+" does not answer", err)
	}
	m.under(func() { m.heardOf(process, began, err == nil) })
}

// troubled are the nodes that have had a trouble for long enough to be told, and since when. It needs mu.
func (m *Member) troubled(since map[string]time.Time, now time.Time) map[call.NodeID]time.Time {
	out := map[call.NodeID]time.Time{}
	if !m.whole {
		return out // who lives is not known
	}
	for process, at := range since {
		if n, lives := m.view.process(process); lives && now.Sub(at) >= troubleAfter {
			out[n.ID] = at
		}
	}
	return out
}

// sortedNodes are nodes in order, for whoever lists them.
func sortedNodes(nodes map[call.NodeID]Node) []Node {
	return slices.SortedFunc(maps.Values(nodes), func(a, b Node) int { return compareNodes(a, b) })
}
