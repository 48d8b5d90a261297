package sqlstore

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/store/storetest"
)

// atVersion makes a database of an earlier version, with statements carried out in it.
func atVersion(t *testing.T, version int64, statements ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "calls.db")
	db, err := openDB(path, writing)
	require.NoError(t, err)
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	require.NoError(t, err)
	_, err = p.UpTo(t.Context(), version)
	require.NoError(t, err)
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	require.NoError(t, db.Close())
	return path
}

// oldCall is a call that was answered, as version 6 kept it.
func oldCall(id, record string) string {
	const columns = `id, started, answered, ended, updated, finished, from_number, to_number, queue, agent, result, reason,
		released_by, rings, rings_met, wait, talk, talk_met, record`
	return `INSERT INTO calls (` + columns + `) VALUES ('` + id + `', 2, 3, 4, 4, 1, '', '', 'repair', '8001', 'answered', '', '', 1, 1, 7, 9, 1, '` + record + `')`
}

// TestMigrationKeepsRows: what version 6 held is there afterwards, the kinds of its calls are known, and no record
// that cannot be read stops the others.
func TestMigrationKeepsRows(t *testing.T) {
	path := atVersion(t, 6,
		oldCall("plain", `{"id":"plain","queue":"repair"}`),
		oldCall("back", `{"id":"back","queue":"repair","kind":"callback"}`),
		oldCall("null", `{"id":"null","kind":null}`),
		oldCall("list", `[]`),
		oldCall("damaged", `{"id":"dam`),
		oldCall("empty", ``),
		`INSERT INTO agent_shift (agent, paused, reason, since, out) VALUES ('8002', 1, '1', 0, '["repair"]')`,
	)
	s := open(t, Options{Path: path})
	kinds := map[string]string{"plain": "", "back": call.KindCallback, "null": "", "list": "", "damaged": "", "empty": ""}
	require.Equal(t, kinds, kindsOf(t, s.read))
	all, err := s.Summaries(t.Context(), time.Unix(0, 1), 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, 5, all["repair"].Offered, "who is called back was counted when they called")
	require.Equal(t, 6, all["repair"].RingsMet)
	shifts, err := s.Shifts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []call.Shift{{Agent: "8002", Paused: true, Reason: "1", Out: []string{"repair"}}}, shifts,
		"logged out of what was there then, and of nothing that comes")
	require.NoError(t, s.Finish(t.Context(), storetest.Full("new")))
	got, err := s.Get(t.Context(), "back")
	require.NoError(t, err)
	require.Equal(t, call.KindCallback, got.Kind)
}

// TestMigrationsGoBack: each is undone by its other half, and rows are kept as far as there is a place for them.
func TestMigrationsGoBack(t *testing.T) {
	path := atVersion(t, 6, oldCall("back", `{"id":"back","kind":"callback"}`))
	s := open(t, Options{Path: path})
	files, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	require.NoError(t, err)
	for _, version := range []int64{6, 0} {
		_, err = p.DownTo(t.Context(), version)
		require.NoError(t, err)
		_, err = p.Up(t.Context())
		require.NoError(t, err)
		require.Len(t, kindsOf(t, s.read), map[int64]int{6: 1, 0: 0}[version])
	}
}

// kindsOf are the kinds of calls, by id.
func kindsOf(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	kinds := make(map[string]string)
	rows, err := db.QueryContext(t.Context(), `SELECT id, kind FROM calls`)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var id, kind string
		require.NoError(t, rows.Scan(&id, &kind))
		kinds[id] = kind
	}
	require.NoError(t, rows.Err())
	return kinds
}
