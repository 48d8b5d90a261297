package sip

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

var errNoServer = errors.New("no name server answers")

// namesOf is a book that asks a resolver of a test, and how often it has asked.
func namesOf(resolve func(ctx context.Context, host string) ([]netip.Addr, error)) (b *hostBook, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	return &hostBook{
		life: context.Background, hosts: make(map[string]*hostEntry), begin: func(f func()) bool { go f(); return true },
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			asked.Add(1)
			return resolve(ctx, host)
		},
	}, asked
}

// deadResolver never answers.
func deadResolver(ctx context.Context, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, errors.Join(errNoServer, ctx.Err())
}

// TestResolverDead: a name that meant something goes on to mean it. Its first call after the resolver's death waits a second
// for that, and the others not at all; a resolver that is back is believed.
func TestResolverDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		type resolver = func(context.Context, string) ([]netip.Addr, error)
		var resolve atomic.Pointer[resolver]
		is := func(r resolver) { resolve.Store(&r) }
		is(func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{one}, nil })
		b, asked := namesOf(func(ctx context.Context, host string) ([]netip.Addr, error) { return (*resolve.Load())(ctx, host) })
		look := func(want netip.Addr, takes time.Duration) {
			t.Helper()
			began := time.Now()
			got, err := b.lookUp(t.Context(), "carrier.test")
			require.NoError(t, err)
			require.Equal(t, []netip.Addr{want}, got)
			require.Equal(t, takes, time.Since(began))
		}
		look(one, 0)
		is(deadResolver)
		look(one, lookUpSoon)
		look(one, 0) // the same question is still open
		time.Sleep(lookUpWithin)
		for range 10 {
			look(one, 0)
		}
		require.EqualValues(t, 2, asked.Load())
		time.Sleep(lookUpRest)
		look(one, lookUpSoon)
		time.Sleep(lookUpWithin + lookUpRest)
		is(func(context.Context, string) ([]netip.Addr, error) {
			time.Sleep(2 * lookUpSoon) // it is slow: who calls meanwhile calls where it was
			return []netip.Addr{other}, nil
		})
		look(one, lookUpSoon)
		time.Sleep(2 * lookUpSoon)
		is(func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{other}, nil })
		look(other, 0)
		require.EqualValues(t, 5, asked.Load())
	})
}

// TestResolverDeadFromTheStart: a name that never meant anything costs the whole time once, and then nobody any for a while;
// an address is never asked for, and who wants no more is not kept.
func TestResolverDeadFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, asked := namesOf(deadResolver)
		look := func(takes time.Duration) {
			t.Helper()
			began := time.Now()
			_, err := b.lookUp(t.Context(), "carrier.test")
			require.ErrorIs(t, err, errNoServer)
			require.Equal(t, takes, time.Since(began))
		}
		look(lookUpWithin)
		look(0)
		time.Sleep(lookUpRetry)
		look(lookUpWithin)
		time.Sleep(lookUpRetry)
		gone, leave := context.WithTimeoutCause(t.Context(), time.Second, call.CancelCause{Why: call.CauseNoAnswer})
		defer leave()
		began := time.Now()
		_, err := b.lookUp(gone, "carrier.test")
		require.ErrorIs(t, err, context.Cause(gone))
		require.Equal(t, time.Second, time.Since(began))
		time.Sleep(lookUpWithin)
		require.EqualValues(t, 3, asked.Load())

		got, err := b.lookUp(t.Context(), "::ffff:192.0.2.1")
		require.NoError(t, err)
		require.Equal(t, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, got)
		synctest.Wait()
		b.resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, nil }
		_, err = b.lookUp(t.Context(), "other.test")
		require.ErrorIs(t, err, errNoAddress)
		b.begin = func(func()) bool { return false }
		_, err = b.lookUp(t.Context(), "late.test")
		require.ErrorIs(t, err, ErrClosed)
	})
}

// TestHostOrder: addresses are tried from the one that served last, or behind the one that did not, whatever order the
// resolver has them in.
func TestHostOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, three := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::3")
		all := []netip.Addr{one, two, three}
		b, _ := namesOf(func(context.Context, string) ([]netip.Addr, error) { return all, nil })
		b.silent("carrier.test", one) // nothing is known of it
		order := func(want ...netip.Addr) {
			t.Helper()
			got, err := b.lookUp(t.Context(), "carrier.test")
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		order(one, two, three)
		b.answered("carrier.test", three)
		order(three, one, two)
		b.silent("carrier.test", three)
		order(one, two, three)
		b.silent("carrier.test", one)
		b.silent("carrier.test", one) // by another call
		order(two, three, one)
		all = []netip.Addr{three, two, netip.MustParseAddr("::ffff:192.0.2.1")}
		order(two, one, three)
		all = []netip.Addr{one}
		order(one)
		b.silent("carrier.test", one)
		order(one)
		b.silent("carrier.test", netip.MustParseAddr("192.0.2.9"))
		order(one)
	})
}

// twoAddresses has the first trunk, which is a peer's, be a name that has two addresses; at the first of them nobody is.
func twoAddresses(t *testing.T, u *UA, p *peer) {
	t.Helper()
	_, port, err := net.SplitHostPort(p.addr())
	require.NoError(t, err)
	u.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	one := u.plan().list[0]
	one.out.Address = net.JoinHostPort("carrier.test", port)
	if one.ping != nil {
		one.ping.o.address = one.out.Address
	}
}

// hostsT1 is such that a peer which answers does so in time, also where the machine is busy.
const hostsT1 = 200 * time.Millisecond

// A trunk that is silent at one of its addresses is called at another, in the same call and at once in the next; one that says
// it cannot serve just now at the last of its addresses leaves the call to the next trunk.
func TestDialAtAnotherAddress(t *testing.T) {
	t.Parallel()
	r, first, second, logs := failoverRig(t, func(o *Options) { o.T1 = hostsT1 })
	twoAddresses(t, r.UA, first)
	for range 2 {
		got := r.outside(t.Context(), "13912345678")
		first.respond(first.expect("INVITE sip:13912345678@carrier.test", "INVITE"), 486, "Busy Here", "a", "")
		refusedFor(t, next(t, got), call.CauseBusy)
	}
	require.Len(t, logs.FilterMessage("number outside dialled").All(), 2, "the trunk is tried once, wherever it is")
	second.silence(20*time.Millisecond, "INVITE")
	got := r.outside(t.Context(), "13912345678")
	first.respond(first.expect("INVITE", "INVITE"), 503, "Service Unavailable", "a", "") // it shuts down: the other is worth a try
	second.respond(second.expect("INVITE", "INVITE"), 486, "Busy Here", "b", "")
	refusedFor(t, next(t, got), call.CauseBusy)
	require.Contains(t, logs.FilterMessage("number outside dialled").All()[2].ContextMap()["outcome"], string(call.CauseUnreachable))
}

// A trunk all of whose many addresses refuse leaves the call to the next after two of them; without a next, after four.
func TestDialAtFewAddresses(t *testing.T) {
	t.Parallel()
	for trunks, want := range map[int]int{1: 4, 2: 2} {
		r, first, second, _ := failoverRig(t, func(o *Options) { o.Dial[0].Through = o.Dial[0].Through[:trunks] })
		twoAddresses(t, r.UA, first)
		r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) {
			return slices.Repeat([]netip.Addr{netip.MustParseAddr("127.0.0.1")}, 6), nil
		}
		got := r.outside(t.Context(), "13912345678")
		for range want {
			first.respond(first.expect("INVITE", "INVITE"), 503, "Service Unavailable", "a", "")
		}
		if trunks > 1 {
			second.respond(second.expect("INVITE", "INVITE"), 486, "Busy Here", "b", "")
		}
		require.Error(t, next(t, got).err)
	}
}

// Whose only trunk answers at neither of its addresses has been tried at both; who has rung, or refused our password, is not
// tried at another.
func TestDialAtNoOtherAddress(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]func(p *peer, inv wire){
		"rang": func(p *peer, inv wire) {
			p.respond(inv, 180, "Ringing", "a", "")
			p.respond(inv, 503, "Service Unavailable", "a", "")
		},
		"password": func(p *peer, inv wire) { p.respond(inv, 403, "Forbidden", "a", "") },
		"busy":     func(p *peer, inv wire) { p.respond(inv, 486, "Busy Here", "a", "") },
		"401":      func(p *peer, inv wire) { p.respond(inv, 401, "Unauthorized", "a", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, first, _, _ := failoverRig(t, func(o *Options) { o.Dial[0].Through = o.Dial[0].Through[:1] })
			twoAddresses(t, r.UA, first)
			_, port, err := net.SplitHostPort(first.addr())
			require.NoError(t, err)
			other := newPeerAt(t, net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.3.1:"+port)), "udp", r.udp())
			_, err = r.hosts.lookUp(t.Context(), "carrier.test")
			require.NoError(t, err)
			r.hosts.answered("carrier.test", netip.MustParseAddr("127.0.0.1"))
			got := r.outside(t.Context(), "13912345678")
			answers(first, first.expect("INVITE", "INVITE"))
			first.expect("ACK", "ACK")
			require.Error(t, next(t, got).err)
			other.silence(20*time.Millisecond, "INVITE")
		})
	}
}

// An address that takes no connection is passed over at once.
func TestDialAtAnotherAddressByTCP(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	r, _, _, _ := failoverRig(t, func(o *Options) {
		o.Dial[0].Through = o.Dial[0].Through[:1]
		o.Trunks[0].Out = &TrunkOut{Network: "tcp", Address: "placeholder.invalid:5060", From: "96777"}
	})
	r.plan().list[0].out.Address = net.JoinHostPort("carrier.test", port)
	r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	got := r.outside(t.Context(), "13912345678")
	require.NoError(t, l.(*net.TCPListener).SetDeadline(time.Now().Add(testWait)))
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	p := &peer{t: t, conn: conn, in: bufio.NewReader(conn), to: r.tcp()}
	p.respond(p.expect("INVITE sip:13912345678@carrier.test", "INVITE"), 486, "Busy Here", "a", "")
	refusedFor(t, next(t, got), call.CauseBusy)
}

// A caller who had no patience with the last address, which was silent, leaves the next call another, too.
func TestDialWithdrawnFromSilence(t *testing.T) {
	t.Parallel()
	r, first, _, _ := failoverRig(t, func(o *Options) {
		o.T1 = hostsT1
		o.Dial[0].Through = o.Dial[0].Through[:1]
	})
	twoAddresses(t, r.UA, first)
	ctx, cancel := context.WithTimeout(t.Context(), 3*silentWithin*hostsT1)
	defer cancel()
	refusedFor(t, next(t, r.outside(ctx, "13912345678")), call.CauseNoAnswer)
	at, err := r.hosts.lookUp(t.Context(), "carrier.test")
	require.NoError(t, err)
	require.Equal(t, "127.0.3.1", at[0].String())
}

// A trunk that is pinged is called where it answers, and is up if it does so at any of its addresses.
func TestDialWhereItAnswers(t *testing.T) {
	t.Parallel()
	var first, second *peer
	r := newRigWith(t, func(o *Options) {
		elsewhere := []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")}
		out := func() *TrunkOut { return &TrunkOut{Network: "udp", Address: "placeholder.invalid:5060", From: "96777"} }
		o.T1 = hostsT1
		o.Trunks = []TrunkOptions{{Name: "city", Allow: elsewhere, Out: out(), Ping: time.Hour}, {Name: "other", Allow: elsewhere, Out: out()}}
		o.Dial = []DialRule{{
			Prefix: "139", PerMinute: 600, AtOnce: 5,
			Through: [][]TrunkShare{{{Trunk: "city", Weight: 1}}, {{Trunk: "other", Weight: 1}}},
		}}
	}, func(u *UA) {
		first, second = newPeer(t, "udp", u.Addrs()[0]), newPeer(t, "udp", u.Addrs()[0])
		u.plan().list[1].out.Address = second.addr()
		twoAddresses(t, u, first)
	})
	first.respond(first.expectPing(), 200, "OK", "p", "")
	r.up(t, true)
	got := r.outside(t.Context(), "13912345678")
	first.respond(first.expect("INVITE", "INVITE"), 486, "Busy Here", "a", "")
	refusedFor(t, next(t, got), call.CauseBusy)
	second.silence(20*time.Millisecond, "INVITE")
}
