package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/site"
	"hotline/store/redisstore"
)

const (
	nodeA call.NodeID = "a.1"
	anna  string      = "8001"
)

// enter has node A enter.
func enter(tb testing.TB, b site.Book, lease time.Duration) site.Lease {
	tb.Helper()
	l, err := b.Enter(context.Background(), site.Node{ID: nodeA, Name: "a", Lease: lease}, site.Lease{})
	require.NoError(tb, err)
	return l
}

// everything does every kind of deed.
func everything(t *testing.T, b site.Book) {
	t.Helper()
	ctx := t.Context()
	now := enter(t, b, time.Minute).Now
	require.NoError(t, b.Say(ctx, nodeA,
		call.SiteFact{Flow: &call.SiteFlow{Agent: anna, Since: now}}, call.SiteFact{Flow: &call.SiteFlow{Agent: "8002", Since: now}},
		call.SiteFact{Caller: &call.SiteCaller{Call: "c1", Queue: "consult", From: "13800000001"}},
		call.SiteFact{Rest: &call.SiteRest{Agent: anna, Idle: now}},
		call.SiteFact{Shift: &call.Shift{Agent: anna, Paused: true}},
		call.SiteFact{Place: &call.SitePlace{Queue: "consult", Number: "13800000002", Left: now, Until: now.Add(time.Minute)}},
		call.SiteFact{Place: &call.SitePlace{Queue: "consult", Number: "13800000003", Left: now, Until: now.Add(time.Minute)}},
		call.SiteFact{Regular: &call.SiteRegular{Queue: "consult", Number: "13800000003", Agent: anna, At: now}}))
	require.NoError(t, b.Say(ctx, nodeA,
		call.SiteFact{Place: &call.SitePlace{Queue: "consult", Number: "13800000003", Left: now, Until: now.Add(time.Minute), Taken: true}},
		call.SiteFact{FlowGone: &call.SiteFlow{Agent: "8002"}}))
	g, err := b.Claim(ctx, nodeA, anna, "c1")
	require.NoError(t, err)
	require.NoError(t, b.Mark(ctx, call.SiteClaim{Agent: anna, Owner: nodeA, Token: g.Token, Rung: g.Now}))
	require.NoError(t, b.Abandon(ctx, nodeA, anna, g.Token))
	require.NoError(t, b.Clear(ctx, anna, g.Token))
	require.NoError(t, b.Raise(ctx, call.Token{Epoch: g.Epoch, N: 7}))
	c := call.SiteClaim{Agent: anna, Call: "c1", Owner: nodeA, Token: call.Token{Epoch: g.Epoch, N: 6}, Since: g.Now}
	require.NoError(t, b.Resume(ctx, c))
	require.NoError(t, b.Release(ctx, nodeA, call.SiteRest{Agent: anna, Token: c.Token, How: "left"}))
	_, err = b.Renew(ctx, nodeA)
	require.NoError(t, err)
	v, err := b.Read(ctx)
	require.NoError(t, err)
	require.Len(t, v.Facts, 6)
	entries, err := b.Follow(ctx, "")
	require.NoError(t, err)
	require.Len(t, entries, 9)
	none, err := b.Follow(ctx, v.At)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestTLS(t *testing.T) {
	server := testkit.StartRedis(t, testkit.RedisTLS)
	everything(t, open(t, redisstore.Options{URL: server.URL(), CA: server.CA}))
	_, err := open(t, redisstore.Options{URL: server.URL()}).Renew(t.Context(), nodeA)
	require.ErrorContains(t, err, "certificate", "an authority that nobody trusts")
	plain := strings.Replace(server.URL(), "rediss", "redis", 1)
	_, err = open(t, redisstore.Options{URL: plain}).Renew(t.Context(), nodeA)
	require.Error(t, err)
	require.NotErrorIs(t, err, site.ErrDead)
}

// needs is what the package's comment says that a user may do.
const needs = "~{hotline:test}:* +evalsha +eval +xread +multi +exec +hmget +hgetall +hget +hset +hdel +hexists +zadd +zrem " +
	"+zscore +zcard +zrange +zrangebyscore +xadd +xtrim +expire +pexpireat +del +time +ping"

func TestUsers(t *testing.T) {
	const password = "p@ss/w:rd?%25#1"
	server := testkit.StartRedis(t, testkit.RedisUsers("hotline on >"+password+" -@all "+needs))
	url := func(password string) string {
		return "redis://hotline:" + strings.NewReplacer("%", "%25", "/", "%2F", "?", "%3F", "@", "%40").Replace(password) + "@" + server.Addr() + "/"
	}
	everything(t, open(t, redisstore.Options{URL: url(password)}))
	_, err := open(t, redisstore.Options{URL: url(password), Site: "another"}).Renew(t.Context(), nodeA)
	require.ErrorContains(t, err, "NOPERM", "another site's keys are not this user's")
	for _, bad := range []string{url("wr0ng"), "redis://" + server.Addr(), "redis://:wr0ng@" + server.Addr()} {
		_, err = open(t, redisstore.Options{URL: bad}).Renew(t.Context(), nodeA)
		require.Error(t, err)
		require.NotErrorIs(t, err, site.ErrDead)
		require.NotContains(t, err.Error(), "wr0ng")
	}
}

// TestSentinel: the master dies, the sentinel makes its replica the master, and the book goes on there.
func TestSentinel(t *testing.T) {
	master := testkit.StartRedis(t)
	replica := testkit.StartRedis(t, testkit.RedisReplicaOf(master))
	sentinel := testkit.StartRedis(t, testkit.RedisSentinel("hot", master))
	testkit.Within(t, testkit.Patience, "the sentinel to know the replica", func() bool {
		said, err := sentinel.Try("SENTINEL", "REPLICAS", "hot")
		return err == nil && strings.Contains(fmt.Sprint(said), fmt.Sprint(replica.Port))
	})
	b := open(t, redisstore.Options{URL: "redis+sentinel://" + sentinel.Addr() + "/hot"})
	everything(t, b)
	before, err := b.Read(t.Context())
	require.NoError(t, err)
	testkit.Within(t, testkit.Patience, "the replica to have all", func() bool {
		said, err := replica.Try("XREVRANGE", b.Keys()[6], "+", "-", "COUNT", 1)
		return err == nil && strings.Contains(fmt.Sprint(said), string(before.At))
	})
	master.Kill()
	testkit.Within(t, testkit.Patience, "the book to go on at the replica", func() bool {
		_, err := b.Renew(t.Context(), nodeA)
		return err == nil
	})
	after, err := b.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Facts, after.Facts)
	require.NoError(t, b.Say(t.Context(), nodeA, call.SiteFact{Caller: &call.SiteCaller{Call: "c2"}}))
	entries, err := b.Follow(t.Context(), before.At)
	require.NoError(t, err, "nothing was lost: the log has no gap")
	require.Len(t, entries, 1)
}

func TestCluster(t *testing.T) {
	server := testkit.StartRedis(t, testkit.RedisCluster)
	everything(t, open(t, redisstore.Options{URL: "redis+cluster://" + server.Addr()}))
}

// TestFailoverForgets: what a follower has read, and the new master never got, is a gap.
func TestFailoverForgets(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	enter(t, b, time.Minute)
	say := func(id string) {
		t.Helper()
		require.NoError(t, b.Say(t.Context(), nodeA, call.SiteFact{Caller: &call.SiteCaller{Call: id}}))
	}
	say("c1")
	early, err := b.Read(t.Context())
	require.NoError(t, err)
	say("c2")
	late, err := b.Read(t.Context())
	require.NoError(t, err)
	// As a replica is that had not got the last write.
	server.Do(t, "XDEL", b.Keys()[6], string(late.At))
	server.Do(t, "HSET", b.Keys()[0], "last", string(early.At))
	_, err = b.Follow(t.Context(), late.At)
	require.ErrorIs(t, err, site.ErrGap, "nothing has been written since")
	server.Do(t, "XSETID", b.Keys()[6], string(early.At))
	say("c3")
	_, err = b.Follow(t.Context(), late.At)
	require.ErrorIs(t, err, site.ErrGap, "something has")
	entries, err := b.Follow(t.Context(), early.At)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// TestEmptiedServer: a server that is started again without its data.
func TestEmptiedServer(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	last := enter(t, b, time.Minute)
	v, err := b.Read(t.Context())
	require.NoError(t, err)
	server.Kill()
	_, err = b.Renew(t.Context(), nodeA)
	require.Error(t, err)
	require.NotErrorIs(t, err, site.ErrDead, "no server is no answer")
	server.Start(t)
	testkit.Within(t, testkit.Patience, "an answer", func() bool {
		_, err = b.Renew(t.Context(), nodeA)
		return errors.Is(err, site.ErrDead)
	})
	_, err = b.Follow(t.Context(), v.At)
	require.ErrorIs(t, err, site.ErrGap)
	l, err := b.Enter(t.Context(), site.Node{ID: "a.2", Lease: time.Minute}, last)
	require.NoError(t, err)
	require.Equal(t, last.Epoch+1, l.Epoch)
	require.NotEqual(t, last.Book, l.Book)
}

// TestPausedServer: a server that does not answer holds nobody for longer than the deadline, or, without one, than a few
// seconds; and it is the same connections' server again when it goes on.
func TestPausedServer(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	enter(t, b, time.Minute)
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.Claim(ctx, nodeA, anna, "c1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for name, do := range map[string]func() error{
		"renew":  func() error { _, err := b.Renew(t.Context(), nodeA); return err },
		"read":   func() error { _, err := b.Read(t.Context()); return err },
		"follow": func() error { _, err := b.Follow(t.Context(), ""); return err },
	} {
		require.Error(t, do(), name) // and not the test's own timeout
	}
	server.Resume()
	testkit.Within(t, testkit.Patience, "the server to answer again", func() bool {
		_, err := b.Renew(t.Context(), nodeA)
		return err == nil
	})
}

// TestServersTime: leases end by the server's own clock.
func TestServersTime(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	l := enter(t, b, 50*time.Millisecond)
	require.Equal(t, l.Now.Add(50*time.Millisecond), l.Until)
	v, err := b.Read(t.Context())
	require.NoError(t, err)
	require.False(t, v.Now.Before(l.Now))
	testkit.Within(t, testkit.Patience, "the lease to be over", func() bool {
		return errors.Is(b.Say(t.Context(), nodeA), site.ErrDead)
	})
	enter(t, b, time.Minute)
}

// TestKeysEnd: every key has an end, and places go with the last of them, whether or not a node lives.
func TestKeysEnd(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL(), Keep: time.Hour})
	everything(t, b)
	require.NoError(t, b.Say(t.Context(), nodeA, call.SiteFact{Flow: &call.SiteFlow{Agent: "8009"}}))
	_, err := b.Claim(t.Context(), nodeA, "8009", "c9")
	require.NoError(t, err)
	for _, key := range b.Keys() {
		left, ok := server.Do(t, "PTTL", key).(int64)
		require.True(t, ok)
		require.Positive(t, left, key)
		require.LessOrEqual(t, left, time.Hour.Milliseconds(), key)
	}
	require.EqualValues(t, len(b.Keys()), server.Do(t, "DBSIZE"), "there are no others")

	other := open(t, redisstore.Options{URL: server.URL(), Site: "other"})
	now := enter(t, other, time.Minute).Now
	require.NoError(t, other.Say(t.Context(), nodeA, call.SiteFact{Place: &call.SitePlace{Number: "13800000001", Until: now.Add(300 * time.Millisecond)}}))
	testkit.Within(t, testkit.Patience, "the place to be gone by itself", func() bool {
		return server.Do(t, "EXISTS", other.Keys()[11], other.Keys()[12]) == int64(0)
	})
	v, err := other.Read(t.Context())
	require.NoError(t, err)
	require.Empty(t, v.Facts, "sites that share a server know nothing of each other")
	require.Len(t, v.Nodes, 1)
}

// TestScriptsForgotten: a server that has lost its scripts is told them again.
func TestScriptsForgotten(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	enter(t, b, time.Minute)
	server.Do(t, "SCRIPT", "FLUSH")
	_, err := b.Renew(t.Context(), nodeA)
	require.NoError(t, err)
}

// TestUnreadable: what another version wrote is passed over and counted; what is readable beside it is read.
func TestUnreadable(t *testing.T) {
	server := testkit.StartRedis(t)
	registry := prometheus.NewRegistry()
	b := open(t, redisstore.Options{URL: server.URL(), Registry: registry})
	enter(t, b, time.Minute)
	v, err := b.Read(t.Context())
	require.NoError(t, err)
	keys := b.Keys()
	server.Do(t, "XADD", keys[6], "99999999999999-1", "p", string(v.At), "f",
		`[{"hologram":{}},{"shift":{"agent":"8001","paused":true,"mood":"good"}},7]`, "c", "too\nfew", "z", "of tomorrow")
	server.Do(t, "HSET", keys[0], "last", "99999999999999-1")
	for i, value := range map[int]string{1: "5\n{", 3: "a.1\n0\n[]", 4: "a.1\n{}", 5: "x", 7: "y", 9: "}", 11: "1\n2\n3", 13: ""} {
		server.Do(t, "HSET", keys[i], "field", value)
	}
	require.NoError(t, b.Say(t.Context(), nodeA, call.SiteFact{Caller: &call.SiteCaller{Call: "c1"}}))
	entries, err := b.Follow(t.Context(), v.At)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, []call.SiteFact{{Shift: &call.Shift{Agent: anna, Paused: true}}}, entries[0].Facts)
	require.Equal(t, "c1", entries[1].Facts[0].Caller.Call)
	v, err = b.Read(t.Context())
	require.NoError(t, err)
	require.Len(t, v.Facts, 1)
	require.Len(t, v.Nodes, 1)
	counted, err := testutil.GatherAndCount(registry, "hotline_book_unreadable_total")
	require.NoError(t, err)
	require.Equal(t, 1, counted)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.InDelta(t, 4+8, families[0].GetMetric()[0].GetCounter().GetValue(), 0)
}

// TestFollowersDoNotStarveDeeds: however many wait for the log, deeds have connections of their own.
func TestFollowersDoNotStarveDeeds(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	enter(t, b, time.Minute)
	v, err := b.Read(t.Context())
	require.NoError(t, err)
	began, ended := make(chan struct{}), make(chan struct{}, 20)
	for range cap(ended) {
		go func() {
			began <- struct{}{}
			_, _ = b.Follow(t.Context(), v.At) // those that wait for a connection in vain say so, which is not the point
			ended <- struct{}{}
		}()
	}
	for range cap(ended) {
		<-began
	}
	done := 0
	for ; len(ended) == 0 && done < 50; done++ {
		_, err := b.Renew(t.Context(), nodeA)
		require.NoError(t, err)
	}
	require.Positive(t, done, "deeds were done while all waited")
	for range cap(ended) {
		<-ended
	}
}

// TestPurged: what has ended by the clock does not stay until its key ends, and of a book whose beginning was lost nothing
// stays.
func TestPurged(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL(), Bounds: site.Bounds{
		Log: 100, LogFor: time.Hour, Places: 9, Regulars: 9, Agents: 9, RegularsFor: 10 * time.Second,
	}})
	clock := newHands()
	b.SetClock(clock.now)
	now := enter(t, b, time.Minute).Now
	for i, after := range []time.Duration{5 * time.Second, 50 * time.Second} {
		number := fmt.Sprint(i)
		require.NoError(t, b.Say(t.Context(), nodeA,
			call.SiteFact{Place: &call.SitePlace{Number: number, Until: now.Add(after)}},
			call.SiteFact{Regular: &call.SiteRegular{Number: number, At: now.Add(after - 10*time.Second)}}))
	}
	clock.advance(20 * time.Second)
	_, err := b.Renew(t.Context(), nodeA)
	require.NoError(t, err)
	for _, key := range b.Keys()[11:] {
		kind, ok := server.Do(t, "TYPE", key).(string)
		require.True(t, ok)
		count := map[string]string{"hash": "HLEN", "zset": "ZCARD"}[kind]
		require.EqualValues(t, 1, server.Do(t, count, key), key)
	}
	server.Do(t, "DEL", b.Keys()[0])
	v, err := b.Read(t.Context())
	require.NoError(t, err)
	require.Empty(t, v.Facts, "of a book that is no more")
	enter(t, b, time.Minute)
	v, err = b.Read(t.Context())
	require.NoError(t, err)
	require.Empty(t, v.Facts)
	require.Len(t, v.Nodes, 1)
	require.EqualValues(t, 4, server.Do(t, "DBSIZE"), "meta, nodes, leases and log")
}
