package site

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// judgement is an orphan at work: a claim without a living owner, or a leg without a claim, at a phone whose edge this is.
//
//	the gate                     | the owner                     | then
//	has no leg of this claim     | (is not asked)                | the token is refused from now on; clear
//	has one                      | lives, says that it holds it  | it stays; asked again each second
//	has one                      | says that it does not         | the leg is ended; clear
//	has one                      | does not answer, three times  | the leg is ended; clear
type judgement struct {
	running bool
	at      time.Time
	asked   int // times without an answer
}

const asksOfDead = 3

// keyOfClaim is a claim as nodes ask each other about it.
func keyOfClaim(agent string, t call.Token) string { return t.String() + " " + agent }

// Held are those of these claims that this node holds, as their owner: another node asks, see [Peers].
func (m *Member) Held(keys []string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var held []string
	for _, key := range keys {
		token, agent, _ := strings.Cut(key, " ")
		if t, err := call.ParseToken(token); err == nil && m.holding(agent, t) {
			held = append(held, key)
		}
	}
	return held
}

// holding needs mu.
func (m *Member) holding(agent string, t call.Token) bool {
	for _, h := range m.holds {
		if h.agent == agent && h.token == t && h.lives() && !h.unsure {
			return true
		}
	}
	return false
}

// judge has an orphan judged, unless that is under way or was but a second ago. It needs mu.
func (m *Member) judge(c call.SiteClaim, now time.Time) {
	if m.out.busy(c.Agent) {
		return
	}
	key := keyOfClaim(c.Agent, c.Token)
	j := m.judged[key]
	if j == nil {
		j = &judgement{}
		m.judged[key] = j
	}
	if j.running || now.Sub(j.at) < time.Second {
		return
	}
	j.at = now
	free := m.o.Edge.Refuse(c.Agent, c.Token)
	past, _ := m.o.Edge.Past(c.Agent)
	if free || !legOf(past.Leg, c) {
		m.clear(c)
		return
	}
	if m.self(c.Owner) && m.holding(c.Agent, c.Token) {
		return // it is claimed again
	}
	j.running = m.start("judge an orphan", func(ctx context.Context) {
		defer func() {
			m.mu.Lock()
			j.running, j.at = false, time.Now()
			m.mu.Unlock()
		}()
		m.sentence(ctx, c, j)
	})
}

// legOf reports whether a leg is that of a claim. The token alone does not tell, after a book that failed over and forgot.
func legOf(l *call.GateLeg, c call.SiteClaim) bool {
	return l != nil && l.Token == c.Token && l.Call == c.Call && l.Owner.Process() == c.Owner.Process()
}

// clear needs mu.
func (m *Member) clear(c call.SiteClaim) {
	m.figures.cleared.Inc()
	m.out.push(m, c.Agent, deed{kind: doClear, token: c.Token})
}

// sentence asks the owner of a leg, and ends it if that does not hold it.
func (m *Member) sentence(ctx context.Context, c call.SiteClaim, j *judgement) {
	if !m.orphaned(ctx, c, j) {
		return
	}
	m.o.Logger.Info("a leg at an agent's phone whose owner does not hold it is ended", zap.String("agent", c.Agent),
		zap.String("call", c.Call), zap.Stringer("token", c.Token), zap.String("owner", string(c.Owner)))
	limited, stop := context.WithTimeout(ctx, endWithin)
	defer stop()
	if err := m.o.Edge.End(limited, c.Agent, c.Token); err != nil {
		m.complain(ctx, "end an orphan's leg", err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear(c)
}

// orphaned asks the owner whether it holds a claim; true: it does not, or is gone.
func (m *Member) orphaned(ctx context.Context, c call.SiteClaim, j *judgement) bool {
	m.mu.Lock()
	n, known := m.ownerOf(c.Owner)
	m.mu.Unlock()
	if !known {
		return true
	}
	limited, stop := context.WithTimeout(ctx, askWithin)
	defer stop()
	held, err := m.o.Peers.Holds(limited, n, []string{keyOfClaim(c.Agent, c.Token)})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		j.asked++
		return j.asked >= asksOfDead && ctx.Err() == nil
	}
	j.asked = 0
	return len(held) == 0
}

// ownerOf is where a claim's owner can be asked: a living run of its process, or a dead one that may have lost only the
// book. It is unknown where this process is the owner, and knows of nothing. It needs mu.
func (m *Member) ownerOf(id call.NodeID) (Node, bool) {
	if m.self(id) {
		return Node{}, false
	}
	if n, lives := m.view.process(id.Process()); lives {
		return n, true
	}
	for past, n := range m.view.past {
		if past.Process() == id.Process() {
			return n.Node, true
		}
	}
	return Node{}, false
}
