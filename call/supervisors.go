package call

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"
)

// supervisors are those who hear talks, or are rung to, by id; each in one call alone.
type supervisors struct {
	mu sync.Mutex
	by map[string]watching
}

// watching is a supervisor's own call, and the id of the one that is heard.
type watching struct {
	call   *Call
	target string
}

// claim takes a supervisor for a call; false when another has them.
func (s *supervisors) claim(id string, c *Call, target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w, taken := s.by[id]; taken && w.call != c {
		return false
	}
	if s.by == nil {
		s.by = make(map[string]watching)
	}
	s.by[id] = watching{c, target}
	return true
}

// free lets a supervisor go, unless another call has them.
func (s *supervisors) free(id string, c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by[id].call == c {
		delete(s.by, id)
	}
}

func (s *supervisors) of(id string) (watching, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, ok := s.by[id]
	return w, ok
}

// at are the supervisors of one call.
func (s *supervisors) at(target string) (all []*Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.by {
		if w.target == target {
			all = append(all, w.call)
		}
	}
	return all
}

// all are the supervisors' own calls, by their ids.
func (s *supervisors) all() map[string]*Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]*Call, len(s.by))
	for id, w := range s.by {
		all[id] = w.call
	}
	return all
}

// Supervise has a supervisor come on the line of a talk. Their phone is rung, and rung is true; what becomes of it is in
// the records of that call and of the one begun for it. One who is on that line already gets another mode instead, and
// it returns when that is so. Errors: ErrBadMode, ErrNoSupervisor, ErrNotFound (no such call in progress),
// ErrNotTalking, ErrEngaged, ErrSupervised, ErrSupervisedOften, or ctx's cause.
func (x *Exchange) Supervise(ctx context.Context, id, supervisor string, mode Mode) (rung bool, err error) {
	now, _ := x.settings()
	if _, known := hears[mode]; !known {
		return false, ErrBadMode
	}
	if !now.Supervisors[supervisor] || x.Supervision.Phones == nil {
		return false, fmt.Errorf("supervisor %q: %w", supervisor, ErrNoSupervisor)
	}
	if w, busy := x.supervisors.of(supervisor); busy {
		if w.target != id {
			return false, ErrEngaged
		}
		return false, w.call.setMode(ctx, mode)
	}
	agent, err := x.maySupervise(id, supervisor)
	if err != nil {
		return false, err
	}
	c := x.newSupervision(supervisor, id, agent)
	if !x.supervisors.claim(supervisor, c, id) {
		return false, ErrEngaged
	}
	if !x.addBeside(c, id) {
		x.supervisors.free(supervisor, c)
		return false, ErrNotFound
	}
	go func() { // the drain waits for it, as for every call
		defer x.supervisors.free(supervisor, c)
		Run(context.WithoutCancel(ctx), c, Next{Kind: Supervising, Call: id, Mode: mode})
	}()
	return true, nil
}

// Unsupervise takes supervisors off the line of a call, and those off who are rung for it. Errors: ErrNotFound when there
// are none.
func (x *Exchange) Unsupervise(id string) error {
	all := x.supervisors.at(id)
	for _, c := range all {
		c.post(HangUp{Why: ReasonWithdrawn})
	}
	if len(all) == 0 {
		return ErrNotFound
	}
	return nil
}

// dismissSupervisors takes those off the line who are none by the settings now in force. One who comes on it meanwhile has
// claimed it before, and is seen here, or goes by these settings; see [supervise].
func (x *Exchange) dismissSupervisors(now *Options) {
	for id, c := range x.supervisors.all() {
		if !now.Supervisors[id] {
			Audit(c.log).Info("audit: supervisor no more", zap.String("by", id))
			c.post(HangUp{Why: ReasonWithdrawn})
		}
	}
}

// setMode asks a supervisor's call for another mode, and waits for the answer.
func (c *Call) setMode(ctx context.Context, mode Mode) error {
	reply := make(chan error, 1)
	if !c.post(SetMode{Mode: mode, Reply: func(err error) { reply <- err }}) {
		return ErrEngaged
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return cause(ctx)
	}
}

// maySupervise is the agent whose talk a supervisor may hear, or why not, as far as is seen from outside.
func (x *Exchange) maySupervise(id, supervisor string) (agent string, err error) {
	x.mu.Lock()
	c := x.calls[id]
	x.mu.Unlock()
	var l *Live
	if c != nil {
		l = c.live.Load()
	}
	switch {
	case l == nil:
		return "", ErrNotFound
	case !l.talking():
		return "", ErrNotTalking
	case x.engaged(supervisor, ""):
		return "", ErrEngaged
	case len(x.supervisors.at(id)) > 0:
		return "", ErrSupervised
	case len(l.Record.Supervisions) >= MaxSupervisions:
		return "", ErrSupervisedOften
	default:
		return l.Record.Talks[len(l.Record.Talks)-1].Agent, nil
	}
}

// talking reports whether an agent and a caller hear each other, which two agents are not.
func (l *Live) talking() bool {
	last := len(l.Record.Talks) - 1
	if l.At != Talk || last < 0 {
		return false
	}
	t := &l.Record.Talks[last]
	return t.Joined != nil && t.Ended == nil && (!l.Record.agentMade() || !t.private())
}

// talkOf is the id of the call in which an agent talks to a caller; empty when there is none.
func (x *Exchange) talkOf(agent string) string {
	for _, l := range x.Live() {
		if l.talking() && l.Record.Talks[len(l.Record.Talks)-1].Agent == agent {
			return l.Record.ID
		}
	}
	return ""
}

// engaged reports whether an agent's phone made a call that is in progress, or talks in one, besides one call.
func (x *Exchange) engaged(phone, besides string) bool {
	for _, l := range x.Live() {
		if l.Record.ID == besides {
			continue
		}
		if l.Record.Trunk == agentTrunk+phone {
			return true
		}
		for _, t := range l.Record.Talks {
			if t.Agent == phone && t.Ended == nil {
				return true
			}
		}
	}
	return false
}

// newSupervision is the call of a supervisor whose phone is to be rung, which shows the agent who talks.
func (x *Exchange) newSupervision(supervisor, target, agent string) *Call {
	id := uuid.Must(uuid.NewV7()).String()
	now, _ := x.settings()
	return &Call{
		x: x, now: now, id: id, by: supervisor,
		mailbox: make(chan Command, mailboxSize+2), // see post
		legs:    map[LegID]Leg{},
		log:     x.Logger.With(zap.String("call", id)),
		rec: Record{
			ID: id, Node: x.Node, From: supervisor, To: agent, Trunk: agentTrunk + supervisor, Started: time.Now(),
			Kind: KindSupervision, Origin: target,
			Visits: []Visit{}, Offers: []Offer{}, Talks: []TalkRecord{},
		},
	}
}

// addBeside counts a call among those in progress before its owner does, as long as another is: a drain waits for both.
func (x *Exchange) addBeside(c *Call, other string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.calls[other] == nil || x.cut {
		return false
	}
	x.calls[c.id] = c
	return true
}
