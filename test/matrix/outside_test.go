package matrix

import "hotline/internal/testkit"

// dial is an agent's call to a number outside, through a trunk: an INVITE of ours that is no agent's.
func (p *play) dial() (a, o *testkit.PhoneCall) {
	p.t.Helper()
	a = p.agent.Call(p.lane.outside)
	o = p.outside.AwaitCall()
	o.Answer()
	a.Await(testkit.Talking)
	o.Await(testkit.Talking)
	p.joined(p.lane.agent, 1)
	return a, o
}

// dialled is the outcome of such a call.
func (p *play) dialled(reason, release string) []outcome {
	return []outcome{{p.lane.agent, "answered", reason, release, []string{p.lane.outside}}}
}

var agentDials = scenario{name: "agent dials outside", outward: true, play: func(p *play) []outcome {
	a, _ := p.dial()
	a.Hangup()
	return p.dialled("caller-hangup", "caller")
}}

var outsideHangsUp = scenario{name: "outside hangs up", outward: true, play: func(p *play) []outcome {
	_, o := p.dial()
	o.Hangup()
	return p.dialled("agent-hangup", "agent")
}}

var dialCancelled = scenario{name: "agent dials outside and cancels", outward: true, play: func(p *play) []outcome {
	a := p.agent.Call(p.lane.outside)
	p.outside.AwaitCall()
	a.Hangup()
	return []outcome{{p.lane.agent, "abandoned", "caller-hangup", "caller", nil}}
}}

// blindOutside is a transfer of a caller to a number outside.
var blindOutside = scenario{name: "transfer outside", outward: true, play: func(p *play) []outcome {
	c, a := p.talk()
	a.Refer(p.lane.outside, nil)
	o := p.outside.AwaitCall()
	o.Answer()
	p.told(a, 200)
	o.Await(testkit.Talking)
	p.joined(p.number, 2)
	c.Hangup()
	return p.transferred(p.lane.outside)
}}

var outsideRows = []row{
	{agentDials, outside, toPhone, "INVITE"},
	{agentDials, outside, toHotline, "100 INVITE"},
	{agentDials, outside, toHotline, "180 INVITE"},
	{agentDials, outside, toHotline, "200 INVITE"},
	{agentDials, outside, toPhone, "ACK"},
	{agentDials, outside, toPhone, "BYE"},
	{agentDials, outside, toHotline, "200 BYE"},
	{outsideHangsUp, outside, toHotline, "BYE"},
	{outsideHangsUp, outside, toPhone, "200 BYE"},
	{outsideHangsUp, agent, toPhone, "BYE"},
	{dialCancelled, outside, toPhone, "CANCEL"},
	{dialCancelled, outside, toHotline, "200 CANCEL"},
	{dialCancelled, outside, toHotline, "487 INVITE"},
	{blindOutside, agent, toHotline, "REFER"},
	{blindOutside, agent, toPhone, "NOTIFY"},
	{blindOutside, outside, toPhone, "INVITE"},
}

var outsideTraffic = []row{
	{agentDials, outside, "", ""},
	{outsideHangsUp, outside, "", ""},
	{dialCancelled, outside, "", ""},
	{blindOutside, agent, "", ""},
	{blindOutside, outside, "", ""},
}
