package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A carrier whose addresses are of a domain, and which has another name for who proves the password than for who is called, is sent
// REGISTER, OPTIONS and INVITE as it knows them: all at its border's address.
func TestTrunkDomain(t *testing.T) {
	t.Parallel()
	const domain, private = "gd.ctcims.test", "+8675596777@gd.ctcims.test"
	r, p, _ := registerRig(t, time.Hour, func(o *Options) {
		o.Trunks[0].Out = &TrunkOut{Network: "udp", Address: "placeholder.invalid:5060", From: testNumber, Domain: domain}
		o.Trunks[0].Register.Username, o.Trunks[0].Register.User, o.Trunks[0].Register.Domain = private, "+8675596777", domain
		o.Dial = []DialRule{rule("139")}
	})
	r.plan().list[0].out.Address = p.addr()
	req := p.expect("REGISTER sip:"+domain+" SIP/2.0", "REGISTER")
	require.Contains(t, req.header("to"), "<sip:+8675596777@"+domain+">")
	require.Contains(t, req.header("from"), "<sip:+8675596777@"+domain+">")
	p.respond(req, 401, "Unauthorized", "r", "", `WWW-Authenticate: Digest realm="carrier", nonce="n", algorithm=MD5, qop="auth"`)
	req = p.expect("REGISTER sip:"+domain+" SIP/2.0", "REGISTER")
	creds, err := parseCredentials(req.header("authorization"), "carrier")
	require.NoError(t, err)
	require.Equal(t, []string{private, "sip:" + domain}, []string{creds.Username, creds.URI})
	ha1, err := HA1("md5", private, "carrier", carrierPassword)
	require.NoError(t, err)
	require.True(t, rightResponse(creds, "REGISTER", ha1))
	p.bind(req, 3600)
	r.registration(t, RegistrationUp)

	out := r.outside(t.Context(), "13912345678")
	inv := p.expect("INVITE sip:13912345678@"+domain+" SIP/2.0", "INVITE")
	require.Contains(t, inv.header("to"), "<sip:13912345678@"+domain+">")
	require.Contains(t, inv.header("from"), "<sip:"+testNumber+"@"+domain+">")
	require.Equal(t, "<sip:"+testNumber+"@"+domain+">", inv.header("p-asserted-identity"))
	require.Contains(t, inv.header("contact"), "@"+r.udp().String())
	p.respond(inv, 486, "Busy Here", "a", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.True(t, r.plan().named(domain), "a transfer may name it")
}

// OPTIONS come from whom the carrier knows.
func TestTrunkPingDomain(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Hour, func(o *Options) {
		o.Trunks[0].Register.User, o.Trunks[0].Register.Domain = "+8675596777", "gd.ctcims.test"
		o.Trunks[0].Ping = time.Hour
	})
	ping := p.expectPing()
	require.Contains(t, ping.start, "OPTIONS sip:gd.ctcims.test SIP/2.0")
	require.Contains(t, ping.header("to"), "<sip:gd.ctcims.test>")
	require.Contains(t, ping.header("from"), "<sip:+8675596777@gd.ctcims.test>")
	p.respond(ping, 200, "OK", "p", "")
	r.up(t, true)
}
