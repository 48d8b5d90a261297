package sip

import (
	"context"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// loginNumber is the number of the trunk that logs in.
const loginNumber = "96119"

// loginRig is a rig with a trunk that logs in, and no trunk at an address.
func loginRig(t *testing.T, changes ...func(o *Options)) (*rig, chan call.Incoming) {
	t.Helper()
	incoming := make(chan call.Incoming, 4)
	return newRig(t, func(o *Options) {
		o.Digest = []string{"sha-256", "md5"}
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")}
		o.Trunks = append(o.Trunks, TrunkOptions{
			Name: "roaming", Login: &TrunkLogin{Username: "carrier", Password: "hush"},
			Numbers: map[string]call.Next{loginNumber: {Kind: call.Route, Queue: "gas-alarm"}},
		})
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			incoming <- in
			in.Leg.Hangup(call.CauseBusy)
		}
		for _, change := range changes {
			change(o)
		}
	}), incoming
}

// challengeTo invites without credentials, and returns the challenge of an algorithm.
func challengeTo(t *testing.T, p *peer, algorithm string) *digest.Challenge {
	t.Helper()
	k := p.dialog(loginNumber)
	k.invite()
	w := p.status("INVITE", 401)
	k.ack(w, "")
	for _, line := range w.headers["www-authenticate"] {
		c, err := digest.ParseChallenge(line)
		require.NoError(t, err)
		if strings.EqualFold(c.Algorithm, algorithm) {
			return c
		}
	}
	require.FailNow(t, "no challenge of "+algorithm)
	return nil
}

// login invites with credentials.
func (p *peer) login(c *digest.Challenge, user, password string, count, code int) {
	p.t.Helper()
	p.loginTo(loginNumber, c, user, password, count, code)
}

func (p *peer) loginTo(number string, c *digest.Challenge, user, password string, count, code int) {
	p.t.Helper()
	creds, err := digest.Digest(c, digest.Options{
		Method: "INVITE", URI: "sip:" + number + "@" + p.to.String(), Count: count, Username: user, Password: password,
	})
	require.NoError(p.t, err)
	k := p.dialog(number)
	k.invite("Authorization: " + creds.String())
	k.ack(p.status("INVITE", code), "")
}

// A trunk without an address of its own is challenged, and known by its password, whatever number it says is calling.
func TestTrunkLogin(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"SHA-256", "MD5"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			r, incoming := loginRig(t)
			p := newPeer(t, "udp", r.udp())
			c := challengeTo(t, p, algorithm)
			p.login(c, "carrier", "wrong", 1, 401)
			p.login(c, "8001", "one", 1, 401) // an agent's, which is not registered, is nobody here
			require.Empty(t, incoming)
			p.login(c, "carrier", "hush", 1, 486)
			in := next(t, incoming)
			require.Equal(t, []string{"roaming", loginNumber, "13900001234", ""}, []string{in.Trunk, in.To, in.From, in.Agent})
			p.login(c, "carrier", "hush", 1, 401) // as it was overheard
			p.login(c, "carrier", "hush", 2, 486)
			next(t, incoming)
		})
	}
}

// Any number is challenged for alike, and one that the trunk does not have leads nowhere; its user cannot register.
func TestTrunkLoginAsksNobodyElse(t *testing.T) {
	t.Parallel()
	r, incoming := loginRig(t)
	p := newPeer(t, "udp", r.udp())
	nonce := regexp.MustCompile(`nonce="[^"]*"`)
	challenges := func(number string) (lines []string) {
		k := p.dialog(number)
		k.invite()
		w := p.status("INVITE", 401)
		k.ack(w, "")
		for _, line := range w.headers["www-authenticate"] {
			lines = append(lines, nonce.ReplaceAllString(line, ""))
		}
		return lines
	}
	require.Equal(t, challenges(loginNumber), challenges("12345"), "nobody's")
	require.Equal(t, challenges(loginNumber), challenges(testNumber), "another trunk's")
	p.loginTo(testNumber, challengeTo(t, p, "MD5"), "carrier", "hush", 1, 404)
	c := challengeTo(t, p, "MD5")
	creds, err := digest.Digest(c, digest.Options{
		Method: "REGISTER", URI: "sip:carrier@" + p.to.String(), Count: 1, Username: "carrier", Password: "hush",
	})
	require.NoError(t, err)
	k := p.dialog("carrier")
	k.request("REGISTER", "", "Authorization: "+creds.String())
	p.status("REGISTER", 401)
	require.Empty(t, incoming)
	require.Zero(t, r.registrar.bindings.byHost[netip.MustParseAddr("127.0.0.1")])
}

// A reload may take the login away, and cannot bring one that nobody could use.
func TestTrunkLoginReload(t *testing.T) {
	t.Parallel()
	r, incoming := loginRig(t)
	p := newPeer(t, "udp", r.udp())
	c := challengeTo(t, p, "MD5")
	s := r.as()
	bad := s
	bad.Trunks = append([]TrunkOptions{{Name: "x", Login: &TrunkLogin{Username: "carrier", Password: "y"}}}, s.Trunks...)
	_, err := r.Reload(bad)
	require.ErrorContains(t, err, "carrier")
	r.reload(t, s)
	p.login(c, "carrier", "hush", 1, 401) // the nonce is of before
	p.login(challengeTo(t, p, "MD5"), "carrier", "hush", 1, 486)
	next(t, incoming)
	s.Trunks = s.Trunks[:1]
	r.reload(t, s)
	k := p.dialog(loginNumber)
	k.invite()
	k.ack(p.status("INVITE", 403), "")
	p.silence(20*time.Millisecond, "INVITE")
}

// TestCarrierOfNonsenseIsNotBanned: a carrier whose customers dial numbers that nobody has is heard all the same, whether it is
// known by its address or has yet to say who it is, by UDP and by TCP.
func TestCarrierOfNonsenseIsNotBanned(t *testing.T) {
	t.Parallel()
	const nonsense = 30 // three times what a stranger may
	for network, stream := range map[string]bool{"udp": false, "tcp": true} {
		at := func(r *rig) netip.AddrPort { return map[bool]netip.AddrPort{false: r.udp(), true: r.tcp()}[stream] }
		t.Run("by address, "+network, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(o *Options) { o.OnIncoming = untilOver(make(chan call.Leg, 1)) })
			p := newPeer(t, network, at(r))
			for i := range nonsense {
				k := p.dialog("555" + strconv.Itoa(i))
				k.invite()
				k.ack(p.status("INVITE", 404), "")
			}
			k := p.dialog(testNumber)
			k.answered()
			k.bye()
			require.Empty(t, r.Bans())
		})
		t.Run("by password, "+network, func(t *testing.T) {
			t.Parallel()
			r, incoming := loginRig(t, func(o *Options) {
				o.limits = defaultLimits()
				o.limits.invites = rate{1000, 1000, 1000, 1000}
			})
			p := newPeer(t, network, at(r))
			for i := range nonsense {
				k := p.dialog("555" + strconv.Itoa(i))
				k.invite()
				k.ack(p.status("INVITE", 401), "")
			}
			require.Empty(t, r.Bans())
			c := challengeTo(t, p, "MD5")
			p.loginTo("555", c, "carrier", "hush", 1, 404)
			p.login(c, "carrier", "hush", 2, 486)
			next(t, incoming)
		})
	}
}
