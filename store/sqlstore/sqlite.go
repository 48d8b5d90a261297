package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql migrations/postgres/*.sql
var migrations embed.FS

var sqliteDialect = dialect{
	goose: goose.DialectSQLite3, folder: "migrations", covered: "INDEXED BY calls_by_start",
	tables: `SELECT COUNT(*) FROM sqlite_master WHERE name = ?`,
	away:   func(error) bool { return false }, refused: sqliteRefused,
}

// mode is what connections are for.
type mode struct {
	open     string // SQLite's URI parameter mode
	pragmas  []string
	txlock   string
	maxConns int
}

var (
	// writing: every commit is flushed (FULL), and a transaction takes the write lock at once.
	writing = mode{
		open:     "rwc",
		pragmas:  []string{"journal_mode(wal)", "synchronous(full)", "foreign_keys(1)", "busy_timeout(5000)"},
		txlock:   "immediate",
		maxConns: 1,
	}
	// reading never writes, and never keeps the writer waiting (WAL).
	reading = mode{
		open:     "ro",
		pragmas:  []string{"query_only(1)", "busy_timeout(5000)"},
		txlock:   "deferred",
		maxConns: 4,
	}
)

func openDB(path string, m mode) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"mode": {m.open}, "_pragma": m.pragmas, "_txlock": {m.txlock},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(m.maxConns)
	db.SetMaxIdleConns(m.maxConns)
	return db, nil
}

// migrate brings the schema to this version's. Errors: ErrNewer.
func (d *dialect) migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, d.folder)
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}
	p, err := goose.NewProvider(d.goose, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("load migrations: %w", err)
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if has > knows {
		return fmt.Errorf("%w: schema %d, this program knows %d", ErrNewer, has, knows)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema from version %d to %d: %w", has, knows, err)
	}
	return nil
}

// code is SQLite's primary result code of an error (its extended code without the upper bits),
// 0 for an error that is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// sqliteRefused reports whether a row was refused for what it is. SQLite has then undone the statement and the
// transaction goes on.
func sqliteRefused(err error) bool {
	c := code(err)
	return c == sqlite3.SQLITE_CONSTRAINT || c == sqlite3.SQLITE_MISMATCH || c == sqlite3.SQLITE_TOOBIG
}

// explain names the file, and for one that is damaged says what a person can do.
func explain(path string, err error) error {
	if c := code(err); c == sqlite3.SQLITE_CORRUPT || c == sqlite3.SQLITE_NOTADB {
		return fmt.Errorf("%w: %s: %w; nothing was deleted: to start with an empty one, move it aside with its "+
			"-wal and -shm, as in: mv %[2]s %[2]s.damaged; to save what it holds: sqlite3 %[2]s.damaged .recover",
			ErrDamaged, path, err)
	}
	return fmt.Errorf("record database %s: %w", path, err)
}
