package sqlstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/store/storetest"
)

// testWait is how long tests wait for what must come.
const testWait = 60 * time.Second

// openNode opens a store on PostgreSQL, in a data folder of its own unless o has one.
func openNode(t *testing.T, url string, o Options) *Store {
	t.Helper()
	o.URL = url
	s := open(t, o)
	s.settle = testWait // a machine with much to do is no reason to read less than was written
	return s
}

// TestPostgres: what SQLite passes, PostgreSQL does.
func TestPostgres(t *testing.T) {
	pg := testkit.StartPostgres(t)
	open := func(t *testing.T) *Store {
		t.Helper()
		return openNode(t, pg.Database(t), Options{})
	}
	t.Run("Records", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Store { t.Helper(); return open(t) })
	})
	t.Run("Shifts", func(t *testing.T) {
		storetest.RunShifts(t, func(t *testing.T) storetest.ShiftStore { t.Helper(); return open(t) })
	})
	t.Run("Outages", func(t *testing.T) {
		storetest.RunOutages(t, func(t *testing.T) call.Outages { t.Helper(); return open(t) })
	})
	t.Run("Bookings", func(t *testing.T) {
		storetest.RunBookings(t, func(t *testing.T) call.Bookings { t.Helper(); return open(t) })
	})
	t.Run("Ladders", func(t *testing.T) {
		storetest.RunLadders(t, func(t *testing.T, keep time.Duration, clock func() time.Time) storetest.LadderStore {
			t.Helper()
			return openNode(t, pg.Database(t), Options{LadderKeep: keep, Clock: clock})
		})
	})
}

// TestNodes: several nodes on one database.
func TestNodes(t *testing.T) {
	pg := testkit.StartPostgres(t)
	for name, test := range map[string]func(t *testing.T, pg *testkit.Postgres, at string){
		"MigrateAtOnce": testMigrateAtOnce, "WriteAtOnce": testWriteAtOnce, "CrashClosesOwnCalls": testCrashClosesOwn,
		"ShiftsAndCallbacks": testShared, "Refused": testRefused, "Newer": testNewer,
	} {
		t.Run(name, func(t *testing.T) { test(t, pg, pg.Database(t)) })
	}
}

func testMigrateAtOnce(t *testing.T, pg *testkit.Postgres, at string) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			s, err := Open(t.Context(), Options{URL: at, Path: filepath.Join(t.TempDir(), "calls.db")})
			if assert.NoError(t, err) {
				assert.NoError(t, s.Finish(t.Context(), storetest.Full(fmt.Sprint(i))))
				assert.NoError(t, s.Close())
			}
		})
	}
	all.Wait()
	got, err := pg.SQL(at, "SELECT version_id, COUNT(*) FROM goose_db_version GROUP BY version_id ORDER BY 1")
	require.NoError(t, err)
	require.Equal(t, []string{"0|1", "1|1"}, got)
	got, err = pg.SQL(at, "SELECT id FROM calls ORDER BY id")
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2", "3"}, got)
}

func testWriteAtOnce(t *testing.T, pg *testkit.Postgres, at string) {
	t.Helper()
	var streams []*stream
	var all sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		s := openNode(t, at, Options{LadderKeep: 100 * 365 * 24 * time.Hour})
		f := &stream{t: t, s: s, name: name}
		streams = append(streams, f)
		all.Go(func() { f.run(50) })
	}
	all.Wait()
	for _, f := range streams {
		settled(t, f.s)
		f.once(pg, at)
	}
	page, _, err := streams[0].s.List(t.Context(), call.Query{Limit: call.MaxLimit})
	require.NoError(t, err)
	require.Len(t, page, 100, "each sees both")
}

// A node that is started again closes the calls that it left open, and not those of others.
func testCrashClosesOwn(t *testing.T, _ *testkit.Postgres, at string) {
	t.Helper()
	lives := openNode(t, at, Options{})
	lives.Begin(storetest.Begun("lives", storetest.Day))
	path := filepath.Join(t.TempDir(), "calls.db")
	dies := openNode(t, at, Options{Path: path})
	dies.Begin(storetest.Begun("died", storetest.Day))
	require.NoError(t, dies.Finish(t.Context(), storetest.Full("ended")))
	require.NoError(t, dies.Close()) // as after kill -9: its call is open

	again := openNode(t, at, Options{Path: path, Derive: func(r *call.Record) { r.Rings = 7 }})
	again.Begin(storetest.Begun("new", storetest.Day))
	require.NoError(t, lives.Finish(t.Context(), storetest.Full("settled")))
	require.NoError(t, again.Finish(t.Context(), storetest.Full("settled too")))
	settled(t, lives)
	for id, reason := range map[string]call.Reason{"died": call.ReasonCrash, "lives": "", "new": ""} {
		r, err := again.Get(t.Context(), id)
		require.NoError(t, err, id)
		require.Equal(t, reason, r.Reason, id)
		require.Equal(t, reason != "", r.Rings == 7, id)
	}
	require.NoError(t, lives.Finish(t.Context(), storetest.Full("lives")))
}

// Of two choices of an agent the later counts, whoever writes first; a callback is one node's business.
func testShared(t *testing.T, _ *testkit.Postgres, at string) {
	t.Helper()
	early := openNode(t, at, Options{Clock: func() time.Time { return storetest.Day }})
	path := filepath.Join(t.TempDir(), "calls.db")
	late := openNode(t, at, Options{Path: path, Clock: func() time.Time { return storetest.Day.Add(time.Second) }})
	late.SaveShift(call.Shift{Agent: "8001"})
	late.SaveShift(call.Shift{Agent: "8002", Paused: true, Reason: "\x00\xff"})
	require.NoError(t, late.Finish(t.Context(), storetest.Full("a")))
	settled(t, late)
	early.SaveShift(call.Shift{Agent: "8001", Paused: true})
	early.SaveShift(call.Shift{Agent: "8002"})
	require.NoError(t, early.Finish(t.Context(), storetest.Full("b")))
	got, err := early.Shifts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []call.Shift{{Agent: "8002", Paused: true, Reason: "\uFFFD\uFFFD"}}, got)

	bounds := call.BookingBounds{Since: storetest.Day.Add(-time.Hour), PerDay: 9, Open: 9}
	require.NoError(t, late.Book(t.Context(), storetest.Booked("1", "13912345678"), bounds))
	require.ErrorIs(t, early.Book(t.Context(), storetest.Booked("2", "13912345678"), bounds), call.ErrBooked)
	none, err := early.Bookings(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, late.Close())
	late = openNode(t, at, Options{Path: path})
	mine, err := late.Bookings(t.Context())
	require.NoError(t, err)
	require.Len(t, mine, 1, "over a restart")
	require.NoError(t, early.Settle(t.Context(), "1", call.CallbackCancelled), "a supervisor may be on any node")
	require.ErrorIs(t, late.Settle(t.Context(), "1", call.CallbackReached), call.ErrNoBooking)
}

// What a caller sent cannot keep a record from being written; what the database refuses all the same is set aside, and
// holds nobody up.
func testRefused(t *testing.T, pg *testkit.Postgres, at string) {
	t.Helper()
	s := openNode(t, at, Options{LadderKeep: 100 * 365 * 24 * time.Hour, Metrics: prometheus.NewPedanticRegistry()})
	hostile := storetest.Full("hostile")
	hostile.From, hostile.Queue, hostile.MenuPath = "139\x00'; DROP TABLE calls; --", "\xff\xfe", "\x00\u0000"
	require.NoError(t, s.Finish(t.Context(), hostile))
	_, err := s.Get(t.Context(), "hostile")
	require.NoError(t, err)

	_, err = pg.SQL(at, "ALTER TABLE calls ADD CHECK (queue <> 'odd')")
	require.NoError(t, err)
	f := &stream{t: t, s: s, name: "call"}
	f.run(5)
	odd := storetest.Full("odd")
	odd.Queue = "odd"
	require.NoError(t, s.Finish(t.Context(), odd), "it is durable, on the local disk")
	f.run(5)
	settled(t, s)
	f.once(pg, at)
	_, err = s.Get(t.Context(), "odd")
	require.ErrorIs(t, err, call.ErrNotFound)
	require.InDelta(t, 1, testutil.ToFloat64(s.metrics.aside), 0)
	aside, err := os.ReadFile(filepath.Join(s.spool.dir, asideName))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(aside), "\n"))
	r, err := parseLine(aside)
	require.NoError(t, err)
	require.Equal(t, "odd", r.Call)
}

// A database of a later version is not written to.
func testNewer(t *testing.T, pg *testkit.Postgres, at string) {
	t.Helper()
	require.NoError(t, openNode(t, at, Options{}).Close())
	r, err := OpenURLReader(t.Context(), at, time.Hour)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = pg.SQL(at, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{URL: at, Path: filepath.Join(t.TempDir(), "calls.db")})
	require.ErrorIs(t, err, ErrNewer)
	_, err = OpenURLReader(t.Context(), at, time.Hour)
	require.ErrorIs(t, err, ErrNewer)
}

// An error about a URL does not tell it.
func TestURLs(t *testing.T) {
	for _, url := range []string{"postgres://u:hidden@host:0x/db", "postgres://u:hidden@h/db?sslmode=hidden", "postgres://u:hid den@h"} {
		require.ErrorIs(t, CheckURL(url), ErrURL)
		require.NotContains(t, CheckURL(url).Error(), "hidden")
	}
	require.NoError(t, CheckURL("postgresql://u:hidden@a:5432,b:5432/db?target_session_attrs=read-write"))
}

// Metrics of a spool have their names and help as Prometheus wants them.
func TestSpoolMetricsAreClean(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s := openNode(t, "postgres://127.0.0.1:1/none", Options{Metrics: reg}) // port 1: nobody is there
	require.NoError(t, s.Finish(t.Context(), storetest.Full("a")))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}
