package sip

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// athome tells whether host(2) is any account's home.
func (r *rig) athome() bool { return r.sentry.guesses.homes.known(host(2), time.Now()) }

// TestStolenPasswordLeavesNoHome: where a password was proved is nobody's home any more once the account has another, be it
// an agent's, a trunk's that logs in, or what a carrier was told to call; and a reload that changes something else keeps it.
func TestStolenPasswordLeavesNoHome(t *testing.T) {
	t.Parallel()
	t.Run("agent", func(t *testing.T) {
		t.Parallel()
		r := abuseRig(t, nil)
		r.from(t, 2).register(r)
		s := r.as()
		s.Queues = append(s.Queues, "another")
		r.reload(t, s)
		require.True(t, r.athome())
		s.Agents = slices.Clone(s.Agents)
		s.Agents[0].Password = "another"
		r.reload(t, s)
		require.False(t, r.known(host(2)))
		b := r.from(t, 2).boot()
		b.guess("8001", "another", b.nonce())
		b.k.p.status("REGISTER", 200)
		require.True(t, r.athome(), "whoever has the new one")
		ha1, err := HA1("md5", "8001", r.o.Realm, "another")
		require.NoError(t, err)
		s.Agents[0].Password, s.Agents[0].HA1 = "", map[string]string{"md5": ha1}
		r.reload(t, s)
		require.False(t, r.athome(), "as its registration")
	})
	t.Run("login", func(t *testing.T) {
		t.Parallel()
		r, incoming := loginRig(t)
		r.from(t, 2).passes(t, incoming)
		s := r.as()
		r.reload(t, s)
		require.True(t, r.athome())
		s.Trunks = slices.Clone(s.Trunks)
		s.Trunks[1].Login = &TrunkLogin{Username: "carrier", Password: "another"}
		r.reload(t, s)
		require.False(t, r.known(host(2)))
	})
	t.Run("carrier", func(t *testing.T) {
		t.Parallel()
		r, carrier, _ := registerRig(t, time.Hour, func(o *Options) {
			o.OnIncoming = func(_ context.Context, in call.Incoming) { in.Leg.Hangup(call.CauseBusy) }
		})
		req := carrier.expect("REGISTER", "REGISTER")
		carrier.bind(req, 3600)
		r.registration(t, RegistrationUp)
		p := r.from(t, 2)
		k := p.dialog(testNumber)
		k.seq, k.branch = 1, newBranch()
		p.write(strings.Replace(k.message("INVITE", 1, k.branch, sdpGood, sdpHeader), "INVITE sip:"+testNumber+"@",
			"INVITE sip:"+contactUserOf(req)+"@", 1))
		k.ack(p.status("INVITE", 486), "")
		s := r.as()
		r.reload(t, s)
		require.True(t, r.athome())
		s.Trunks = slices.Clone(s.Trunks)
		register := *s.Trunks[0].Register
		register.Password = "another"
		s.Trunks[0].Register = &register
		put, err := r.Reload(s)
		require.NoError(t, err)
		put()
		require.False(t, r.known(host(2)))
		carrier.bind(carrier.expect("REGISTER", "REGISTER"), 0) // the old one's end
	})
}

// TestStolenPasswordAfterARestart: the same holds where the password was changed while nothing ran; and of homes that were
// marked under another key nobody knows whose they are.
func TestStolenPasswordAfterARestart(t *testing.T) {
	t.Parallel()
	key := [homesKey]byte{1}
	all := homesOfOne(t, key)
	for name, c := range map[string]struct {
		change func(o *Options)
		home   bool
	}{
		"the same":         {func(*Options) {}, true},
		"another password": {func(o *Options) { o.Agents[0].Password = "another" }, false},
		"another key":      {func(o *Options) { o.HomesKey[1]++ }, false},
		"no key":           {func(o *Options) { o.HomesKey = [homesKey]byte{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := make(chan []Home, 4)
			r := abuseRig(t, func(o *Options) {
				o.Homes, o.HomesKey, o.OnHomes = all, key, func(all []Home) error { after <- all; return nil }
				o.Agents = slices.Clone(o.Agents)
				c.change(o)
			})
			require.Equal(t, c.home, r.known(host(3)))
			require.NoError(t, r.Close())
			if !c.home {
				require.Empty(t, next(t, after), "nor are they kept")
			}
		})
	}
}

// TestHomeOfAPasswordThatWasChanged: what was proved by a password that another has replaced since it was looked at is no
// home; nor are those that were there before, though nobody has come to forget them.
func TestHomeOfAPasswordThatWasChanged(t *testing.T) {
	t.Parallel()
	h, now, old := newHomes(), time.Now(), secretOf("old")
	is := old
	h.secrets = func(account string) (secret, bool) { return is, account == "8001" }
	h.settles("8001", old, host(1), homesMost, now)
	h.settles("gone", old, host(2), homesMost, now)
	require.True(t, h.known(host(1), now))
	require.False(t, h.known(host(2), now))
	is = secretOf("new")
	h.settles("8001", old, host(3), homesMost, now)
	require.False(t, h.known(host(3), now))
	h.settles("8001", is, host(4), homesMost, now)
	require.True(t, h.known(host(4), now))
	require.False(t, h.known(host(1), now))
	require.NotEqual(t, secretOf("a", "b"), secretOf("ab"))
}

// TestMarkTellsLittle: of a list of passwords many have the mark of any of them, so that it does not say which it is of; and
// neither another account's mark nor one under another key is the same.
func TestMarkTellsLittle(t *testing.T) {
	t.Parallel()
	key := [homesKey]byte{7}
	mark := secretOf("hush").mark(key, "8001")
	require.Len(t, mark, 3)
	require.Equal(t, mark, secretOf("hush").mark(key, "8001"))
	fit := 0
	for i := range 50_000 {
		if secretOf("guess"+strconv.Itoa(i)).mark(key, "8001") == mark {
			fit++
		}
	}
	require.Greater(t, fit, 3)
	require.Less(t, fit, 50)
	require.NotEqual(t, mark, secretOf("hush").mark(key, "8002"))
	require.NotEqual(t, mark, secretOf("hush").mark([homesKey]byte{8}, "8001"))
}
