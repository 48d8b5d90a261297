package matrix

import (
	"time"

	"hotline/internal/testkit"
)

// session is the shortest that a session may last without a refresh (RFC 4028 section 4).
const session = 90 * time.Second

// refreshed is a call so long that the hotline refreshes both of its sessions (RFC 4028 section 7.2).
func refreshed(p *play) []outcome {
	c, a := p.talk()
	c.AwaitRefreshed()
	a.AwaitRefreshed()
	c.Hangup()
	return p.byCaller()
}

var (
	byReINVITE = scenario{name: "refreshed by re-INVITE", phones: testkit.PhoneOptions{Session: session}, play: refreshed}
	byUPDATE   = scenario{name: "refreshed by UPDATE", phones: testkit.PhoneOptions{Session: session, Updates: true}, play: refreshed}
)

// refreshRows are the re-INVITEs of the hotline's own. A cell takes longer than half a session, so they are
// in the full matrix alone.
var refreshRows = []row{
	{byReINVITE, caller, toPhone, "re-INVITE"},
	{byReINVITE, caller, toHotline, "200 re-INVITE"},
	{byReINVITE, caller, toPhone, "ACK re-INVITE"},
	{byReINVITE, agent, toPhone, "re-INVITE"},
	{byReINVITE, agent, toHotline, "200 re-INVITE"},
	{byReINVITE, agent, toPhone, "ACK re-INVITE"},
	{byUPDATE, caller, toPhone, "UPDATE"},
	{byUPDATE, caller, toHotline, "200 UPDATE"},
	{byUPDATE, agent, toPhone, "UPDATE"},
	{byUPDATE, agent, toHotline, "200 UPDATE"},
}

var refreshTraffic = []row{
	{byReINVITE, caller, "", ""},
	{byReINVITE, agent, "", ""},
	{byUPDATE, caller, "", ""},
	{byUPDATE, agent, "", ""},
}
