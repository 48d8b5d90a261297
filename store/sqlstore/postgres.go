package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"go.uber.org/zap"
)

// The advisory locks that nodes keep each other out by, in the database: our name, and what for.
const (
	lockMigrating = `SELECT pg_advisory_lock(1752134764, 1)`
	lockAlone     = `SELECT pg_advisory_xact_lock(1752134764, 2)`
)

// pgPatience is how long PostgreSQL may take to connect, or for one doing.
const pgPatience = 5 * time.Second

var postgresDialect = dialect{
	goose: goose.DialectPostgres, folder: "migrations/postgres", dollars: true,
	tables: `SELECT COUNT(to_regclass(?))`, alone: lockAlone, within: pgPatience, spoilt: true,
	away: pgAway, refused: pgRefused,
}

// ErrURL is returned for what is no URL of a PostgreSQL database.
var ErrURL = errors.New("not a URL of a PostgreSQL database, such as postgres://USER:PASSWORD@HOST:5432/DATABASE")

// Most connections to PostgreSQL of one kind: each is a process of its server.
const pgConns = 4

// openPG makes connections when they are needed. What the URL leaves out is taken from the environment, as libpq does
// (PGHOST, PGPASSWORD, PGPASSFILE and so on). Errors: ErrURL, which does not tell the URL: it may have a password.
func openPG(url string, reading bool) (*sql.DB, error) {
	c, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, ErrURL
	}
	if c.ConnectTimeout == 0 || c.ConnectTimeout > pgPatience {
		c.ConnectTimeout = pgPatience
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "hotline"
	}
	if reading {
		c.RuntimeParams["default_transaction_read_only"] = "on"
	}
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(pgConns)
	db.SetMaxIdleConns(pgConns)
	return db, nil
}

// CheckURL reports what is wrong with a URL, without connecting. Errors: ErrURL.
func CheckURL(url string) error {
	if _, err := pgx.ParseConfig(url); err != nil {
		return ErrURL
	}
	return nil
}

// migrateAlone brings the schema to this version's, while no other node does. Errors: ErrNewer.
func migrateAlone(ctx context.Context, db *sql.DB) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, lockMigrating); err != nil {
		return fmt.Errorf("wait for another node's migration: %w", err)
	}
	err = postgresDialect.migrate(ctx, db)
	// Also when ctx is done, or the lock would go back among the connections. One that does not answer is not kept.
	ctx, over := postgresDialect.bounded(context.WithoutCancel(ctx))
	defer over()
	_, lost := conn.ExecContext(ctx, `SELECT pg_advisory_unlock_all()`)
	if err == nil && lost != nil {
		return fmt.Errorf("let other nodes migrate: %w", lost)
	}
	return err
}

// class is the class of a PostgreSQL error (its code's first two characters), empty for one that is not the server's.
func class(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) || len(e.Code) != 5 {
		return ""
	}
	return e.Code[:2]
}

// pgAway: any error that is not the server's own word on what it was asked, and of those the ones by which it serves
// nobody, or nobody who writes (PostgreSQL, appendix A).
func pgAway(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrNoRows) {
		return false
	}
	switch class(err) {
	case "08", // connection exception
		"25", // invalid transaction state: a replica is read-only
		"28", // invalid authorization
		"3D", // no such database
		"53", // insufficient resources: disk full, too many connections
		"57", // operator intervention: shutting down, starting
		"58": // system error
		return true
	case "":
		return pgBroken(err)
	}
	return false
}

// pgBroken reports whether an error is of the way to the server.
func pgBroken(err error) bool {
	for _, is := range []error{
		context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone,
	} {
		if errors.Is(err, is) {
			return true
		}
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}

// pgRefused reports whether a row was refused for what it is.
func pgRefused(err error) bool {
	switch class(err) {
	case "21", // cardinality violation
		"22", // data exception
		"23", // integrity constraint violation
		"54": // program limit exceeded
		return true
	}
	return false
}

// spoolFolder is in the data folder.
const spoolFolder = "spool"

// openURL opens the spool, and the connections to a PostgreSQL database, which need not serve now.
func (s *Store) openURL(ctx context.Context, dir string) (err error) {
	s.dialect = &postgresDialect
	if s.write, err = openPG(s.o.URL, false); err != nil {
		return err
	}
	if s.read, err = openPG(s.o.URL, true); err != nil {
		return err
	}
	if s.spool, err = openSpool(dir, s.o.Logger); err != nil {
		return err
	}
	s.node, s.settled, s.settle, s.queue.ended = s.spool.node, s.settledHere, settleWithin, newRecent()
	start := entry{At: s.o.Clock().UnixNano(), Began: &began{}}
	if alive := s.lock.alive; !alive.IsZero() {
		start.Began.Alive = alive.UnixNano()
	}
	if err := s.spool.append([]*row{rowOf(start)}); err != nil {
		return err
	}
	err = s.prepare(ctx, firstMigrateWithin)
	s.up.Store(err == nil)
	if errors.Is(err, ErrNewer) {
		return err
	}
	if err != nil {
		s.o.Logger.Error("the database of call records does not serve; records wait in the spool", zap.Error(err))
	}
	return nil
}

// OpenURLReader opens a PostgreSQL database to be read, as OpenReader does a file. Errors: ErrURL, ErrOlder, ErrNewer,
// call.ErrUnavailable.
func OpenURLReader(ctx context.Context, url string, ladderKeep time.Duration) (_ *Reader, err error) {
	r := &Reader{dialect: &postgresDialect, ladderKeep: ladderKeep, clock: time.Now}
	if r.read, err = openPG(url, true); err != nil {
		return nil, err
	}
	if err := r.checkSchema(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}
