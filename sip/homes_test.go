package sip

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// TestHomes: an account is at home where its password was proved last, in so many places at most and for a month; what is
// new of it is told once.
func TestHomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHomes()
		at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
		settle := func(account string, i int) { h.settles(account, secret{}, at(i), 2, time.Now()) }
		settle("8001", 1)
		settle("8002", 1)
		settle("8001", 2)
		settle("8001", 1) // again the last
		settle("8001", 3)
		require.True(t, h.has("8001", at(1), time.Now()))
		require.False(t, h.has("8001", at(2), time.Now()))
		require.False(t, h.known(at(2), time.Now()))
		require.False(t, h.has("8002", at(3), time.Now()))
		all, news := h.all(time.Now())
		require.True(t, news)
		require.Len(t, all, 3)
		_, news = h.all(time.Now())
		require.False(t, news)

		time.Sleep(homesStale)
		settle("8002", 1)
		_, news = h.all(time.Now())
		require.True(t, news, "an old one is told again")
		settle("8002", 1)
		_, news = h.all(time.Now())
		require.False(t, news)
		h.secrets = func(account string) (secret, bool) { return secret{}, account == "8002" || account == "8003" }
		h.keep()
		require.False(t, h.known(at(3), time.Now()))
		require.True(t, h.known(netip.MustParseAddr("::ffff:192.0.2.1"), time.Now()))
		time.Sleep(homesFor)
		require.False(t, h.known(at(1), time.Now()))
		require.False(t, h.has("8002", at(1), time.Now()))
		h.settles("8003", secret{}, netip.MustParseAddr("2001:db8::1"), 2, time.Now())
		require.True(t, h.known(netip.MustParseAddr("2001:db8::2"), time.Now()), "of one network")
		h.settles("8003", secret{}, netip.Addr{}, 2, time.Now())
		require.False(t, h.known(netip.Addr{}, time.Now()), "no address at all")
		all, _ = h.all(time.Now())
		require.Len(t, all, 1)
	})
}

// TestHomesAreRestored: what was told before a restart is so again, but for what is too old, of nobody, or too much; and a
// time that is still to come is no longer life.
func TestHomesAreRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
		h := newHomes()
		mark := func(account string) string { return secret{}.mark(h.key, account) }
		all := []Home{
			{"8001", at(1), now.Add(-time.Hour), mark("8001")},
			{"8001", at(2), now, mark("8001")},
			{"8001", at(1), now, mark("8001")},
			{"8002", at(3), now.Add(-homesFor), mark("8002")},
			{"gone", at(4), now, mark("gone")},
			{"8003", at(5), now.Add(time.Hour), mark("8003")},
			{"8003", netip.Addr{}, now, mark("8003")},
			{"8004", at(6), now, ""},
			{"8004", at(7), now, "xyz"},
		}
		for i := range 100 {
			all = append(all, Home{"trunk/x", at(100 + i), now.Add(-time.Duration(i) * time.Minute), mark("trunk/x")})
		}
		h.secrets = func(account string) (secret, bool) { return secret{}, account != "gone" }
		h.restore(all, now)
		known := func(i int) bool { return h.known(at(i), time.Now()) }
		require.Equal(t, []bool{true, true, false, false, true, false, false},
			[]bool{known(1), known(2), known(3), known(4), known(5), known(6), known(7)})
		require.Len(t, h.ofAccount["8001"], 2)
		require.Len(t, h.ofAccount["trunk/x"], homesTrunk)
		require.True(t, known(100))
		time.Sleep(homesFor)
		require.False(t, known(5))
		h.restore([]Home{{"8009", at(9), time.Now(), mark("8009")}}, time.Now())
		require.True(t, known(9))
	})
}

// TestHomesAreToldAgain: what OnHomes could not keep it is given again a minute later, and at the end, though nothing is new.
func TestHomesAreToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var told []time.Duration
		u := &UA{sentry: &sentry{guesses: newGuesses(tryRules{})}, o: Options{OnHomes: func(all []Home) error {
			require.Len(t, all, 1)
			told = append(told, time.Since(began))
			if len(told) <= 3 {
				return errFake
			}
			return nil
		}}}
		u.sentry.guesses.homes.settles("8001", secret{}, netip.MustParseAddr("192.0.2.7"), 1, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { u.tellHomes(ctx) })
		time.Sleep(10*homesNews + time.Second)
		synctest.Wait()
		require.Equal(t, []time.Duration{homesNews, 2 * homesNews, 3 * homesNews, 4 * homesNews}, told)
		cancel()
		running.Wait()
		require.Len(t, told, 4)
	})
}

// TestNetworksHaveAShare: whoever tries from all over one network of IPv6 does not use up what other strangers may.
func TestNetworksHaveAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := tryRules{account: 10, all: 200}
		g := newGuesses(rules)
		at := func(network uint32, i int) netip.Addr {
			var a [16]byte
			binary.BigEndian.PutUint32(a[:], network)
			binary.BigEndian.PutUint16(a[6:], uint16(i))
			return netip.AddrFrom16(a)
		}
		tries := func(network uint32, n int) (judged int, undo func()) {
			for i := range n {
				if u, ok := g.take(fmt.Sprint("id", network, i), false, at(network, i), true, time.Now()); ok {
					judged, undo = judged+1, u
				}
			}
			return judged, undo
		}
		const first = 0x20010db8
		judged, undo := tries(first, 1000)
		require.Equal(t, rules.all/networkShare, judged)
		undo() // one was right
		judged, _ = tries(first, 10)
		require.Equal(t, 1, judged)
		other := uint32(first + 1)
		bucketOf := func(network uint32) *bucket {
			site, ok := ipv6SiteOf(at(network, 0))
			require.True(t, ok)
			return g.networkLocked(site)
		}
		for bucketOf(other) == bucketOf(first) {
			other++ // they share a bucket
		}
		judged, _ = tries(other, 1000)
		require.Equal(t, rules.all/networkShare, judged)
		_, ok := g.take("8001", true, netip.MustParseAddr("192.0.2.7"), true, time.Now())
		require.True(t, ok)
	})
}

// homesOfOne are what is told of, at the end of a UA that marks them by a key, after one phone has registered from host 3.
func homesOfOne(t *testing.T, key [homesKey]byte) []Home {
	t.Helper()
	told := make(chan []Home, 4)
	before := abuseRig(t, func(o *Options) { o.HomesKey, o.OnHomes = key, func(all []Home) error { told <- all; return nil } })
	before.from(t, 3).register(before)
	require.NoError(t, before.Close())
	all := next(t, told)
	require.Len(t, all, 1)
	return all
}

// TestPhonesComeBackAfterARestart: after a restart, and with as many wrong passwords as are looked at, of all strangers and of
// the account, a phone registers at once from where it was, and from nowhere else.
func TestPhonesComeBackAfterARestart(t *testing.T) {
	t.Parallel()
	key := [homesKey]byte{1}
	all := homesOfOne(t, key)
	require.Equal(t, []any{"8001", host(3)}, []any{all[0].Account, all[0].Host})

	r := abuseRig(t, func(o *Options) {
		o.Homes, o.HomesKey = all, key
		o.Abuse.AccountFailures, o.Abuse.Failures.All = 1, 1
	})
	_, banned := r.sentry.bans.ban(host(3), banLogin, time.Now())
	require.True(t, banned)
	guesser := r.from(t, 9)
	b := guesser.boot()
	nonce := b.nonce()
	b.guess("8001", "guess", nonce)
	guesser.status("REGISTER", 401)
	b.guess("8001", "one", nonce)
	require.Eventually(t, func() bool {
		return testutil.ToFloat64(r.metrics.registers.WithLabelValues(registerSlowed)) == 1
	}, testWait, time.Millisecond)
	r.from(t, 3).register(r)
}
