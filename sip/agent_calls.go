package sip

import (
	"sync"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"

	"hotline/call"
)

// agentCallsMost is how many calls one agent's phone may make at once: far more than somebody can hold, so that whoever has one
// agent's password has not every ordinary place. As many more may lead to the alarms.
const agentCallsMost = 8

// agentCalls counts the calls that agents' phones make. It may be used from any goroutine.
type agentCalls struct {
	mu  sync.Mutex
	now map[agentCall]int
}

// agentCall is what is counted apart.
type agentCall struct {
	agent string
	alarm bool
}

// take takes one more, until free is called; more calls of it do nothing.
func (c *agentCalls) take(of agentCall) (free func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[of] >= agentCallsMost {
		return nil, false
	}
	if c.now == nil {
		c.now = make(map[agentCall]int)
	}
	c.now[of]++
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.now[of]--; c.now[of] <= 0 {
			delete(c.now, of)
		}
	}), true
}

// place is letIn for whoever calls, an agent's phone within what one may have at once.
func (u *UA) place(in *call.Incoming, came time.Time) (free func(), shed bool, refused int) {
	if in.Agent == "" {
		return u.letIn(in, came)
	}
	over, ok := u.agentCalls.take(agentCall{in.Agent, u.calls.leadsToAlarm(in.At, false)})
	if !ok {
		u.metrics.admission(classAgent, admitFull)
		u.limited(zap.WarnLevel, "agent's phone has as many calls as it may make at once", zap.String("agent", in.Agent),
			zap.Int("calls", agentCallsMost))
		return nil, false, sipmsg.StatusBusyHere
	}
	theirs, shed, refused := u.letIn(in, came)
	if refused != 0 {
		over()
		return nil, false, refused
	}
	return func() { theirs(); over() }, shed, 0
}
