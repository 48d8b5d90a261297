package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hotline/call"
)

// ErrOlder says that the database was written by an earlier version, and never opened by this one.
var ErrOlder = errors.New("record database is of an earlier version")

// AmbiguousError says that several calls begin with what was asked for.
type AmbiguousError struct {
	Prefix string
	// Some of them, the newest first.
	Some []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("several calls begin with %q: %s", e.Prefix, strings.Join(e.Some, ", "))
}

// Reader reads a record database, and never writes it. Its methods may be called from any goroutine.
type Reader struct {
	read       *sql.DB
	ladderKeep time.Duration
	clock      func() time.Time
}

// OpenReader opens a database that is there to be read, also while another process writes it: it takes no
// lock of the data folder. ladderKeep is for how long SIP messages are shown. Errors: one that wraps
// fs.ErrNotExist, ErrOlder, ErrNewer, ErrDamaged, or the system's, naming the file.
func OpenReader(ctx context.Context, path string, ladderKeep time.Duration) (_ *Reader, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find record database: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("find record database: %w", err)
	}
	r := &Reader{ladderKeep: ladderKeep, clock: time.Now}
	if r.read, err = openDB(path, reading); err != nil {
		return nil, explain(path, fmt.Errorf("open for reading: %w", err))
	}
	if err := r.checkSchema(ctx); err != nil {
		return nil, explain(path, errors.Join(err, r.Close()))
	}
	return r, nil
}

// Close closes the database.
func (r *Reader) Close() error { return r.read.Close() }

// checkSchema compares the database's schema with the newest that this program knows.
func (r *Reader) checkSchema(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}
	knows := len(files) // they are numbered without gaps: TestMigrationsAreNumbered
	var tables, has int
	err = r.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master WHERE name = 'goose_db_version'`).Scan(&tables)
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	if tables > 0 {
		err = r.read.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&has)
		if err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
	}
	switch {
	case has > knows:
		return fmt.Errorf("%w: schema %d, this program knows %d", ErrNewer, has, knows)
	case has < knows:
		return fmt.Errorf("%w: schema %d, this program wants %d; the next start of the hotline brings it up to date", ErrOlder, has, knows)
	}
	return nil
}

// Last returns the id of the call that began last. Errors: call.ErrNotFound.
func (r Reader) Last(ctx context.Context) (id string, err error) {
	err = r.read.QueryRowContext(ctx, `SELECT id FROM calls ORDER BY started DESC, id DESC LIMIT 1`).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", call.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("find the last call: %w", err)
	}
	return id, nil
}

// Find returns the id of the one call whose id begins with prefix. Errors: call.ErrNotFound,
// *AmbiguousError.
func (r Reader) Find(ctx context.Context, prefix string) (id string, err error) {
	const some = 5
	rows, err := r.read.QueryContext(ctx,
		`SELECT id FROM calls WHERE id >= ?1 AND id < ?1 || char(1114111) ORDER BY id = ?1 DESC, started DESC LIMIT ?2`, prefix, some)
	if err != nil {
		return "", fmt.Errorf("find call %s: %w", prefix, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return "", fmt.Errorf("find call %s: %w", prefix, err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return "", fmt.Errorf("find call %s: %w", prefix, err)
	}
	switch {
	case len(ids) == 0:
		return "", call.ErrNotFound
	case len(ids) > 1 && ids[0] != prefix:
		return "", &AmbiguousError{Prefix: prefix, Some: ids}
	}
	return ids[0], nil
}
