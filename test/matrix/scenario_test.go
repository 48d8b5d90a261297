package matrix

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// party is whose side of the hotline a message passes on.
type party string

const (
	caller    party = "caller"
	agent     party = "agent"
	colleague party = "colleague"
	outside   party = "outside" // a number that is called through a trunk
)

// outcome is what a record must say.
type outcome struct {
	from                    string
	result, reason, release string
	parties                 []string // of the talks, in order: agents, and numbers outside
}

// play is one call in one cell.
type play struct {
	t    *witness
	town *town
	lane lane
	// number is the caller's.
	number                            string
	caller, agent, colleague, outside *testkit.Phone

	began time.Time
	// lossy: so much is lost that the hotline may give up telling what is not necessary.
	lossy bool
}

// records are the calls of a number in this cell: an agent's number is used again.
func (p *play) records(from string) []testkit.Record {
	p.t.Helper()
	all := p.town.records(p.t, from)
	return slices.DeleteFunc(all, func(r testkit.Record) bool { return r.Started.Before(p.began) })
}

// joined waits until the record of a caller says that two people hear each other: so many, one after
// the other.
func (p *play) joined(from string, talks int) {
	p.t.Helper()
	testkit.Within(p.t, p.patience(), "people to be joined", func() bool {
		records := p.records(from)
		if len(records) == 0 {
			return false
		}
		r := records[0]
		return len(r.Talks) == talks && r.Talks[talks-1].Joined != nil
	})
}

// talk is a call that has come to where both talk.
func (p *play) talk() (c, a *testkit.PhoneCall) {
	p.t.Helper()
	c = p.caller.Call(p.lane.number)
	a = p.agent.AwaitCall()
	a.Answer()
	c.Await(testkit.Talking)
	a.Await(testkit.Talking)
	p.joined(p.number, 1)
	return c, a
}

// answered is the outcome of a call that one agent answered, and somebody hung up.
func (p *play) answered(reason, release string) []outcome {
	return []outcome{{p.number, "answered", reason, release, []string{p.lane.agent}}}
}

// byCaller is the outcome of a talk that the caller ended.
func (p *play) byCaller() []outcome { return p.answered("caller-hangup", "caller") }

// scenario is a call in which certain messages pass.
type scenario struct {
	name string
	// outward calls need the phone outside.
	outward bool
	// phones says what else is particular about the phones.
	phones testkit.PhoneOptions
	play   func(p *play) []outcome // of each call that was made
}

var callerHangsUp = scenario{name: "caller hangs up", play: func(p *play) []outcome {
	c, _ := p.talk()
	c.Hangup()
	return p.byCaller()
}}

var agentHangsUp = scenario{name: "agent hangs up", play: func(p *play) []outcome {
	_, a := p.talk()
	a.Hangup()
	return p.answered("agent-hangup", "agent")
}}

var callerCancels = scenario{name: "caller cancels", play: func(p *play) []outcome {
	c := p.caller.Call(p.lane.number)
	p.agent.AwaitCall()
	c.Hangup()
	return []outcome{{p.number, "abandoned", "caller-hangup", "caller", nil}}
}}

var agentHolds = scenario{name: "agent holds", play: func(p *play) []outcome {
	c, a := p.talk()
	a.Hold()
	require.Equal(p.t, 200, a.AwaitReoffered())
	a.Resume()
	require.Equal(p.t, 200, a.AwaitReoffered())
	c.Hangup()
	return p.byCaller()
}}

var callerHolds = scenario{name: "caller holds", play: func(p *play) []outcome {
	c, _ := p.talk()
	c.Hold()
	require.Equal(p.t, 200, c.AwaitReoffered())
	c.Resume()
	require.Equal(p.t, 200, c.AwaitReoffered())
	c.Hangup()
	return p.byCaller()
}}

// agentCalls is an agent who dials a number of the hotline: the only INVITE with a challenge.
var agentCalls = scenario{name: "agent calls", play: func(p *play) []outcome {
	a := p.agent.Call(p.lane.other)
	b := p.colleague.AwaitCall()
	b.Answer()
	a.Await(testkit.Talking)
	b.Await(testkit.Talking)
	p.joined(p.lane.agent, 1)
	b.Hangup()
	return []outcome{{p.lane.agent, "answered", "agent-hangup", "agent", []string{p.lane.colleague}}}
}}

var agentCancels = scenario{name: "agent cancels", play: func(p *play) []outcome {
	a := p.agent.Call(p.lane.other)
	p.colleague.AwaitCall()
	a.Hangup()
	return []outcome{{p.lane.agent, "abandoned", "caller-hangup", "caller", nil}}
}}
