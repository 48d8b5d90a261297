package sqlstore

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/storetest"
)

func TestLadderSuite(t *testing.T) {
	storetest.RunLadders(t, func(t *testing.T, keep time.Duration, clock func() time.Time) storetest.LadderStore {
		t.Helper()
		return open(t, Options{LadderKeep: keep, Clock: clock})
	})
}

func said(n int) []call.SIPMessage {
	var out []call.SIPMessage
	for i := range n {
		out = append(out, storetest.Said(storetest.Day.Add(time.Duration(i)*time.Second), "8001"))
	}
	return out
}

// Old messages are deleted, at the start at the latest, and all of them when none is to be kept; nothing else
// is.
func TestOldLaddersAreDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	at := func(after time.Duration) func() time.Time {
		return func() time.Time { return storetest.Day.Add(after) }
	}
	write := func(record string) {
		s, err := Open(t.Context(), Options{Path: path, LadderKeep: time.Hour, Clock: at(0)})
		require.NoError(t, err)
		for i := range expireRows + 10 { // more than are deleted at once
			s.Trace(fmt.Sprint("c", i), said(1))
		}
		require.NoError(t, s.Finish(t.Context(), storetest.Full(record)))
		require.NoError(t, s.Close())
	}
	write("first")
	rows := func(s *Store) (n int) {
		require.NoError(t, s.read.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM ladders").Scan(&n))
		return n
	}
	for _, c := range []struct {
		after, keep time.Duration
		want        int
	}{{time.Hour, time.Hour, expireRows + 10}, {time.Hour + 1, time.Hour, 0}, {2 * time.Hour, 0, 0}} {
		if c.keep == 0 {
			write("second")
		}
		s, err := Open(t.Context(), Options{Path: path, LadderKeep: c.keep, Clock: at(c.after)})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return rows(s) == c.want }, 10*time.Second, time.Millisecond)
		_, err = s.Get(t.Context(), "first")
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
}

// While the database stands still messages are dropped beyond a bound, and records are not.
func TestLaddersDoNotPileUp(t *testing.T) {
	s := open(t, Options{LadderKeep: time.Hour, Clock: func() time.Time { return storetest.Day }})
	require.NoError(t, s.Finish(t.Context(), storetest.Full("before"))) // old messages were looked for
	busy := block(t, s)
	for i := range 2 * manyLadders {
		s.Trace(fmt.Sprint(i), said(1))
	}
	for i := range 100 {
		s.Begin(storetest.Begun(fmt.Sprint(i), storetest.Day))
	}
	require.InDelta(t, manyLadders, testutil.ToFloat64(s.metrics.laddersDropped), 1) // the writer may have one in hand
	busy()
	require.NoError(t, s.Finish(t.Context(), storetest.Full("after")))
	s.Trace("later", said(1))
	require.NoError(t, s.Finish(t.Context(), storetest.Full("last")))
	for _, id := range []string{"0", "later"} {
		_, err := s.Ladder(t.Context(), id)
		require.NoError(t, err, id)
	}
	_, err := s.Get(t.Context(), "99")
	require.NoError(t, err)
}

// What was given before the store closed is written, and survives kill -9 once it is.
func TestLaddersOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	clock := func() time.Time { return storetest.Day }
	s, err := Open(t.Context(), Options{Path: path, LadderKeep: time.Hour, Clock: clock})
	require.NoError(t, err)
	s.Trace("a", said(3))
	require.NoError(t, s.Close())
	s.Trace("a", said(1)) // dropped, not fatal
	again := open(t, Options{Path: path, LadderKeep: time.Hour, Clock: clock})
	got, err := again.Ladder(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, got, 3)

	path = filepath.Join(t.TempDir(), "killed.db")
	killVictim(t, path)
	killed := open(t, Options{Path: path, LadderKeep: time.Hour, Clock: clock})
	got, err = killed.Ladder(t.Context(), "finished")
	require.NoError(t, err)
	require.Len(t, got, 2)
}

// A reader works beside the process that writes, and after it, and finds calls by what they begin with.
func TestReader(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "calls.db")
	_, err := OpenReader(t.Context(), path, time.Hour)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, path)

	s, err := Open(t.Context(), Options{Path: path, LadderKeep: time.Hour})
	require.NoError(t, err)
	r, err := OpenReader(t.Context(), path, time.Hour)
	require.NoError(t, err)
	defer func() { assert.NoError(t, r.Close()) }()
	_, err = r.Last(t.Context())
	require.ErrorIs(t, err, call.ErrNotFound)
	for i, id := range []string{"0199-aa", "0199-ab", "0199-a", "02"} {
		rec := storetest.Full(id)
		rec.Started = rec.Started.Add(time.Duration(i) * time.Second)
		require.NoError(t, s.Finish(t.Context(), rec))
	}
	message := storetest.Said(time.Now(), "8001")
	s.Trace("02", []call.SIPMessage{message})
	require.NoError(t, s.Finish(t.Context(), storetest.Full("01")))
	last, err := r.Last(t.Context())
	require.NoError(t, err)
	require.Equal(t, "02", last)
	for prefix, want := range map[string]string{"0199-aa": "0199-aa", "0199-ab": "0199-ab", "0199-a": "0199-a", "02": "02"} {
		got, err := r.Find(t.Context(), prefix)
		require.NoError(t, err, prefix)
		require.Equal(t, want, got)
	}
	_, err = r.Find(t.Context(), "03")
	require.ErrorIs(t, err, call.ErrNotFound)
	_, err = r.Find(t.Context(), "0199")
	var ambiguous *AmbiguousError
	require.ErrorAs(t, err, &ambiguous)
	require.Equal(t, []string{"0199-a", "0199-ab", "0199-aa"}, ambiguous.Some)
	got, err := r.Ladder(t.Context(), last)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NoError(t, s.Close())

	after, err := OpenReader(t.Context(), path, time.Nanosecond)
	require.NoError(t, err)
	defer func() { assert.NoError(t, after.Close()) }()
	_, err = after.Get(t.Context(), "02")
	require.NoError(t, err)
	_, err = after.Ladder(t.Context(), "02")
	require.ErrorIs(t, err, call.ErrNotFound, "kept no longer")
	again, err := Open(t.Context(), Options{Path: path, LadderKeep: time.Hour})
	require.NoError(t, err, "a reader holds no lock")
	require.NoError(t, again.Close())
}

// A database of another version, and a file that is none, are told apart and left alone.
func TestReaderOfAnotherVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	version := func(change string) {
		_, err := s.write.ExecContext(t.Context(), change)
		require.NoError(t, err)
	}
	files, err := fs.Glob(migrations, "migrations/*.sql")
	require.NoError(t, err)
	newest := strconv.Itoa(len(files))
	for change, want := range map[string]error{
		"DELETE FROM goose_db_version WHERE version_id = " + newest:                ErrOlder,
		"INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, TRUE)": ErrNewer,
	} {
		version(change)
		_, err = OpenReader(t.Context(), path, time.Hour)
		require.ErrorIs(t, err, want)
		version("DELETE FROM goose_db_version WHERE version_id >= " + newest)
		version("INSERT INTO goose_db_version (version_id, is_applied) VALUES (" + newest + ", TRUE)")
	}
	require.NoError(t, s.Close())

	empty := filepath.Join(t.TempDir(), "empty.db")
	require.NoError(t, os.WriteFile(empty, nil, fileMode))
	_, err = OpenReader(t.Context(), empty, time.Hour)
	require.ErrorIs(t, err, ErrOlder)
	require.NoError(t, os.WriteFile(empty, []byte(strings.Repeat("no database ", 100)), fileMode))
	_, err = OpenReader(t.Context(), empty, time.Hour)
	require.ErrorIs(t, err, ErrDamaged)
}

// Reader.checkSchema counts them.
func TestMigrationsAreNumbered(t *testing.T) {
	for _, d := range []*dialect{&sqliteDialect, &postgresDialect} {
		files, err := fs.Glob(migrations, d.folder+"/*.sql")
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for i, name := range files {
			require.True(t, strings.HasPrefix(filepath.Base(name), fmt.Sprintf("%05d_", i+1)), name)
		}
	}
}
