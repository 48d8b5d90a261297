package matrix

import (
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// transferred is the outcome of a talk that went on with the colleague, until the caller hung up.
func (p *play) transferred() outcome {
	o := p.byCaller()
	o.agents = append(o.agents, p.lane.colleague)
	return o
}

// blind is a transfer by REFER (RFC 3515) to the colleague, whom the hotline rings.
var blind = scenario{name: "agent transfers", play: func(p *play) outcome {
	c, a := p.talk()
	a.Refer(p.lane.colleague, nil)
	b := p.colleague.AwaitCall()
	b.Answer()
	require.Equal(p.t, 202, a.AwaitReferred())
	require.Equal(p.t, 200, a.AwaitTransfer())
	b.Await(testkit.Talking)
	p.joined(p.number, 2)
	a.Hangup()
	c.Hangup()
	return p.transferred()
}}

// refused is a transfer to a colleague who declines: the agent is told, and talks on.
var refused = scenario{name: "transfer declined", play: func(p *play) outcome {
	c, a := p.talk()
	a.Refer(p.lane.colleague, nil)
	p.colleague.AwaitCall().Hangup()
	require.Equal(p.t, 202, a.AwaitReferred())
	require.Equal(p.t, 486, a.AwaitTransfer())
	a.Await(testkit.Talking)
	c.Hangup()
	return p.byCaller()
}}

// byCallerRefused is a REFER from a caller, who may not.
var byCallerRefused = scenario{name: "caller would transfer", play: func(p *play) outcome {
	c, _ := p.talk()
	c.Refer(p.lane.colleague, nil)
	require.Equal(p.t, 403, c.AwaitReferred())
	c.Hangup()
	return p.byCaller()
}}

var transferRows = []row{
	{blind, agent, toHotline, "REFER"},
	{blind, agent, toPhone, "202 REFER"},
	{blind, agent, toPhone, "NOTIFY"},
	{blind, agent, toHotline, "200 NOTIFY"},
	{blind, colleague, toPhone, "INVITE"},
	{blind, colleague, toHotline, "200 INVITE"},
	{blind, colleague, toPhone, "ACK"},
	{blind, colleague, toPhone, "BYE"},
	{refused, agent, toPhone, "NOTIFY"},
	{refused, colleague, toHotline, "486 INVITE"},
	{refused, colleague, toPhone, "ACK"},
	{byCallerRefused, caller, toHotline, "REFER"},
	{byCallerRefused, caller, toPhone, "403 REFER"},
}

var transferTraffic = []row{
	{blind, agent, "", ""},
	{blind, colleague, "", ""},
	{refused, agent, "", ""},
	{refused, colleague, "", ""},
}
