package site

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/call"
)

// TestClock: instants are turned with an error of half the least delay at most, whatever the delays are and however they
// are shared between the way there and the way back.
func TestClock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c clock
		start := time.Now()
		offset := time.Duration(rapid.Int64Range(-int64(1e15), int64(1e15)).Draw(t, "offset"))
		least := time.Hour
		at := start
		for range rapid.IntRange(1, 2*maxSamples).Draw(t, "round trips") {
			there := time.Duration(rapid.IntRange(0, 50_000).Draw(t, "there")) * time.Microsecond
			back := time.Duration(rapid.IntRange(0, 50_000).Draw(t, "back")) * time.Microsecond
			sent := at
			at = at.Add(there + back)
			c.heard(sent, at, sent.Add(there+offset).Round(0))
			least = min(least, there+back)
			at = at.Add(10 * time.Millisecond)
		}
		if len(c.samples) < maxSamples {
			require.LessOrEqual(t, c.margin(), least/2)
		}
		x := at.Add(time.Duration(rapid.Int64Range(-int64(1e13), int64(1e13)).Draw(t, "x")))
		require.LessOrEqual(t, c.local(x.Add(offset).Round(0)).Sub(x).Abs(), c.margin())
		require.LessOrEqual(t, c.there(x).Sub(x.Add(offset)).Abs(), c.margin())
		require.Less(t, c.local(c.there(x)).Sub(x).Abs(), time.Microsecond)
		require.True(t, c.local(time.Time{}).IsZero())
		require.True(t, c.there(time.Time{}).IsZero())
	})
}

// TestClockSet: a book's clock that was set is followed at once.
func TestClockSet(t *testing.T) {
	t.Parallel()
	var c clock
	now := time.Now()
	for i := range 10 {
		sent := now.Add(time.Duration(i) * time.Second)
		c.heard(sent, sent.Add(time.Millisecond), sent)
	}
	sent := now.Add(11 * time.Second)
	c.heard(sent, sent.Add(40*time.Millisecond), sent.Add(time.Hour))
	require.WithinDuration(t, sent.Add(time.Hour), c.there(sent), 20*time.Millisecond)
	require.Len(t, c.samples, 1)
}

// TestOutbox: whatever is said, taken out, written or not: what is written last about each thing is what was said last about
// it, and no fact is written before one that was said before it, unless a newer one about the same thing was said since.
func TestOutbox(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, err := New(Options{Book: noBook{}, Edge: noEdge{}, Desk: noDesk{}, Peers: noPeers{}})
		require.NoError(t, err)
		said, written := map[string]int{}, map[string]int{}
		n := 0
		var out []pending
		check := func(taken []pending) {
			for i, p := range taken {
				if i > 0 {
					require.Less(t, taken[i-1].fact.Caller.Came.Unix(), p.fact.Caller.Came.Unix())
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"say": func(t *rapid.T) {
				n++
				name := rapid.StringMatching("[a-f]").Draw(t, "call")
				said[name] = n
				m.out.say(m, call.SiteFact{Caller: &call.SiteCaller{Call: name, Came: time.Unix(int64(n), 0)}})
			},
			"take": func(t *rapid.T) {
				if out == nil {
					out = m.out.next(rapid.IntRange(1, 4).Draw(t, "n"))
					check(out)
				}
			},
			"sent": func(t *rapid.T) {
				ok := rapid.Bool().Draw(t, "written")
				if ok {
					for _, p := range out {
						written[p.fact.Caller.Call] = int(p.fact.Caller.Came.Unix())
					}
				}
				m.out.sent(out, ok)
				out = nil
			},
		})
		m.out.sent(out, false)
		for len(m.out.index) > 0 {
			taken := m.out.next(2)
			check(taken)
			for _, p := range taken {
				written[p.fact.Caller.Call] = int(p.fact.Caller.Came.Unix())
			}
			m.out.sent(taken, true)
		}
		require.Equal(t, said, written)
		require.True(t, m.out.idle())
	})
}

// TestOutboxRests: a rest that was said before a release is not written after it, and loses nothing.
func TestOutboxRests(t *testing.T) {
	t.Parallel()
	m, err := New(Options{Book: noBook{}, Edge: noEdge{}, Desk: noDesk{}, Peers: noPeers{}})
	require.NoError(t, err)
	now := time.Now()
	token := call.Token{Epoch: 1, N: 7}
	m.Say(call.SiteFact{Rest: &call.SiteRest{Agent: "8001", Idle: now}})
	m.out.release(m, "8001", call.SiteRest{Agent: "8001", Token: token, WrapUntil: now})
	require.Empty(t, m.out.index)
	require.Equal(t, []deed{{kind: doRelease, token: token, rest: call.SiteRest{Agent: "8001", Token: token, WrapUntil: now, Idle: now}}},
		m.out.lanes["8001"].deeds)
	m.Say(call.SiteFact{Rest: &call.SiteRest{Agent: "8001", WrapUntil: now.Add(time.Second)}})
	require.Empty(t, m.out.index)
	require.Equal(t, doRest, m.out.lanes["8001"].deeds[1].kind)
	m.Say(call.SiteFact{}, call.SiteFact{Claim: &call.SiteClaim{Agent: "8001"}}, call.SiteFact{Shift: &call.Shift{}})
	require.Empty(t, m.out.index, "these are not a node's to say")
}

// TestOutboxBound: what nobody's call depends on is shed first when too much waits.
func TestOutboxBound(t *testing.T) {
	t.Parallel()
	m, err := New(Options{Book: noBook{}, Edge: noEdge{}, Desk: noDesk{}, Peers: noPeers{}})
	require.NoError(t, err)
	m.out.say(m, call.SiteFact{Caller: &call.SiteCaller{Call: "waits"}})
	for i := range maxPending + 100 {
		m.out.say(m, call.SiteFact{Place: &call.SitePlace{Queue: "q", Number: time.Duration(i).String()}})
	}
	require.Len(t, m.out.index, maxPending)
	require.True(t, m.out.awaits("call\x00waits"))
	require.LessOrEqual(t, len(m.out.facts), 2*maxPending+2)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	ok := Options{Book: noBook{}, Edge: noEdge{}, Desk: noDesk{}, Peers: noPeers{}}
	for name, change := range map[string]func(o *Options){
		"no book":       func(o *Options) { o.Book = nil },
		"short lease":   func(o *Options) { o.Lease = time.Millisecond },
		"wide margin":   func(o *Options) { o.Margin = 6 * time.Second },
		"rare renewal":  func(o *Options) { o.Renew = 3 * time.Second },
		"negative time": func(o *Options) { o.Doubt = -1 },
	} {
		o := ok
		change(&o)
		_, err := New(o)
		require.Error(t, err, name)
	}
	reg := prometheus.NewRegistry()
	ok.Registry = reg
	_, err := New(ok)
	require.NoError(t, err)
	families, err := reg.Gather()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, name := range []string{
		"hotline_site_state", "hotline_site_nodes", "hotline_site_claims_total", "hotline_site_refusals_total",
		"hotline_site_log_gaps_total", "hotline_site_cut_seconds_total", "hotline_site_clock_margin_seconds",
	} {
		require.True(t, names[name], name)
	}
	_, err = New(ok)
	require.Error(t, err, "registered twice")
}

type (
	noBook  struct{ Book }
	noEdge  struct{ Edge }
	noDesk  struct{ Desk }
	noPeers struct{ Peers }
)
