package matrix

import "hotline/internal/testkit"

// reliably is a call whose 180s are acknowledged by PRACK (RFC 3262), on both sides: the caller requires it,
// and the agent's phone sends it so to whoever supports it.
var reliably = scenario{name: "reliable ringing", phones: testkit.PhoneOptions{Reliable: true}, play: func(p *play) []outcome {
	c := p.caller.Call(p.lane.number)
	a := p.agent.AwaitCall()
	c.Await(testkit.Ringing)
	a.AwaitPRACK()
	a.Answer()
	c.Await(testkit.Talking)
	a.Await(testkit.Talking)
	p.joined(p.number, 1)
	c.Hangup()
	return p.byCaller()
}}

// reliablyCancelled is given up while it rings so.
var reliablyCancelled = scenario{name: "reliable ringing, cancelled", phones: testkit.PhoneOptions{Reliable: true}, play: func(p *play) []outcome {
	c := p.caller.Call(p.lane.number)
	p.agent.AwaitCall().AwaitPRACK()
	c.Hangup()
	return []outcome{{p.number, "abandoned", "caller-hangup", "caller", nil}}
}}

var reliableRows = []row{
	{reliably, caller, toPhone, "180 INVITE"},
	{reliably, caller, toHotline, "PRACK"},
	{reliably, caller, toPhone, "200 PRACK"},
	{reliably, agent, toHotline, "180 INVITE"},
	{reliably, agent, toPhone, "PRACK"},
	{reliably, agent, toHotline, "200 PRACK"},
	{reliablyCancelled, caller, toHotline, "CANCEL"},
	{reliablyCancelled, agent, toPhone, "CANCEL"},
}

var reliableTraffic = []row{
	{reliably, caller, "", ""},
	{reliably, agent, "", ""},
	{reliablyCancelled, caller, "", ""},
	{reliablyCancelled, agent, "", ""},
}
