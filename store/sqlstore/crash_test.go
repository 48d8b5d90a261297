package sqlstore

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/storetest"
)

// victimEnv makes the test binary the process that is killed: its value is the database's path.
const victimEnv = "HOTLINE_TEST_VICTIM"

// victimURL makes it one that spools for a PostgreSQL database.
const victimURL = "HOTLINE_TEST_VICTIM_URL"

// victim leaves calls open in each state a call can be in, says so, and waits to be killed.
func victim(path string) error {
	s, err := Open(context.Background(), Options{
		Path: path, LadderKeep: time.Hour, Clock: func() time.Time { return storetest.Day },
	})
	if err != nil {
		return err
	}
	s.Trace("finished", said(2))
	s.Begin(storetest.Begun("menu", storetest.Day))
	waiting := storetest.Begun("waiting", storetest.Day)
	waiting.Queue = "repair"
	waiting.Visits = []call.Visit{{Queue: "repair", Entered: storetest.Day.Add(time.Second)}}
	waiting.Offers = []call.Offer{{Agent: "8002", Sent: storetest.Day.Add(2 * time.Second)}}
	s.Update(waiting)
	s.Update(talking())
	if err := s.Finish(context.Background(), storetest.Full("finished")); err != nil {
		return err
	}
	_, _ = os.Stdout.WriteString("ready\n")
	select {}
}

// talking is a call that an agent talks to, the caller on hold.
func talking() call.Record {
	r := storetest.Full("talking")
	r.Ended, r.Result, r.Reason, r.Release, r.Recording = nil, "", "", "", "talking.wav"
	r.Talks[0].Ended, r.Talks[0].Release, r.Talks[0].Holds[0].To = nil, "", nil
	r.TalkMet, r.TalkSeconds, r.HoldSeconds = nil, 0, 0
	return r
}

// kill -9: what was said to be finished is there, and what was open is closed, once.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.db")
	began := time.Now().Add(-time.Second) // a file's time is coarse
	died := killVictim(t, path)

	derived := 0
	s := open(t, Options{Path: path, Derive: func(r *call.Record) {
		derived++
		if r.ID == "talking" {
			r.TalkSeconds = r.Ended.Sub(r.Talks[0].Answered).Seconds()
		}
	}})
	require.Equal(t, 3, s.Recovered())
	require.Equal(t, 3, derived)

	finished, err := s.Get(t.Context(), "finished")
	require.NoError(t, err)
	storetest.Equal(t, storetest.Full("finished"), finished)
	for id, result := range map[string]call.Result{"menu": call.Failed, "waiting": call.Failed, "talking": call.Answered} {
		r, err := s.Get(t.Context(), id)
		require.NoError(t, err, id)
		require.Equal(t, result, r.Result, id)
		require.Equal(t, call.ReasonCrash, r.Reason, id)
		require.Equal(t, call.BySystem, r.Release, id)
		require.WithinRange(t, *r.Ended, began, died, id)
	}
	r, err := s.Get(t.Context(), "waiting")
	require.NoError(t, err)
	require.True(t, r.Ended.Equal(*r.Visits[0].Left))
	require.True(t, r.Ended.Equal(*r.Offers[0].Ended))
	r, err = s.Get(t.Context(), "talking")
	require.NoError(t, err)
	require.Equal(t, "talking.wav", r.Recording)
	require.True(t, r.Ended.Equal(*r.Talks[0].Ended))
	require.True(t, r.Ended.Equal(*r.Talks[0].Holds[0].To))
	require.InDelta(t, r.Ended.Sub(r.Talks[0].Answered).Seconds(), r.TalkSeconds, 1e-6)
	require.ErrorIs(t, s.Finish(t.Context(), storetest.Full("menu")), call.ErrFinished)

	require.NoError(t, s.Close())
	again := open(t, Options{Path: path})
	require.Zero(t, again.Recovered(), "closed once and for all")
}

// killVictim runs the test binary as a victim, kills it, and returns when it died.
func killVictim(t *testing.T, path string) time.Time {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)

	_, err = Open(t.Context(), Options{Path: path})
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, fmt.Sprintf("process %d", cmd.Process.Pid))

	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait(), "it was killed")
	return time.Now()
}

// Files copied while calls are written open as well: what a copy holds is whole rows.
func TestCopiedMidway(t *testing.T) {
	dir, dest := t.TempDir(), t.TempDir()
	s := open(t, Options{Path: filepath.Join(dir, "calls.db")})
	for i := range 20 {
		require.NoError(t, s.Finish(t.Context(), storetest.Full(fmt.Sprint(i))))
	}
	s.Update(talking())
	require.NoError(t, s.Finish(t.Context(), storetest.Full("last")))
	for _, name := range []string{"calls.db", "calls.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dest, name), data, 0o600))
	}
	copied := open(t, Options{Path: filepath.Join(dest, "calls.db")})
	require.Equal(t, 1, copied.Recovered())
	page, _, err := copied.List(t.Context(), call.Query{})
	require.NoError(t, err)
	require.Len(t, page, 22)
}

// The lock file's time is when the process was last alive.
func TestHeartbeat(t *testing.T) {
	dir := t.TempDir()
	l, err := lockFolder(dir)
	require.NoError(t, err)
	require.True(t, l.alive.IsZero(), "nobody was here before")
	lived := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes(l.file.Name(), lived, lived))
	require.NoError(t, l.release())
	l, err = lockFolder(dir)
	require.NoError(t, err)
	require.True(t, lived.Equal(l.alive))
	require.NoError(t, l.release())
}
