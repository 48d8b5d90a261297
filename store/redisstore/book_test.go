package redisstore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/site"
	"hotline/store/redisstore"
	"hotline/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// hands is a clock that goes on when it is told to. It begins now: keys end by the server's own clock.
type hands struct {
	began time.Time
	ns    atomic.Int64
}

func newHands() *hands                   { return &hands{began: time.Now().Truncate(time.Millisecond).UTC()} }
func (h *hands) now() time.Time          { return h.began.Add(time.Duration(h.ns.Load())) }
func (h *hands) advance(d time.Duration) { h.ns.Add(int64(d)) }

// open opens a book, which is closed with the test.
func open(tb testing.TB, o redisstore.Options) *redisstore.Book {
	tb.Helper()
	if o.Site == "" {
		o.Site = "test"
	}
	b, err := redisstore.Open(o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, b.Close()) })
	return b
}

func TestBookSuite(t *testing.T) {
	server := testkit.StartRedis(t)
	storetest.RunBook(t, func(t *testing.T, bounds site.Bounds) storetest.BookAt {
		t.Helper()
		server.Do(t, "FLUSHALL")
		clock := newHands()
		b := open(t, redisstore.Options{URL: server.URL(), Bounds: bounds})
		b.SetClock(clock.now)
		return storetest.BookAt{Book: b, Advance: clock.advance, Empty: func() { server.Do(t, "FLUSHALL") }}
	})
}
