package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// registerSIPS registers agent 8001 with a Contact of sips, and returns the final answer.
func (p *peer) registerSIPS() wire {
	p.t.Helper()
	k := p.dialog("8001")
	send := func(extra ...string) {
		k.seq++
		p.write(strings.NewReplacer("From: <sip:13900001234@", "From: <sip:8001@", "<sip:caller@", "<sips:8001@").
			Replace(k.message("REGISTER", k.seq, newBranch(), "", extra...)))
	}
	send()
	w := p.expect("SIP/2.0", "REGISTER")
	c, err := digest.ParseChallenge(w.header("www-authenticate"))
	if err != nil {
		return w
	}
	creds, err := digest.Digest(c, digest.Options{
		Method: "REGISTER", URI: fmt.Sprintf("sip:8001@%s", p.to), Username: "8001", Password: "one", Count: 1,
	})
	require.NoError(p.t, err)
	send("Authorization: " + creds.String())
	return p.expect("SIP/2.0", "REGISTER")
}

// What comes by TLS to an address of sips is taken, and the dialog's addresses of ours are of sips, too (RFC 3261 sections
// 8.1.1.8 and 12.1.1).
func TestSIPS(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, listensTLS(newPEM(t, "one"), func(o *Options) { o.OnIncoming = untilOver(legs) }))
	p := newTLSPeer(t, nil, r.tls())
	k := p.dialog(testNumber)
	k.seq, k.branch = 1, newBranch()
	sips := func(msg string) { p.write(strings.Replace(msg, " sip:"+testNumber+"@", " sips:"+testNumber+"@", 1)) }
	sips(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader))
	w := p.status("INVITE", 200)
	require.Contains(t, w.header("contact"), "<sips:hotline@"+r.tls().String()+">")
	k.toTag = w.tag("to")
	sips(k.message("ACK", 1, newBranch(), ""))
	next(t, legs).Hangup(call.CauseBye)
	p.respond(p.expect("BYE sip:caller@", "BYE"), 200, "OK", "", "")

	agent := newTLSPeer(t, nil, r.tls())
	require.Contains(t, agent.registerSIPS().start, " 200 ")
	require.Equal(t, "8001 true", next(t, r.flows))
	inv, out := agent.rungBy(r)
	require.Contains(t, inv.start, "INVITE sips:8001@")
	require.Contains(t, inv.header("contact"), "<sips:hotline@"+r.tls().String()+">")
	agent.respond(inv, 486, "Busy Here", "x", "")
	agent.expect("ACK", "ACK")
	require.Error(t, next(t, out).err)
}

// Without TLS an address of sips was promised what it did not have: 416, after which sip may be tried. A phone is not called
// by sips where its flow is not encrypted.
func TestSIPSWithoutTLS(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, network := range []string{"udp", "tcp"} {
		p := newPeer(t, network, map[string]netip.AddrPort{"udp": r.udp(), "tcp": r.tcp()}[network])
		for _, method := range []string{"INVITE", "REGISTER", "OPTIONS"} {
			k := p.dialog(testNumber)
			k.seq, k.branch = 1, newBranch()
			p.write(strings.Replace(k.message(method, 1, k.branch, ""), " sip:"+testNumber+"@", " sips:"+testNumber+"@", 1))
			w := p.status(method, 416)
			if method == "INVITE" {
				k.ack(w, "")
			}
		}
		require.Contains(t, p.registerSIPS().start, "SIP/2.0 400 Bad Request: a Contact of sips needs TLS")
	}
}
