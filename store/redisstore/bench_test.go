package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/site"
	"hotline/store/redisstore"
)

// trips counts what is sent to the server, connections' own commands not counted.
type trips struct{ n atomic.Int64 }

func (c *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}

// TestOneTrip: a deed is one round trip.
func TestOneTrip(t *testing.T) {
	server := testkit.StartRedis(t)
	b := open(t, redisstore.Options{URL: server.URL()})
	everything(t, b) // the server knows all the scripts
	require.NoError(t, b.Say(t.Context(), nodeA, call.SiteFact{Flow: &call.SiteFlow{Agent: "8009"}}))
	var counted trips
	b.Deeds().AddHook(&counted)
	g, err := b.Claim(t.Context(), nodeA, "8009", "c9")
	require.NoError(t, err)
	require.EqualValues(t, 1, counted.n.Load())
	require.NoError(t, b.Release(t.Context(), nodeA, call.SiteRest{Agent: "8009", Token: g.Token}))
	require.EqualValues(t, 2, counted.n.Load())
}

// BenchmarkClaim has an agent of a thousand claimed and given back, among ten thousand callers.
func BenchmarkClaim(b *testing.B) {
	server := testkit.StartRedis(b)
	book := open(b, redisstore.Options{URL: server.URL()})
	ctx := context.Background()
	enter(b, book, time.Minute)
	fill(b, book, 1000, 10_000)
	stop := make(chan struct{})
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_, _ = book.Renew(ctx, nodeA) // were it over, the claims would say so
			}
		}
	}()
	var counted trips
	book.Deeds().AddHook(&counted)
	for _, at := range []int{1, 8} {
		b.Run(fmt.Sprintf("callers=%d", at), func(b *testing.B) {
			var agent atomic.Int64
			counted.n.Store(0)
			b.SetParallelism(at)
			b.RunParallel(func(pb *testing.PB) {
				mine := fmt.Sprint(agent.Add(1))
				for pb.Next() {
					g, err := book.Claim(ctx, nodeA, mine, "c1")
					if err != nil {
						b.Error(err)
						return
					}
					if err := book.Release(ctx, nodeA, call.SiteRest{Agent: mine, Token: g.Token, How: "left"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(counted.n.Load())/float64(2*b.N), "trips/deed")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "claims/s")
		})
	}
	close(stop)
	<-renewed
}

// BenchmarkRead reads the whole, with a thousand agents and ten thousand callers.
func BenchmarkRead(b *testing.B) {
	server := testkit.StartRedis(b)
	book := open(b, redisstore.Options{URL: server.URL()})
	enter(b, book, time.Minute)
	fill(b, book, 1000, 10_000)
	for b.Loop() {
		v, err := book.Read(context.Background())
		require.NoError(b, err)
		require.Len(b, v.Facts, 11_000)
	}
}

// BenchmarkDeath has a node of a thousand agents and ten thousand callers declared dead: for as long the server does
// nothing else.
func BenchmarkDeath(b *testing.B) {
	server := testkit.StartRedis(b)
	book := open(b, redisstore.Options{URL: server.URL()})
	for b.Loop() {
		b.StopTimer()
		enter(b, book, time.Minute)
		fill(b, book, 1000, 10_000)
		b.StartTimer()
		require.NoError(b, book.Leave(context.Background(), nodeA))
	}
}

// fill has node A say agents' flows and callers.
func fill(tb testing.TB, b site.Book, agents, callers int) {
	tb.Helper()
	var facts []call.SiteFact
	flush := func() {
		require.NoError(tb, b.Say(context.Background(), nodeA, facts...))
		facts = facts[:0]
	}
	for i := range agents {
		facts = append(facts, call.SiteFact{Flow: &call.SiteFlow{Agent: fmt.Sprint(i + 1)}})
	}
	flush()
	for i := range callers {
		now := time.Now()
		facts = append(facts, call.SiteFact{Caller: &call.SiteCaller{Call: fmt.Sprint(i), Queue: "consult", From: "13800000001", Entered: now, Came: now}})
		if len(facts) == 500 {
			flush()
		}
	}
	flush()
}
