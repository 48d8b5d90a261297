package matrix

import (
	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// transferred is the outcome of a talk that went on with somebody else, until the caller hung up.
func (p *play) transferred(to string) []outcome {
	o := p.byCaller()
	o[0].parties = append(o[0].parties, to)
	return o
}

// told wants a phone that referred to be told how it ended: the hotline waits with its BYE for that, but not
// for ever.
func (p *play) told(a *testkit.PhoneCall, status int) {
	p.t.Helper()
	require.Equal(p.t, 202, a.AwaitReferred())
	if got := a.AwaitTransfer(); !p.lossy || a.Ended() == "" {
		require.Equal(p.t, status, got)
	}
}

// blind is a transfer by REFER (RFC 3515) to the colleague, whom the hotline rings.
var blind = scenario{name: "agent transfers", play: func(p *play) []outcome {
	c, a := p.talk()
	a.Refer(p.lane.colleague, nil)
	b := p.colleague.AwaitCall()
	b.Answer()
	p.told(a, 200)
	b.Await(testkit.Talking)
	p.joined(p.number, 2)
	a.Hangup()
	c.Hangup()
	return p.transferred(p.lane.colleague)
}}

// refused is a transfer to a colleague who declines: the agent is told, and talks on.
var refused = scenario{name: "transfer declined", play: func(p *play) []outcome {
	c, a := p.talk()
	a.Refer(p.lane.colleague, nil)
	p.colleague.AwaitCall().Hangup()
	p.told(a, 486)
	a.Await(testkit.Talking)
	c.Hangup()
	return p.byCaller()
}}

// attended is a transfer after a consultation: the caller on hold, the colleague asked first, and then put in
// the agent's place by a REFER with Replaces (RFC 3891).
var attended = scenario{name: "attended transfer", play: func(p *play) []outcome {
	c, a := p.talk()
	a.Hold()
	require.Equal(p.t, 200, a.AwaitReoffered())
	asking := p.agent.Call(p.lane.colleague)
	b := p.colleague.AwaitCall()
	b.Answer()
	asking.Await(testkit.Talking)
	b.Await(testkit.Talking)
	p.joined(p.lane.agent, 1)
	a.Refer(p.lane.colleague, asking)
	p.told(a, 200)
	p.joined(p.number, 2)
	c.Hangup()
	return append(p.transferred(p.lane.colleague),
		outcome{p.lane.agent, "answered", "transferred", "system", []string{p.lane.colleague}})
}}

// byCallerRefused is a REFER from a caller, who may not.
var byCallerRefused = scenario{name: "caller would transfer", play: func(p *play) []outcome {
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
	{attended, agent, toHotline, "REFER"},
	{attended, agent, toPhone, "202 REFER"},
	{attended, agent, toPhone, "NOTIFY"},
	{attended, agent, toPhone, "BYE"},
	{byCallerRefused, caller, toHotline, "REFER"},
	{byCallerRefused, caller, toPhone, "403 REFER"},
}

var transferTraffic = []row{
	{blind, agent, "", ""},
	{blind, colleague, "", ""},
	{refused, agent, "", ""},
	{refused, colleague, "", ""},
	{attended, agent, "", ""},
	{attended, colleague, "", ""},
}
