package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"hotline/call"
)

const carrierPassword = "between us and the carrier"

// registerRig is a rig whose trunk registers to a peer. Its networks are elsewhere.
func registerRig(t *testing.T, expires time.Duration, change func(o *Options)) (*rig, *peer, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	var p *peer
	r := newRigWith(t, func(o *Options) {
		o.Logger = zap.New(core)
		o.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")}
		o.Trunks[0].Register = &TrunkRegister{
			Network: "udp", Address: "127.0.0.1:1", Username: "9677700", Password: carrierPassword, Expires: expires,
		}
		if change != nil {
			change(o)
		}
	}, func(u *UA) { // known only now; nothing has been sent
		p = newPeer(t, "udp", u.Addrs()[0])
		o := u.plan().list[0].reg.o
		o.Address = p.addr()
		u.o.Trunks[0].Register = &o
		u.plan().list[0].reg = newRegistration("city", o)
		u.plan().list[0].ping = newPinger(&u.o.Trunks[0])
	})
	return r, p, logs
}

// registered waits until the trunk is, or is not.
func (r *rig) registration(t *testing.T, state string) TrunkState {
	t.Helper()
	require.Eventually(t, func() bool { return r.Trunks()[0].Registration == state }, testWait, time.Millisecond, state)
	return r.Trunks()[0]
}

func (r *rig) registers(outcome string) float64 {
	return testutil.ToFloat64(r.metrics.trunks.WithLabelValues("city", outcome))
}

// gauge is hotline_trunk_registered of the rig's trunk.
func (r *rig) gauge(t *testing.T, name string) float64 {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			require.Equal(t, "city", f.GetMetric()[0].GetLabel()[0].GetValue())
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	require.FailNow(t, "no metric "+name)
	return 0
}

// contactUserOf is the user of a REGISTER's Contact.
func contactUserOf(w wire) string {
	user, _, _ := strings.Cut(strings.TrimPrefix(w.header("contact"), "<sip:"), "@")
	return user
}

// bind answers a REGISTER with a binding for so many seconds, among those of others.
func (p *peer) bind(req wire, seconds int) {
	p.respond(req, 200, "OK", "r", "",
		"Contact: <sip:somebody@192.0.2.9>;expires=3600, "+fmt.Sprintf("%s;expires=%d", req.header("contact"), seconds), "Expires: 7200")
}

// A trunk registers by digest, with the first of the algorithms that the carrier offers, refreshes in time, and takes its
// registration back when it stops.
func TestTrunkRegisters(t *testing.T) {
	t.Parallel()
	for algorithm, name := range map[string]string{"MD5": "md5", "SHA-256": "sha-256", "SHA-512-256": "sha-512-256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			r, p, logs := registerRig(t, time.Hour, nil)
			req := p.expect("REGISTER sip:"+p.addr()+" SIP/2.0", "REGISTER")
			require.Contains(t, req.header("to"), "<sip:9677700@127.0.0.1>")
			require.Contains(t, req.header("from"), "<sip:9677700@127.0.0.1>")
			require.Equal(t, "3600", req.header("expires"))
			require.Contains(t, req.header("contact"), "@"+r.udp().String()+">")
			require.Empty(t, req.header("authorization"))
			require.Equal(t, RegistrationTrying, r.Trunks()[0].Registration)
			require.InDelta(t, 0, r.gauge(t, "hotline_trunk_registered"), 0)
			p.respond(req, 401, "Unauthorized", "r", "",
				`WWW-Authenticate: Digest realm="carrier", nonce="x", algorithm=NONE, qop="auth"`,
				`WWW-Authenticate: Digest realm="carrier", nonce="n", algorithm=`+algorithm+`, qop="auth"`,
				`WWW-Authenticate: Digest realm="carrier", nonce="m", algorithm=MD5, qop="auth"`)

			first := p.expect("REGISTER", "REGISTER")
			require.Equal(t, 1, proves(t, first, name).Nc)
			require.Equal(t, req.header("call-id"), first.header("call-id"), "RFC 3261 section 10.2")
			require.NotEqual(t, req.header("cseq"), first.header("cseq"))
			p.bind(first, 10)
			state := r.registration(t, RegistrationUp)
			require.Less(t, time.Until(state.Until), 11*time.Second, "what was granted to us, and not to another")
			require.InDelta(t, 1, r.gauge(t, "hotline_trunk_registered"), 0)

			again := p.expect("REGISTER", "REGISTER")
			require.True(t, again.at.Before(state.Until), "before the binding ends")
			require.Equal(t, 2, proves(t, again, name).Nc, "the nonce is used on")
			require.Equal(t, first.header("contact"), again.header("contact"))
			p.bind(again, 3600)
			require.Eventually(t, func() bool { return r.registers(trunkRefreshed) == 1 }, testWait, time.Millisecond)
			require.InDelta(t, 1, r.registers(trunkRegistered), 0)

			closed := make(chan error, 1)
			go func() { closed <- r.Close() }()
			last := p.expect("REGISTER", "REGISTER")
			require.Equal(t, "0", last.header("expires"))
			require.Equal(t, first.header("contact"), last.header("contact"))
			proves(t, last, name)
			p.respond(last, 200, "OK", "r", "", "Contact: <sip:somebody@192.0.2.9>;expires=3600")
			require.NoError(t, next(t, closed))
			require.InDelta(t, 1, r.registers(trunkUnregistered), 0)
			for _, l := range logs.All() {
				require.NotContains(t, fmt.Sprint(l.ContextMap()), carrierPassword)
				require.NotContains(t, fmt.Sprint(l.ContextMap()), contactUserOf(first), "whoever knows it may call")
				require.NotContains(t, fmt.Sprint(l.ContextMap()), "9677700")
			}
		})
	}
}

// proves requires that a REGISTER shows the password.
func proves(t *testing.T, w wire, algorithm string) *digest.Credentials {
	t.Helper()
	creds, err := parseCredentials(w.header("authorization"), "carrier")
	require.NoError(t, err)
	require.NotNil(t, creds, w.raw)
	require.Equal(t, "n", creds.Nonce)
	ha1, err := HA1(algorithm, "9677700", "carrier", carrierPassword)
	require.NoError(t, err)
	require.True(t, rightResponse(creds, "REGISTER", ha1))
	return creds
}

// A carrier that wants longer registrations is given what it wants (RFC 3261 section 10.2.8), once.
func TestTrunkRegistersForLonger(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Minute, nil)
	req := p.expect("REGISTER", "REGISTER")
	require.Equal(t, "60", req.header("expires"))
	p.respond(req, 423, "Interval Too Brief", "r", "", "Min-Expires: 600")
	req = p.expect("REGISTER", "REGISTER")
	require.Equal(t, "600", req.header("expires"))
	p.respond(req, 423, "Interval Too Brief", "r", "", "Min-Expires: 1200")
	require.Equal(t, 423, r.registration(t, RegistrationRefused).Code)
	p.silence(50*time.Millisecond, "REGISTER")
}

// A carrier that is silent is tried again, and one that is back has us at once.
func TestTrunkSilent(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Minute, func(o *Options) { o.T1 = 100 * time.Millisecond })
	r.registration(t, RegistrationUnreachable)
	require.InDelta(t, 1, r.registers(RegistrationUnreachable), 0)
	first := p.expect("REGISTER", "REGISTER")
	for {
		req := p.expect("REGISTER", "REGISTER")
		if req.header("cseq") != first.header("cseq") { // not one that was sent again
			p.bind(req, 3600)
			break
		}
	}
	r.registration(t, RegistrationUp)
}

// What calls the Contact that only the carrier was told is the trunk's, wherever it comes from, and the number dialled
// is in P-Called-Party-ID or To; what comes from the registrar's address is the trunk's, too. Nobody else is.
func TestTrunkCallsByRegistration(t *testing.T) {
	t.Parallel()
	incoming := make(chan call.Incoming, 4)
	r, p, _ := registerRig(t, time.Hour, func(o *Options) {
		o.OnIncoming = func(_ context.Context, in call.Incoming) {
			incoming <- in
			in.Leg.Hangup(call.CauseBusy)
		}
	})
	req := p.expect("REGISTER", "REGISTER")
	p.bind(req, 3600)
	r.registration(t, RegistrationUp)
	user := contactUserOf(req)
	stranger := newPeerAt(t, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 7)}, "udp", r.udp())

	call := func(p *peer, requestURI, to string, code int, extra ...string) {
		t.Helper()
		k := p.dialog(to)
		k.seq++
		k.branch = newBranch()
		msg := k.message("INVITE", 1, k.branch, sdpGood, append(extra, sdpHeader)...)
		p.write(strings.Replace(msg, "INVITE sip:"+to+"@", "INVITE sip:"+requestURI+"@", 1))
		k.ack(p.status("INVITE", code), "")
	}
	for _, from := range []*peer{p, stranger} {
		call(from, user, testNumber, 486)
		in := next(t, incoming)
		require.Equal(t, []string{"city", testNumber, ""}, []string{in.Trunk, in.To, in.Agent})
		call(from, user, "9999", 486, "P-Called-Party-ID: <sip:"+testNumber+"@carrier.invalid>")
		require.Equal(t, testNumber, next(t, incoming).To)
		call(from, user, "9999", 404)
	}
	call(p, testNumber, testNumber, 486)
	require.Equal(t, "city", next(t, incoming).Trunk)
	call(stranger, testNumber, testNumber, 403)
	call(stranger, user[:len(user)-1]+"x", testNumber, 403)
	require.Empty(t, incoming)
}

// A reload that leaves a registration as it is does not touch it; another password is another registration, made when
// the old one is taken back; and a trunk that is no more is known to nobody.
func TestTrunkReload(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Hour, nil)
	first := p.expect("REGISTER", "REGISTER")
	p.bind(first, 3600)
	r.registration(t, RegistrationUp)
	s := r.as()
	r.reload(t, s)
	require.Equal(t, RegistrationUp, r.Trunks()[0].Registration)
	p.caughtUp()

	trunk := s.Trunks[0]
	longer := *trunk.Register
	longer.Expires *= 2
	trunk.Register = &longer
	s.Trunks = []TrunkOptions{trunk}
	r.reload(t, s)
	bye := p.expect("REGISTER", "REGISTER")
	require.Equal(t, "0", bye.header("expires"))
	p.silence(50*time.Millisecond, "REGISTER") // the same binding, which would be taken back with the other
	p.respond(bye, 200, "OK", "r", "")
	second := p.expect("REGISTER", "REGISTER")
	require.Equal(t, "7200", second.header("expires"))
	require.Equal(t, first.header("contact"), second.header("contact"))
	p.bind(second, 7200)
	r.registration(t, RegistrationUp)

	trunk.Register = nil
	s.Trunks = []TrunkOptions{trunk}
	r.reload(t, s)
	bye = p.expect("REGISTER", "REGISTER")
	require.Equal(t, "0", bye.header("expires"))
	p.respond(bye, 200, "OK", "r", "")
	require.Empty(t, r.Trunks()[0].Registration)
	require.False(t, r.known(netip.MustParseAddr("127.0.0.1")))
}

// A trunk that goes with one reload, and is back with another while its carrier has not answered that it goes, is registered
// to when that is over; also where yet another reload came between. The two would cross, and the carrier be left without us.
func TestTrunkReloadTwice(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 2} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			t.Parallel()
			r, p, _ := registerRig(t, time.Hour, nil)
			first := p.expect("REGISTER", "REGISTER")
			p.bind(first, 3600)
			r.registration(t, RegistrationUp)
			with, without := r.as(), r.as()
			trunk := with.Trunks[0]
			trunk.Register = nil
			without.Trunks = []TrunkOptions{trunk}
			for range times {
				r.reload(t, without)
				r.reload(t, with)
			}
			bye := p.expect("REGISTER", "REGISTER")
			require.Equal(t, "0", bye.header("expires"))
			require.Equal(t, RegistrationTrying, r.Trunks()[0].Registration)
			p.silence(50*time.Millisecond, "REGISTER")
			p.respond(bye, 200, "OK", "r", "")
			second := p.expect("REGISTER", "REGISTER")
			require.Equal(t, "3600", second.header("expires"))
			require.Equal(t, first.header("contact"), second.header("contact"))
			p.bind(second, 3600)
			r.registration(t, RegistrationUp)
			r.regs.mu.Lock()
			require.NotEmpty(t, r.regs.leaving) // one that had not begun may be over already
			r.regs.mu.Unlock()
			r.reload(t, with)
			require.Empty(t, r.regs.leaving, "they are forgotten")
		})
	}
}

// A binding that was not refreshed is none.
func TestTrunkStateLapses(t *testing.T) {
	t.Parallel()
	g := newRegistration("city", TrunkRegister{Network: "udp", Address: "h:1"})
	at := time.Now()
	g.become(registrationState{now: RegistrationUp, until: at})
	require.Equal(t, RegistrationUp, g.snapshot(at.Add(-1)).now)
	require.Equal(t, RegistrationUnreachable, g.snapshot(at).now)
}

func TestTrunkContactUser(t *testing.T) {
	t.Parallel()
	o := TrunkRegister{Network: "udp", Address: "h:1", Username: "u", Password: "p", Expires: 1}
	user := contactUser("city", o)
	require.Equal(t, user, plain(user))
	o.Expires++
	require.Equal(t, user, contactUser("city", o), "the same after a restart, and a reload")
	other := o
	other.Password = "q"
	require.NotEqual(t, user, contactUser("city", other))
	require.NotEqual(t, user, contactUser("town", o))
	_, ok := newTrunks([]TrunkOptions{{Name: "city"}}).contact("")
	require.False(t, ok)
}

// The times of RFC 5626 section 4.5: from half of a bound to the whole, which doubles up to a most.
func TestTrunkRetry(t *testing.T) {
	t.Parallel()
	silent := registrationState{now: RegistrationUnreachable}
	refused := registrationState{now: RegistrationRefused, code: 403}
	require.Equal(t, silentBase/2, retryAfter(silent, 0, 0))
	require.Equal(t, silentBase*2, retryAfter(silent, 1, 1))
	require.Equal(t, refusedBase, retryAfter(refused, 0, 1))
	require.Equal(t, silentBase, retryAfter(registrationState{now: RegistrationRefused, code: 503}, 0, 1), "a server's failure")
	require.Equal(t, refusedBase, retryAfter(registrationState{now: RegistrationRefused, code: 603}, 0, 1))
	rapid.Check(t, func(t *rapid.T) {
		s, most := silent, silentMost
		if rapid.Bool().Draw(t, "refused") {
			s, most = refused, refusedMost
		}
		n, jitter := rapid.IntRange(0, 1<<20).Draw(t, "failures"), rapid.Float64Range(0, 1).Draw(t, "jitter")
		got := retryAfter(s, n, jitter)
		require.Positive(t, got)
		require.LessOrEqual(t, got, most)
		require.GreaterOrEqual(t, retryAfter(s, n+1, jitter), got)
	})
	require.Equal(t, 30*time.Second, refreshAfter(time.Minute))
	require.Equal(t, 3000*time.Second, refreshAfter(time.Hour))
	for granted := time.Second; granted <= 24*time.Hour; granted += time.Second {
		require.Less(t, refreshAfter(granted), granted)
	}
}

func TestRetryHeader(t *testing.T) {
	t.Parallel()
	require.Zero(t, retryHeader(nil))
	for value, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "18000;duration=3600": refusedMost, "120 (I'm in a meeting)": 2 * time.Minute,
		"soon": 0, "99999999999999999999": refusedMost,
	} {
		res := sipmsg.NewResponse(503, "Service Unavailable")
		res.AppendHeader(sipmsg.NewHeader("Retry-After", value))
		require.Equal(t, want, retryHeader(res), value)
	}
}

// A registrar whose nonces serve once, and which does not say that one was used up, may ask anew after it has wanted a longer
// registration: the password has not been refused.
func TestTrunkRegistersForLongerByAnotherNonce(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Minute, nil)
	asks := func(req wire, nonce string) {
		p.respond(req, 401, "Unauthorized", "r", "", `WWW-Authenticate: Digest realm="carrier", nonce="`+nonce+`", algorithm=MD5, qop="auth"`)
	}
	asks(p.expect("REGISTER", "REGISTER"), "n1")
	p.respond(p.expect("REGISTER", "REGISTER"), 423, "Interval Too Brief", "r", "", "Min-Expires: 600")
	asks(p.expect("REGISTER", "REGISTER"), "n2")
	req := p.expect("REGISTER", "REGISTER")
	require.Equal(t, "600", req.header("expires"))
	require.Contains(t, req.header("authorization"), `nonce="n2"`)
	p.bind(req, 600)
	r.registration(t, RegistrationUp)
}
