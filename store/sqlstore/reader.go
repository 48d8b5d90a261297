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
	"unicode"

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
	*dialect
	read       *sql.DB
	ladderKeep time.Duration
	clock      func() time.Time
	node       string                          // that writes; '' for SQLite's one
	settled    func(ctx context.Context) error // waits for what this process has yet to write; nil: it need not
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
	r := &Reader{dialect: &sqliteDialect, ladderKeep: ladderKeep, clock: time.Now}
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
	files, err := fs.Glob(migrations, r.folder+"/*.sql")
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}
	knows := len(files) // they are numbered without gaps: TestMigrationsAreNumbered
	var tables, has int
	if err := r.one(ctx, "read schema", r.tables, []any{"goose_db_version"}, &tables); err != nil {
		return err
	}
	if tables > 0 {
		err := r.one(ctx, "read schema version", `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`, nil, &has)
		if err != nil {
			return err
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
	err = r.one(ctx, "find the last call", `SELECT id FROM calls ORDER BY started DESC, id DESC LIMIT 1`, nil, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", call.ErrNotFound
	}
	return id, err
}

// Find returns the id of the one call whose id begins with prefix. Errors: call.ErrNotFound,
// *AmbiguousError.
func (r Reader) Find(ctx context.Context, prefix string) (string, error) {
	const some = 5
	prefix = clean(prefix)
	var ids []string
	err := r.each(ctx, "find call "+prefix,
		`SELECT id FROM calls WHERE id >= ?1 AND id < ?2 ORDER BY id = ?1 DESC, started DESC LIMIT ?3`,
		[]any{prefix, prefix + string(unicode.MaxRune), some}, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", call.ErrNotFound
	case len(ids) > 1 && ids[0] != prefix:
		return "", &AmbiguousError{Prefix: prefix, Some: ids}
	}
	return ids[0], nil
}

// each calls scan for each row of an answer. doing is what an error says was done. Errors: call.ErrUnavailable when
// the database does not serve now.
func (r Reader) each(ctx context.Context, doing, query string, args []any, scan func(rows *sql.Rows) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", doing, r.explained(err))
		}
	}()
	ctx, done, err := r.asking(ctx)
	if err != nil {
		return err
	}
	defer done()
	rows, err := r.read.QueryContext(ctx, r.sql(query), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads the one row of an answer. Errors: sql.ErrNoRows, and as for each.
func (r Reader) one(ctx context.Context, doing, query string, args []any, dest ...any) error {
	ctx, done, err := r.asking(ctx)
	if err == nil {
		defer done()
		err = r.read.QueryRowContext(ctx, r.sql(query), args...).Scan(dest...)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, r.explained(err))
	}
	return nil
}

// asking bounds a question, and has it asked once this process' own writing is done, as far as that may be waited for.
func (r Reader) asking(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if r.settled != nil {
		if err := r.settled(ctx); err != nil {
			return nil, nil, err
		}
	}
	ctx, done := r.bounded(ctx)
	return ctx, done, nil
}
