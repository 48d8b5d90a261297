package sip

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// guess sends a REGISTER for an agent with the credentials of some password and nonce.
func (b *boot) guess(user, password, nonce string) {
	b.k.p.t.Helper()
	creds, err := digest.Digest(&digest.Challenge{Realm: "hotline", Nonce: nonce, Algorithm: "MD5", QOP: []string{"auth"}},
		digest.Options{Method: "REGISTER", URI: "sip:8001@" + b.k.p.to.String(), Username: user, Password: password, Count: b.count + 1})
	require.NoError(b.k.p.t, err)
	b.count++
	b.k.seq++
	b.k.p.write(strings.NewReplacer("From: <sip:13900001234@", "From: <sip:"+user+"@", "<sip:8001@", "<sip:"+user+"@").
		Replace(b.k.message("REGISTER", b.k.seq, newBranch(), "", "Authorization: "+creds.String())))
}

// nonce asks for one.
func (b *boot) nonce() string {
	b.k.p.t.Helper()
	b.send()
	c, err := digest.ParseChallenge(b.k.p.status("REGISTER", 401).header("www-authenticate"))
	require.NoError(b.k.p.t, err)
	return c.Nonce
}

// guessesThrice has it guess, by one nonce, until its host is banned.
func (b *boot) guessesThrice(r *rig) (nonce string, ban Ban) {
	p := b.k.p
	p.t.Helper()
	nonce = b.nonce()
	for range 3 {
		b.guess("8001", "guess", nonce)
		p.status("REGISTER", 401)
	}
	bans := r.Bans()
	require.Len(p.t, bans, 1)
	return nonce, bans[0]
}

// from is a UDP peer at another address of this host.
func (r *rig) from(t *testing.T, last byte) *peer {
	t.Helper()
	return newPeerAt(t, &net.UDPAddr{IP: net.IPv4(127, 0, 1, last)}, "udp", r.udp())
}

func host(last byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 1, last}) }

// abuseRig has one trunk, at host(1), and bans after three failed logins.
func abuseRig(t *testing.T, change func(o *Options)) *rig {
	t.Helper()
	return newRig(t, func(o *Options) {
		strangersOnly(o)
		o.Abuse.Failures.Each = 3
		if change != nil {
			change(o)
		}
	})
}

// await waits until something was dropped so often.
func (r *rig) await(t *testing.T, why string, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return r.dropped(why) >= n }, testWait, time.Millisecond, why)
}

// TestGuesserIsBanned: a host that has answered our nonces with wrong passwords is not heard any more, over UDP and TCP;
// the ban is in the log and the metrics, and can be lifted.
func TestGuesserIsBanned(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.WarnLevel)
	r := abuseRig(t, func(o *Options) { o.Logger = zap.New(core) })
	p := r.from(t, 2)
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 2)}}).Dial("tcp", r.tcp().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.Eventually(t, func() bool { return r.open() == 1 }, testWait, time.Millisecond)
	b := p.boot()
	nonce, ban := b.guessesThrice(r)
	require.Equal(t, "127.0.1.2/32", ban.Source.String())
	require.Equal(t, banLogin, ban.Why)
	require.Equal(t, time.Minute, ban.Until.Sub(ban.Since))
	require.InDelta(t, 1, testutil.ToFloat64(r.metrics.bans.WithLabelValues(banLogin)), 0)
	require.Equal(t, 1, lines.FilterMessage("source banned").Len())
	require.NoError(t, testutil.GatherAndCompare(r.registry, strings.NewReader("# HELP hotline_sip_banned Sources that are "+
		"banned now.\n# TYPE hotline_sip_banned gauge\nhotline_sip_banned 1\n"), "hotline_sip_banned"))
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(testWait)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err, "its connections end")
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)

	b.guess("8001", "one", nonce) // right at last, and too late
	r.await(t, dropBanned, 1)
	p.options(1)
	r.await(t, dropBanned, 2)
	again, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 2)}}).Dial("tcp", r.tcp().String())
	if err == nil {
		defer func() { _ = again.Close() }()
	}
	r.await(t, dropBanned, 3)
	r.from(t, 3).allAnswered(1)

	require.False(t, r.Unban(host(3)))
	require.True(t, r.Unban(host(2)))
	require.Empty(t, r.Bans())
	p.allAnswered(1)
}

// TestSpoofedCannotBan: what comes by UDP without our nonce, or with one that another host was given, bans nobody: not a
// stranger, not an agent, not a trunk; and no password is judged, so that nothing is learnt by it, and nobody is shut out:
// the account's phone registers all the while, from its home and from anywhere else.
func TestSpoofedCannotBan(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, func(o *Options) { o.Abuse.Failures.All, o.Abuse.AccountFailures = 3, 3 })
	nonce := r.from(t, 9).boot().nonce() // the attacker's own
	phone := r.from(t, 3)
	phone.register(r)
	for _, last := range []byte{1, 2, 3} { // a trunk's address, nobody's, and that of the phone
		p := r.from(t, last)
		b := p.boot()
		for i := range 20 { // more than ten times what the account stands
			for _, n := range []string{nonce, fmt.Sprint("invented", i)} {
				b.guess("8001", "guess", n)
				require.Contains(t, p.status("REGISTER", 401).header("www-authenticate"), "stale=true")
			}
		}
		for range 20 {
			p.write(strings.Replace(p.dialog(testNumber).message("OPTIONS", 1, newBranch(), ""), "Max-Forwards", "User-Agent: friendly-scanner\r\nMax-Forwards", 1))
		}
		r.quiet(t)
		b.guess("8001", "one", nonce)
		require.Contains(t, p.status("REGISTER", 401).header("www-authenticate"), "stale=true", "even where the password is right")
		require.Empty(t, r.Bans())
		p.boot().register(200)
	}
	require.True(t, r.known(host(3)))
	r.from(t, 4).boot().register(200)
}

// TestAgedNonceProvesNothing: whoever had an address once, and heard a nonce there, may say it again when the address is
// somebody else's: nobody is banned for it, and the password is not judged. The phone is told to take a new nonce.
func TestAgedNonceProvesNothing(t *testing.T) {
	t.Parallel()
	r := newRigWith(t, strangersOnly, func(u *UA) { u.registrar.nonces.life = 0 })
	p := r.from(t, 2)
	b := p.boot()
	nonce := b.nonce()
	for i := range 10 {
		b.guess("8001", []string{"guess", "one"}[i%2], nonce)
		require.Contains(t, p.status("REGISTER", 401).header("www-authenticate"), "stale=true")
	}
	require.Empty(t, r.Bans())
	require.Empty(t, r.sentry.bans.hosts)
	require.InDelta(t, 10, testutil.ToFloat64(r.metrics.registers.WithLabelValues(registerStale)), 0)
}

// TestPageIsExempt: a page's phone that is registered over its WebSocket registers again, and calls, while no password of
// its account is looked at any more, not even from its home.
func TestPageIsExempt(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"ws", "wss"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, listensWS(t, func(o *Options) {
				strangersOnly(o)
				o.Abuse.AccountFailures = 1
			}))
			page := newWSPeer(t, r, network)
			b := page.boot()
			b.register(200)
			other := newPeer(t, "udp", r.udp()) // at the same address
			g := other.boot()
			nonce := g.nonce()
			for range homeMore {
				g.guess("8001", "guess", nonce)
				other.status("REGISTER", 401)
			}
			g.guess("8001", "guess", nonce)
			slowed := func() float64 { return testutil.ToFloat64(r.metrics.registers.WithLabelValues(registerSlowed)) }
			require.Eventually(t, func() bool { return slowed() == 1 }, testWait, time.Millisecond)
			b.register(200)
			require.InDelta(t, 1, slowed(), 0)
		})
	}
}

// TestKnownHostIsNeverBanned: behind an address where a phone is registered, wrong passwords ban nobody; nor at a trunk's,
// nor where it is so configured.
func TestKnownHostIsNeverBanned(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, func(o *Options) { o.Abuse.Never = []netip.Prefix{netip.MustParsePrefix("127.0.1.4/31")} })
	phone := r.from(t, 2)
	phone.register(r)
	for _, last := range []byte{1, 2, 5} {
		p := r.from(t, last)
		b := p.boot()
		nonce := b.nonce()
		for range 8 {
			b.guess("8001", "guess", nonce)
			p.status("REGISTER", 401)
		}
		require.Empty(t, r.Bans(), "127.0.1.%d", last)
		p.allAnswered(1)
	}
	phone.allAnswered(1)
}

// TestBannedThenKnown: who is known passes whatever ban there is on the address.
func TestBannedThenKnown(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, nil)
	_, banned := r.sentry.bans.ban(host(1), banLogin, time.Now()) // as if it had become a trunk since
	require.True(t, banned)
	r.from(t, 1).allAnswered(3)
	require.Zero(t, r.dropped(dropBanned))
}

// TestAccountIsSlowed: one account, tried from many hosts, is not judged beyond its measure, nor answered; its phone at home
// registers all the same.
func TestAccountIsSlowed(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, func(o *Options) { o.Abuse.AccountFailures = 4 })
	home := r.from(t, 2)
	first := home.boot()
	first.register(200)
	for last := byte(10); last < 14; last++ {
		p := r.from(t, last)
		b := p.boot()
		b.guess("8001", "guess", b.nonce())
		p.status("REGISTER", 401)
	}
	p := r.from(t, 14)
	b := p.boot()
	b.guess("8001", "one", b.nonce()) // no attacker sees whether it is right
	require.Eventually(t, func() bool {
		return testutil.ToFloat64(r.metrics.registers.WithLabelValues(registerSlowed)) == 1
	}, testWait, time.Millisecond)
	p.silence(100*time.Millisecond, "SIP/2.0")
	first.register(200)
	r.from(t, 2).boot().register(200) // restarted
}

// TestScannersGetSilence: by UDP what calls itself a scanner is not answered, agent or no agent, and nobody is banned for
// it; over a connection its host is.
func TestScannersGetSilence(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, nil)
	p := r.from(t, 2)
	scan := func(p *peer, method string, name string) {
		m := p.dialog("8001").message(method, 1, newBranch(), "")
		p.write(strings.Replace(m, "Max-Forwards", name+"\r\nMax-Forwards", 1))
	}
	sent := 0
	for _, method := range []string{"OPTIONS", "REGISTER", "INVITE"} {
		for _, name := range []string{"User-Agent: friendly-scanner", "user-agent:SIPVicious 0.3", "User-Agent: sipcli/v1.8"} {
			scan(p, method, name)
			sent++
		}
	}
	r.await(t, dropScanner, sent)
	p.silence(50*time.Millisecond, "SIP/2.0")
	require.Empty(t, r.Bans())
	scan(p, "OPTIONS", "User-Agent: Yealink SIP-T46S")
	p.status("OPTIONS", 200)

	c := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 3)}, "tcp", r.tcp())
	scan(c, "OPTIONS", "User-Agent: friendly-scanner")
	require.Eventually(t, func() bool { return len(r.Bans()) == 1 }, testWait, time.Millisecond)
	require.Equal(t, banScanner, r.Bans()[0].Why)
	require.Equal(t, "127.0.1.3/32", r.Bans()[0].Source.String())
	trunk := r.from(t, 1)
	scan(trunk, "OPTIONS", "User-Agent: friendly-scanner")
	trunk.status("OPTIONS", 200)
}

// TestStrangersInvites: beyond some INVITEs strangers get no answer; over a connection they are banned for those that are
// refused.
func TestStrangersInvites(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, func(o *Options) { o.Abuse.Invites = PerHost{Each: 2, All: 1000} })
	p := r.from(t, 2)
	began := time.Now()
	const n = 20
	for range n {
		k := p.dialog("12345")
		k.request("INVITE", sdpGood, sdpHeader)
	}
	answered := func() int { return int(testutil.ToFloat64(r.metrics.responses.WithLabelValues("INVITE", "403"))) }
	require.Eventually(t, func() bool { return answered()+r.dropped(dropInvites) == n }, testWait, time.Millisecond)
	require.LessOrEqual(t, answered(), 2*(2+secondsSince(began)))
	require.Empty(t, r.Bans())

	c := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 3)}, "tcp", r.tcp())
	for range 4 {
		_, _ = c.conn.Write([]byte(c.dialog("12345").message("INVITE", 1, newBranch(), ""))) // until it is closed
	}
	require.Eventually(t, func() bool { return len(r.Bans()) == 1 }, testWait, time.Millisecond)
	require.Equal(t, banCalls, r.Bans()[0].Why)
}

// TestStrangersConnections: how many connections a stranger opens in a time is bounded, also of such that end at once.
func TestStrangersConnections(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, func(o *Options) {
		o.limits = defaultLimits()
		o.limits.connects = rate{1, 3, 1000, 1000}
	})
	began := time.Now()
	const n = 30
	for range n {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, 2)}}).Dial("tcp", r.tcp().String())
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	r.await(t, dropConnects, n-3-secondsSince(began))
	trunk := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}, "tcp", r.tcp())
	trunk.allAnswered(1)
}

// TestReloadAbuse: bounds, scanners and who is never banned change with a reload; bans stay.
func TestReloadAbuse(t *testing.T) {
	t.Parallel()
	r := abuseRig(t, nil)
	for _, last := range []byte{2, 3} {
		_, banned := r.sentry.bans.ban(host(last), banLogin, time.Now())
		require.True(t, banned)
	}
	put, err := r.Reload(Settings{
		Agents: []AgentOptions{{ID: "8001", Password: "one"}},
		Abuse: AbuseOptions{
			Requests: PerHost{Each: 7, All: 70}, Invites: PerHost{Each: 2, All: 3}, Connections: PerHost{Each: 4, All: 40},
			Scanners: []string{"Own-Mark"}, Never: []netip.Prefix{netip.MustParsePrefix("127.0.1.3/32")},
		},
	})
	require.NoError(t, err)
	put()
	require.Equal(t, rate{7, 14, 70, 140}, *r.gate.rate.Load())
	require.Equal(t, rate{7, 14, 70, 140}, *r.conns.gate.rate.Load())
	require.Equal(t, rate{2, 4, 3, 6}, *r.sentry.invites.rate.Load())
	require.Equal(t, rate{2, 4, 3, 6}, *r.sentry.streamed.rate.Load())
	require.Equal(t, 4, r.conns.l.perHost)
	require.Equal(t, 40, r.conns.l.conns-r.conns.l.reserved)
	require.Len(t, r.Bans(), 2)
	r.from(t, 3).allAnswered(1)
	p := r.from(t, 4)
	p.write(strings.Replace(p.dialog("1").message("OPTIONS", 1, newBranch(), ""), "Max-Forwards", "User-Agent: own-mark/1\r\nMax-Forwards", 1))
	r.await(t, dropScanner, 1)
	r.from(t, 2).options(1)
	r.await(t, dropBanned, 1)
}

// open is how many TCP connections there are.
func (r *rig) open() int {
	r.conns.mu.Lock()
	defer r.conns.mu.Unlock()
	return len(r.conns.open)
}
