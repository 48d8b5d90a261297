package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// servePostgres serves premises whose records are in PostgreSQL.
func servePostgres(t *testing.T, url string) *serving {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	file := premises{data: data}.file(t)
	add(t, file, fmt.Sprintf("records: %q\n", url))
	p := start(t, "serve", "--config", file, "--log-format", "json")
	p.says(t, "Ctrl-C")
	return servingOf(t, p, data)
}

// TestDatabaseAwayAtStart: the hotline serves calls without its database, says so, and the records are there when the
// database is.
func TestDatabaseAwayAtStart(t *testing.T) {
	t.Parallel()
	pg := testkit.StartPostgres(t)
	url := pg.Database(t)
	pg.Stop()
	s := servePostgres(t, url)
	status, _ := s.get("/readyz", "")
	require.Equal(t, http.StatusOK, status, "calls are taken")
	for _, path := range []string{"/api/v1/calls", "/api/v1/calls/none", "/api/v1/outages"} {
		status, body := s.get(path, supervisorToken)
		require.Equal(t, http.StatusServiceUnavailable, status, path)
		require.Contains(t, body, "the database of call records does not answer; calls go on", path)
	}
	s.until("/metrics", "hotline_store_database_up 0")
	leg := telephones(t, s.sip).ring(t)
	leg.Hangup(call.CauseBye)
	require.Contains(t, s.err.String(), "the database of call records does not serve; records wait in the spool")

	pg.Start(t)
	s.until("/api/v1/calls", `"from":"13900001234"`)
	s.until("/metrics", "hotline_store_database_up 1")
	s.until("/metrics", "hotline_store_spooled_entries 0")
	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
	require.NotContains(t, s.err.String(), testkit.PostgresPassword)
	kept, err := pg.SQL(url, "SELECT COUNT(*), SUM(finished) FROM calls")
	require.NoError(t, err)
	require.Equal(t, []string{"1|1"}, kept)
}

// TestReadersOfPostgres: commands that read records find them there, while the hotline runs.
func TestReadersOfPostgres(t *testing.T) {
	t.Parallel()
	pg := testkit.StartPostgres(t)
	url := pg.Database(t)
	s := servePostgres(t, url)
	leg := telephones(t, s.sip).ring(t)
	leg.Hangup(call.CauseBye)
	s.until("/api/v1/calls", `"from":"13900001234"`)
	file := premises{data: s.data}.file(t)
	add(t, file, fmt.Sprintf("records: %q\n", url))
	testkit.Within(t, patience, "the call's messages to be kept", func() bool {
		code, out, _ := command(t, "trace", "--config", file, "last")
		return code == exitOK && len(out) > 0
	})
	_, out, _ := command(t, "trace", "--config", file, "last")
	require.Contains(t, out, "INVITE")
}

// TestCheckRecords: what is wrong with a URL is told, and not the URL.
func TestCheckRecords(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"postgres://u:hidden@127.0.0.1/db?sslmode=perhaps":              "records: what PostgreSQL's driver does not take",
		"mysql://u:hidden@127.0.0.1/db":                                 "records: not such a URL",
		"${HOTLINE_NOT_SET}":                                            "records: nothing, or what is not set",
		"postgresql://u:hidden@127.0.0.1:5432/db?sslmode=require":       "",
		"postgres://u:hidden@a:5432,b:5432/db?target_session_attrs=any": "",
	} {
		file := premises{}.file(t)
		add(t, file, fmt.Sprintf("records: %q\n", url))
		code, _, complaints := command(t, "check", file)
		require.Equal(t, want == "", code == exitOK, complaints)
		require.Contains(t, complaints, want)
		require.NotContains(t, complaints, "hidden")
	}
}

// add appends a line to a configuration.
func add(t *testing.T, file, line string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(text, line...), 0o600))
}
