package sqlstore

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/store/storetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(victimEnv); path != "" {
		if url := os.Getenv(victimURL); url != "" {
			fmt.Fprintln(os.Stderr, spooler(path, url))
			os.Exit(1)
		}
		fmt.Fprintln(os.Stderr, victim(path)) // it returns only when it failed
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "calls.db")
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return open(t, Options{})
	})
}

func TestRecordsOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder", "50% #1?.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Finish(t.Context(), storetest.Full("a")))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "twice is as good as once")
	require.ErrorIs(t, s.Finish(t.Context(), storetest.Full("b")), ErrClosed)
	require.FileExists(t, path)

	again := open(t, Options{Path: path})
	require.Zero(t, again.Recovered())
	got, err := again.Get(t.Context(), "a")
	require.NoError(t, err)
	storetest.Equal(t, storetest.Full("a"), got)
}

func TestDurabilityPragmas(t *testing.T) {
	s := open(t, Options{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		require.NoError(t, s.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
	_, err := s.read.ExecContext(t.Context(), "DELETE FROM calls")
	require.Error(t, err, "readers cannot write")
}

// A hundred calls that finish while the disk is busy are written in one transaction.
func TestGroupCommit(t *testing.T) {
	s := open(t, Options{Metrics: prometheus.NewRegistry()})
	const calls = 100
	busy := block(t, s)
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() { assert.NoError(t, s.Finish(t.Context(), storetest.Full(fmt.Sprint(i)))) })
	}
	require.Eventually(t, func() bool { return s.queue.len() == calls }, 10*time.Second, time.Millisecond)
	busy()
	all.Wait()
	commits := testutil.ToFloat64(s.metrics.commits.WithLabelValues("ok"))
	require.LessOrEqual(t, commits, 3.0)
	require.InDelta(t, calls, testutil.ToFloat64(s.metrics.rows), 0)
}

// block holds the writer's only connection, as a slow disk would, until the returned function is
// called.
func block(t *testing.T, s *Store) (release func()) {
	t.Helper()
	conn, err := s.write.Conn(t.Context())
	require.NoError(t, err)
	return func() { require.NoError(t, conn.Close()) }
}

// Begin and Update return at once while the database stands still, and a call's moves do not pile up.
func TestNothingWaitsForTheDisk(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	s := open(t, Options{Logger: zap.New(core)})
	s.many = 100
	busy := block(t, s)
	const calls = 500
	for i := range calls {
		id := fmt.Sprint(i)
		s.Begin(storetest.Begun(id, storetest.Day))
		s.Update(storetest.Begun(id, storetest.Day))
		s.Update(storetest.Begun(id, storetest.Day))
	}
	require.LessOrEqual(t, s.queue.len(), calls+1)
	require.Equal(t, 1, logs.FilterMessage("call records wait in memory for the database").Len())
	busy()
	require.NoError(t, s.Finish(t.Context(), storetest.Full("last")))
	var rows int
	require.NoError(t, s.read.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM calls").Scan(&rows))
	require.Equal(t, calls+1, rows)
}

// A full disk refuses rows; what was written stays whole, and what waits is written when there is room.
func TestDiskFull(t *testing.T) {
	s := open(t, Options{})
	require.NoError(t, s.Finish(t.Context(), storetest.Full("before")))
	limit := func(pages int) {
		_, err := s.write.ExecContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", pages))
		require.NoError(t, err)
	}
	limit(1) // the size it has
	big := storetest.Full("big")
	for range 2000 {
		big.Offers = append(big.Offers, big.Offers[0])
	}
	failed := s.metrics.commits.WithLabelValues("failed")
	finished := make(chan error, 1)
	go func() { finished <- s.Finish(t.Context(), big) }()
	require.Eventually(t, func() bool { return testutil.ToFloat64(failed) >= 2 }, 10*time.Second, time.Millisecond)

	got, err := s.Get(t.Context(), "before")
	require.NoError(t, err)
	storetest.Equal(t, storetest.Full("before"), got)
	_, err = s.Get(t.Context(), "big")
	require.ErrorIs(t, err, call.ErrNotFound)
	waiting, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Finish(waiting, storetest.Full("behind")), context.DeadlineExceeded)

	limit(1 << 30)
	require.NoError(t, <-finished)
	require.NoError(t, s.Finish(t.Context(), storetest.Full("after")))
	for _, id := range []string{"before", "big", "behind", "after"} {
		_, err := s.Get(t.Context(), id)
		require.NoError(t, err, id)
	}
	var ok string
	require.NoError(t, s.read.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&ok))
	require.Equal(t, "ok", ok)
}

// Close does not wait for ever for a disk that stays full, and says what was lost.
func TestCloseWhileFull(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "calls.db"), CloseWithin: 20 * time.Millisecond})
	require.NoError(t, err)
	_, err = s.write.ExecContext(t.Context(), "PRAGMA max_page_count = 1")
	require.NoError(t, err)
	big := storetest.Full("big")
	for range 2000 {
		big.Offers = append(big.Offers, big.Offers[0])
	}
	finished := make(chan error, 1)
	go func() { finished <- s.Finish(context.Background(), big) }()
	require.Eventually(t, func() bool {
		return testutil.ToFloat64(s.metrics.commits.WithLabelValues("failed")) >= 1
	}, 10*time.Second, time.Millisecond)
	require.ErrorContains(t, s.Close(), "1 rows could not be written")
	require.ErrorIs(t, <-finished, ErrClosed)
}

// One row that the database refuses for what it is does not hold up the others.
func TestRowRefusedForWhatItIs(t *testing.T) {
	s := open(t, Options{})
	_, err := s.write.ExecContext(t.Context(),
		`CREATE TRIGGER refuse BEFORE INSERT ON calls WHEN NEW.id = 'odd' BEGIN SELECT RAISE(ABORT, 'odd'); END`)
	require.NoError(t, err)
	busy := block(t, s)
	results := make(map[string]chan error)
	for _, id := range []string{"first", "odd", "last"} {
		done := make(chan error, 1)
		results[id] = done
		go func() { done <- s.Finish(t.Context(), storetest.Full(id)) }()
	}
	require.Eventually(t, func() bool { return s.queue.len() == 3 }, 10*time.Second, time.Millisecond)
	busy()
	require.NoError(t, <-results["first"])
	require.NoError(t, <-results["last"])
	require.Error(t, <-results["odd"])
}

// bomb is a value that panics on its way to the database.
type bomb struct{}

func (bomb) Value() (driver.Value, error) { panic("a value with a fault") }

// A row that panics is dropped, to the log; the rest of its transaction is written, and the writer goes on.
func TestRowThatPanics(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	var panics []string // the writer's, read when it has ended
	s, err := Open(t.Context(), Options{
		Path: filepath.Join(t.TempDir(), "calls.db"), Logger: zap.New(core),
		OnPanic: func(where string, v any) { panics = append(panics, fmt.Sprint(where, ": ", v)) },
	})
	require.NoError(t, err)
	busy := block(t, s)
	s.Begin(storetest.Begun("before", storetest.Day))
	require.Eventually(t, func() bool { // the writer is held up with that one, so the others come together
		s.queue.mu.Lock()
		defer s.queue.mu.Unlock()
		return s.queue.taken == 1
	}, 10*time.Second, time.Millisecond)
	var rows []*row
	for _, id := range []string{"first", "faulty", "last"} {
		r, err := newRow(storetest.Full(id), true, "", time.Now())
		require.NoError(t, err)
		if id == "faulty" {
			r.args[6] = bomb{}
		}
		r, err = s.put(r)
		require.NoError(t, err)
		rows = append(rows, r)
	}
	busy()
	for _, r := range rows {
		<-r.done
	}
	require.NoError(t, rows[0].err)
	require.ErrorIs(t, rows[1].err, ErrFault)
	require.NoError(t, rows[2].err)
	require.NoError(t, s.Finish(t.Context(), storetest.Full("faulty")), "the call's next row may be better")
	for _, id := range []string{"first", "faulty", "last"} {
		_, err := s.Get(t.Context(), id)
		require.NoError(t, err, id)
	}
	require.NoError(t, s.Close())
	require.Equal(t, []string{"store: write row: a value with a fault"}, panics)
	require.Equal(t, 1, logs.FilterField(zap.String("call", "faulty")).Len())
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	open(t, Options{Path: path})
	_, err := Open(t.Context(), Options{Path: path})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, filepath.Dir(path))
	require.ErrorContains(t, err, fmt.Sprintf("process %d", os.Getpid()))
}

func TestDamagedFileIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	garbage := []byte("this is not a database, and longer than a header of one hundred octets would be, so that it is looked at")
	require.NoError(t, os.WriteFile(path, garbage, 0o600))
	_, err := Open(t.Context(), Options{Path: path})
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "mv "+path)
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, garbage, left)
}

func TestLaterSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	_, err = s.write.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = Open(t.Context(), Options{Path: path})
	require.ErrorIs(t, err, ErrNewer)
}

func TestFolderThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := Open(t.Context(), Options{Path: filepath.Join(file, "calls.db")})
	require.ErrorContains(t, err, file)
}

func TestMetricsAreClean(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	s := open(t, Options{Metrics: reg})
	require.NoError(t, s.Finish(t.Context(), storetest.Full("a")))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
	_, err = Open(t.Context(), Options{Metrics: reg, Path: filepath.Join(t.TempDir(), "calls.db")})
	require.Error(t, err, "the same registry twice")
}

// The lists and the summary are found by index, however many calls there are.
func TestQueriesUseIndexes(t *testing.T) {
	s := open(t, Options{})
	summary := fmt.Sprintf(summarySQL, s.covered)
	const newest = " ORDER BY started DESC, id DESC LIMIT 50"
	for query, index := range map[string]string{
		`SELECT record FROM calls` + newest:                                        "calls_by_start",
		`SELECT record FROM calls WHERE (started, id) < (1, 'a')` + newest:         "calls_by_start",
		`SELECT record FROM calls WHERE queue = 'a' AND started >= 1` + newest:     "calls_by_queue",
		`SELECT record FROM calls WHERE agent = 'a'` + newest:                      "calls_by_agent",
		`SELECT record FROM calls WHERE result = 'a' AND (started) < (1)` + newest: "calls_by_result",
		`SELECT record, updated FROM calls WHERE finished = 0 AND node = ''`:       "calls_open",
		`SELECT record FROM calls WHERE message = 1` + newest:                      "calls_with_message",
		summary: "COVERING INDEX calls_by_start",
	} {
		var args []any
		if query == summary {
			args = []any{1.0, 1}
		}
		var id, parent, unused int
		var detail string
		row := s.read.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
		require.NoError(t, row.Scan(&id, &parent, &unused, &detail), query)
		assert.Contains(t, detail, index, query)
	}
}
