package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/sqlstore"
)

// taken takes a port until the test's end.
func taken(t *testing.T, network string) (address string) {
	t.Helper()
	var lc net.ListenConfig
	if network == "udp" {
		c, err := lc.ListenPacket(t.Context(), network, anyPort)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		return c.LocalAddr().String()
	}
	l, err := lc.Listen(t.Context(), network, anyPort)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l.Addr().String()
}

// occupied is a path at which a file stands where a folder is wanted.
func occupied(t *testing.T, elems ...string) string {
	t.Helper()
	path := filepath.Join(elems...)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte("not a folder"), 0o600))
	return path
}

// readOnly is a folder in which no file can be made: by its mode, or, for root, to whom modes mean
// nothing, because it is one of the kernel's.
func readOnly(t *testing.T, path string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		require.NoError(t, os.Mkdir(path, 0o500))
		return path
	}
	require.NoError(t, os.Symlink("/proc/self", path))
	return path
}

// TestCannotStart: each thing that is in the way is named, nothing is left running (TestMain looks), and
// what was in the data folder before is there afterwards.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	for name, arrange := range map[string]func(t *testing.T, s *premises) (named string){
		"SIP's UDP port in use": func(t *testing.T, s *premises) string {
			t.Helper()
			s.sip = taken(t, "udp")
			return s.sip
		},
		"SIP's TCP port in use": func(t *testing.T, s *premises) string {
			t.Helper()
			s.sip = taken(t, "tcp")
			return s.sip
		},
		"HTTP's port in use": func(t *testing.T, s *premises) string {
			t.Helper()
			s.http = taken(t, "tcp")
			return s.http
		},
		"data is a file": func(t *testing.T, s *premises) string {
			t.Helper()
			s.data = occupied(t, s.data, "file")
			return s.data
		},
		"data cannot be made": func(t *testing.T, s *premises) string {
			t.Helper()
			s.data = filepath.Join(occupied(t, s.data, "file"), "below")
			return s.data
		},
		"recordings is a file": func(t *testing.T, s *premises) string {
			t.Helper()
			return occupied(t, s.data, "recordings")
		},
		"recordings cannot be written": func(t *testing.T, s *premises) string {
			t.Helper()
			return readOnly(t, filepath.Join(s.data, "recordings"))
		},
		"no room for a call": func(_ *testing.T, s *premises) string {
			s.ports = "20000-20001"
			return "media.ports"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			kept := furnish(t, data)
			s := premises{data: data}
			named := arrange(t, &s)
			code, out, complaints := command(t, "serve", "--config", s.file(t))
			require.Equal(t, exitFault, code)
			require.Contains(t, complaints, named)
			require.NotContains(t, out, "is answering")
			require.Equal(t, kept, onlyRecord(t, data))
		})
	}
}

// TestSecondProcess: of two hotlines with one data folder the second does not start, and the first does
// not feel it.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	s := serve(t)
	code, _, complaints := command(t, "serve", "--config", premises{data: s.data}.file(t))
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, "in use by another process")
	require.Contains(t, complaints, s.data)
	require.Contains(t, complaints, fmt.Sprint(os.Getpid()), "who holds it")
	status, _ := s.get("/readyz", "")
	require.Equal(t, http.StatusOK, status)
	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
}

// furnish makes a data folder with a call's record in it.
func furnish(t *testing.T, data string) call.Record {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Options{Path: filepath.Join(data, "hotline.db")})
	require.NoError(t, err)
	now := time.Now().Truncate(time.Millisecond)
	r := call.Record{ID: "one", From: "13900001234", To: "96777", Started: now, Ended: &now, Result: call.Answered}
	db.Begin(r)
	require.NoError(t, db.Finish(t.Context(), r))
	require.NoError(t, db.Close())
	return onlyRecord(t, data)
}
