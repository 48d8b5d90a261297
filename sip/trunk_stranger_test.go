package sip

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
)

// roaming is a peer over TCP, at an address that is no trunk's.
func (r *rig) roaming(t *testing.T, last byte) *peer {
	t.Helper()
	return newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, last)}, "tcp", r.tcp())
}

// passes has the trunk that logs in make a call.
func (p *peer) passes(t *testing.T, incoming <-chan call.Incoming) {
	t.Helper()
	p.login(challengeTo(t, p, "MD5"), "carrier", "hush", 1, 486)
	require.Equal(t, "roaming", next(t, incoming).Trunk)
}

// TestLoginTrunkIsNotBanned: a trunk that logs in over a connection is challenged for each call, and banned for none; nor is
// who is challenged and never answers. Where it has logged in it is no stranger.
func TestLoginTrunkIsNotBanned(t *testing.T) {
	t.Parallel()
	r, incoming := loginRig(t, func(o *Options) { o.Abuse.Failures.Each, o.Abuse.Invites = 3, PerHost{Each: 1, All: 100} })
	p := r.roaming(t, 2)
	for range 8 {
		p.passes(t, incoming)
	}
	require.True(t, r.known(host(2)))
	asks := r.roaming(t, 3)
	challengeTo(t, asks, "MD5")
	for range 40 { // more than a stranger may
		asks.write(asks.dialog(loginNumber).message("INVITE", 1, newBranch(), ""))
	}
	r.await(t, dropInvites, 1)
	require.False(t, r.known(host(3)))
	r.quiet(t)
	require.Empty(t, r.sentry.bans.hosts)
}

// TestForgedInvites: who writes a trunk's address on datagrams, or any addresses, takes nothing from the trunk, which comes
// by TLS and is no stranger's guest but by its password; and does not have it banned.
func TestForgedInvites(t *testing.T) {
	t.Parallel()
	files := newPEM(t, "one")
	r, incoming := loginRig(t, listensTLS(files, func(o *Options) { o.Abuse.Invites = PerHost{Each: 1, All: 2} }))
	forged := 0
	for _, last := range []byte{2, 4, 5, 6, 7, 8} {
		p := r.from(t, last)
		for range 20 {
			p.write(p.dialog(loginNumber).message("INVITE", 1, newBranch(), ""))
			forged++
		}
	}
	answered := func() int { return int(testutil.ToFloat64(r.metrics.responses.WithLabelValues("INVITE", "401"))) }
	require.Eventually(t, func() bool { return r.dropped(dropInvites)+answered() == forged }, testWait, time.Millisecond)
	require.Greater(t, r.dropped(dropInvites), forged/2)
	trunk := newTLSPeer(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 2)}, r.tls())
	trunk.passes(t, incoming)
	trunk.passes(t, incoming)
	require.Empty(t, r.sentry.bans.hosts)
}

// TestCarrierPassesTheFlood: a call to what only the carrier was told is let in whoever else sends, wherever it comes from;
// and from then on all that comes from there.
func TestCarrierPassesTheFlood(t *testing.T) {
	t.Parallel()
	for network, pass := range map[string]string{"udp": dropStrangers, "tcp": dropInvites} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r, carrier, _ := registerRig(t, time.Hour, func(o *Options) {
				o.Abuse.Requests, o.Abuse.Invites = PerHost{Each: 1, All: 1}, PerHost{Each: 1, All: 1}
				if network == "tcp" {
					o.Abuse.Requests = PerHost{Each: 1000, All: 1000} // there they wait
				}
				o.OnIncoming = func(_ context.Context, in call.Incoming) { in.Leg.Hangup(call.CauseBusy) }
			})
			req := carrier.expect("REGISTER", "REGISTER")
			carrier.bind(req, 3600)
			r.registration(t, RegistrationUp)
			at := func(last byte) *peer {
				if network == "tcp" {
					return r.roaming(t, last)
				}
				return r.from(t, last)
			}
			p := at(2)
			for last := byte(10); last < 40; last++ {
				flooder := at(last)
				flooder.write(flooder.dialog("1").message("INVITE", 1, newBranch(), ""))
			}
			r.await(t, pass, 20)
			k := p.dialog(testNumber)
			k.seq, k.branch = 1, newBranch()
			p.write(strings.Replace(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader), "INVITE sip:"+testNumber+"@",
				"INVITE sip:"+contactUserOf(req)+"@", 1))
			k.ack(p.status("INVITE", 486), "")
			require.True(t, r.known(host(2)))
			p.allAnswered(10)
			require.Empty(t, r.Bans())
		})
	}
}

// TestLoginIsSlowed: beyond some wrong passwords no more of a trunk's are looked at from elsewhere, nor answered, right or
// wrong; an agent of the same name is another account. Each is counted, and told of in the log.
func TestLoginIsSlowed(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.WarnLevel)
	r, incoming := loginRig(t, func(o *Options) {
		o.Abuse.AccountFailures = 4
		o.Agents = append(o.Agents, AgentOptions{ID: "carrier", Password: "two"})
		o.Logger = zap.New(core)
	})
	home := r.from(t, 2)
	home.passes(t, incoming)
	for last := byte(10); last < 14; last++ {
		p := r.from(t, last)
		p.login(challengeTo(t, p, "MD5"), "carrier", "guess", 1, 401)
	}
	p := r.from(t, 14)
	c := challengeTo(t, p, "MD5")
	creds, err := digest.Digest(c, digest.Options{
		Method: "INVITE", URI: "sip:" + loginNumber + "@" + p.to.String(), Count: 1, Username: "carrier", Password: "hush",
	})
	require.NoError(t, err)
	p.dialog(loginNumber).invite("Authorization: " + creds.String())
	logins := func(outcome string) int { return int(testutil.ToFloat64(r.metrics.logins.WithLabelValues(outcome))) }
	require.Eventually(t, func() bool { return logins(registerSlowed) == 1 }, testWait, time.Millisecond)
	p.silence(100*time.Millisecond, "SIP/2.0 ")
	require.Empty(t, incoming)
	require.Equal(t, []int{1, 6, 4}, []int{logins(loginAdmitted), logins(registerChallenged), logins(registerWrong)})
	wrong := lines.FilterMessage("wrong credentials").All()
	require.NotEmpty(t, wrong)
	require.Equal(t, "trunk", wrong[0].ContextMap()["as"])

	home.passes(t, incoming)
	b := r.from(t, 15).boot()
	b.guess("carrier", "two", b.nonce())
	b.k.p.status("REGISTER", 200)
}

// TestLoginGuesserIsBanned: who has heard our nonces and answers with wrong passwords of a trunk is banned as one is who
// tries those of agents.
func TestLoginGuesserIsBanned(t *testing.T) {
	t.Parallel()
	r, _ := loginRig(t, func(o *Options) { o.Abuse.Failures.Each = 3 })
	p := r.from(t, 2)
	c := challengeTo(t, p, "MD5")
	for n := range 3 {
		p.login(c, "carrier", "guess", n+1, 401)
	}
	require.Len(t, r.Bans(), 1)
	require.Equal(t, banLogin, r.Bans()[0].Why)
}

// TestAlarmOfLoginTrunkWhileDraining: who drains admits an alarm of a trunk that logs in, and so must ask for the password
// first; any other call is sent elsewhere at once.
func TestAlarmOfLoginTrunkWhileDraining(t *testing.T) {
	t.Parallel()
	const other = "96120"
	r, incoming := loginRig(t, func(o *Options) {
		o.Alarm = AlarmOptions{Queue: "gas-alarm"}
		o.Trunks[1].Numbers[other] = toMenu
	})
	r.Drain()
	p := newPeer(t, "udp", r.udp())
	p.login(challengeTo(t, p, "MD5"), "carrier", "wrong", 1, 401)
	p.passes(t, incoming)
	k := p.dialog(other)
	k.invite()
	k.ack(p.status("INVITE", 503), "")
}

// TestLoginHomesGoWithTheTrunk: a trunk that is no more leaves no host that is known for it.
func TestLoginHomesGoWithTheTrunk(t *testing.T) {
	t.Parallel()
	r, incoming := loginRig(t)
	r.from(t, 2).passes(t, incoming)
	s := r.as()
	r.reload(t, s)
	require.True(t, r.known(host(2)))
	s.Trunks = s.Trunks[:1]
	r.reload(t, s)
	require.False(t, r.known(host(2)))
}
