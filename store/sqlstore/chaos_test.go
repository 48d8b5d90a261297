package sqlstore

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/store/storetest"
)

// stream finishes calls one after the other, each with one handing-over of SIP messages: unlike a record, that would be
// there twice if it was written twice.
type stream struct {
	t     *testing.T
	s     *Store
	name  string
	calls int
}

func (f *stream) run(calls int) {
	f.t.Helper()
	for range calls {
		id := fmt.Sprintf("%s-%06d", f.name, f.calls)
		f.s.Begin(storetest.Begun(id, storetest.Day))
		f.s.Update(storetest.Begun(id, storetest.Day))
		f.s.Trace(id, said(1))
		require.NoError(f.t, f.s.Finish(f.t.Context(), storetest.Full(id)))
		f.calls++
	}
}

// settled waits until the spool is empty.
func settled(t *testing.T, s *Store) {
	t.Helper()
	require.Eventually(t, func() bool {
		n, _ := s.spool.waiting()
		return n == 0
	}, testWait, 5*time.Millisecond)
}

// once asserts that the database has all of the stream, once and in order.
func (f *stream) once(pg *testkit.Postgres, at string) {
	f.t.Helper()
	for _, table := range []string{
		"SELECT id FROM calls WHERE finished = 1 AND id LIKE '" + f.name + "-%' ORDER BY id",
		"SELECT call FROM ladders WHERE call LIKE '" + f.name + "-%' ORDER BY id",
	} {
		lines, err := pg.SQL(at, table)
		require.NoError(f.t, err)
		require.Len(f.t, lines, f.calls, table)
		for i, line := range lines {
			require.Equal(f.t, fmt.Sprintf("%s-%06d", f.name, i), line)
		}
	}
}

// TestDatabaseDies: whatever happens to the database, calls are not held up, and each record is written once.
func TestDatabaseDies(t *testing.T) {
	pg := testkit.StartPostgres(t)
	for _, c := range []struct {
		name       string
		away, back func()
	}{
		{"Crash", pg.Crash, func() { pg.Start(t) }},
		{"Stop", pg.Stop, func() { pg.Start(t) }},
		{"Kill", pg.Kill, func() { pg.Start(t) }},
		{"Pause", pg.Pause, pg.Resume},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := pg.Database(t)
			s := openNode(t, at, Options{LadderKeep: 100 * 365 * 24 * time.Hour})
			f := &stream{t: t, s: s, name: "call"}
			f.run(20)
			c.away()
			f.run(20) // which returns though nobody writes
			n, _ := s.spool.waiting()
			require.Positive(t, n)
			c.back()
			f.run(20)
			settled(t, s)
			f.once(pg, at)
			require.Eventually(t, s.up.Load, testWait, 5*time.Millisecond)
			page, _, err := s.List(t.Context(), call.Query{})
			require.NoError(t, err)
			require.NotEmpty(t, page)
		})
	}
	t.Run("AgainAndAgain", func(t *testing.T) {
		at := pg.Database(t)
		s := openNode(t, at, Options{LadderKeep: 100 * 365 * 24 * time.Hour})
		f := &stream{t: t, s: s, name: "call"}
		var over atomic.Bool
		var hands sync.WaitGroup
		hands.Go(func() {
			defer over.Store(true)
			for range 4 { // each in the middle of something
				pg.Crash()
				pg.Start(t)
			}
		})
		for !over.Load() {
			f.run(5)
		}
		hands.Wait()
		settled(t, s)
		f.once(pg, at)
	})
	t.Run("AwayAtTheStart", func(t *testing.T) {
		at := pg.Database(t)
		pg.Stop()
		s := openNode(t, at, Options{LadderKeep: 100 * 365 * 24 * time.Hour})
		f := &stream{t: t, s: s, name: "call"}
		f.run(3)
		_, _, err := s.List(t.Context(), call.Query{})
		require.ErrorIs(t, err, call.ErrUnavailable)
		require.NotContains(t, err.Error(), testkit.PostgresPassword)
		for _, err := range []error{
			s.PutOutage(t.Context(), call.Outage{ID: "1"}),
			s.Book(t.Context(), storetest.Booked("1", "139"), call.BookingBounds{PerDay: 9, Open: 9}),
		} {
			require.ErrorIs(t, err, call.ErrUnavailable)
			require.NotContains(t, err.Error(), testkit.PostgresPassword)
		}
		pg.Start(t)
		settled(t, s)
		f.once(pg, at)
		_, err = s.Get(t.Context(), "call-000002")
		require.NoError(t, err)
	})
	t.Run("AwayAtTheEnd", func(t *testing.T) {
		at, folder := pg.Database(t), filepath.Join(t.TempDir(), "calls.db")
		s := openNode(t, at, Options{Path: folder, LadderKeep: 100 * 365 * 24 * time.Hour})
		f := &stream{t: t, s: s, name: "call"}
		f.run(3)
		pg.Stop()
		f.run(3)
		require.NoError(t, s.Close(), "nothing is lost")
		require.NotEmpty(t, segments(t, filepath.Join(filepath.Dir(folder), spoolFolder)))
		pg.Start(t)
		again := openNode(t, at, Options{Path: folder, LadderKeep: 100 * 365 * 24 * time.Hour})
		settled(t, again)
		f.once(pg, at)
		require.NoError(t, again.Close())
		require.Empty(t, segments(t, filepath.Join(filepath.Dir(folder), spoolFolder)))
	})
}

// cutter is between a store and its database, and can cut a connection after a commit and before its answer.
type cutter struct {
	listener net.Listener
	to       string
	armed    atomic.Int64 // so many commits are not answered
	cut      atomic.Int64
	all      sync.WaitGroup
}

// before puts a cutter before the database of a URL, and returns the URL that leads through it.
func before(t *testing.T, at string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(at)
	require.NoError(t, err)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{listener: l, to: u.Host}
	u.Host = l.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	c.all.Go(c.serve)
	t.Cleanup(func() {
		assert.NoError(t, l.Close())
		c.all.Wait()
	})
	return c, u.String()
}

func (c *cutter) serve() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.to) //nolint:noctx // on loopback
		if err != nil {
			_ = client.Close()
			continue
		}
		var committing atomic.Bool
		pipe := func(from, to net.Conn, towardsServer bool) {
			defer func() { _, _ = from.Close(), to.Close() }() // the other one may have
			part := make([]byte, 64<<10)
			for {
				n, err := from.Read(part)
				if n > 0 && towardsServer && strings.Contains(string(part[:n]), "commit") && c.armed.Add(-1) >= 0 {
					committing.Store(true)
				}
				if n > 0 && !towardsServer && committing.Load() {
					c.cut.Add(1)
					return // it was committed, and nobody hears of it
				}
				if n > 0 {
					_, _ = to.Write(part[:n]) // an error shows at the next read
				}
				if err != nil {
					return
				}
			}
		}
		c.all.Go(func() { pipe(client, server, true) })
		c.all.Go(func() { pipe(server, client, false) })
	}
}

// TestCommitNotAnswered: entries whose commit was made and not answered are not written again.
func TestCommitNotAnswered(t *testing.T) {
	pg := testkit.StartPostgres(t)
	at := pg.Database(t)
	c, through := before(t, at)
	s := openNode(t, through, Options{LadderKeep: 100 * 365 * 24 * time.Hour})
	f := &stream{t: t, s: s, name: "call"}
	f.run(5)
	settled(t, s)
	const cuts = 3
	c.armed.Store(cuts)
	for range cuts {
		f.run(1)
		settled(t, s)
	}
	require.EqualValues(t, cuts, c.cut.Load())
	f.once(pg, at)
	require.NoError(t, s.Close())
}

// spooler is a victim whose database may be away: it says each call that was finished, until it is killed.
func spooler(path, at string) error {
	s, err := Open(context.Background(), Options{Path: path, URL: at, LadderKeep: 100 * 365 * 24 * time.Hour})
	if err != nil {
		return err
	}
	s.Begin(storetest.Begun("open", storetest.Day))
	for i := 0; ; i++ {
		id := fmt.Sprintf("call-%06d", i)
		s.Trace(id, said(1))
		if err := s.Finish(context.Background(), storetest.Full(id)); err != nil {
			return err
		}
		_, _ = os.Stdout.WriteString(id + "\n")
	}
}

// TestKilledWhileSpooling: kill -9 between the spool and the database. What was said to be finished is written by the
// next start, once, and what was open is closed.
func TestKilledWhileSpooling(t *testing.T) {
	pg := testkit.StartPostgres(t)
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprint("away=", away), func(t *testing.T) {
			at, path := pg.Database(t), filepath.Join(t.TempDir(), "calls.db")
			if away {
				pg.Stop()
			}
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), victimEnv+"="+path, victimURL+"="+at)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewReader(out)
			for range 50 {
				_, err := lines.ReadString('\n')
				require.NoError(t, err)
			}
			require.NoError(t, cmd.Process.Kill())
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			require.Error(t, cmd.Wait(), "it was killed")
			if away {
				pg.Start(t)
			}
			s := openNode(t, at, Options{Path: path, LadderKeep: 100 * 365 * 24 * time.Hour})
			settled(t, s)
			f := &stream{t: t, s: s, name: "call", calls: 50 + strings.Count(string(rest), "\n")}
			if _, err := s.Get(t.Context(), fmt.Sprintf("call-%06d", f.calls)); err == nil {
				f.calls++ // durable, but it had no time to say so
			}
			lost, err := pg.SQL(at, "SELECT id FROM calls WHERE finished = 0")
			require.NoError(t, err)
			require.Empty(t, lost)
			ids, err := pg.SQL(at, "SELECT call FROM ladders ORDER BY id")
			require.NoError(t, err)
			if len(ids) == f.calls+1 { // of a call whose end was not durable yet
				_, err := pg.SQL(at, "DELETE FROM ladders WHERE call = '"+ids[f.calls]+"'")
				require.NoError(t, err)
			}
			f.once(pg, at)
			open, err := s.Get(t.Context(), "open")
			require.NoError(t, err)
			require.Equal(t, call.ReasonCrash, open.Reason)
		})
	}
}
