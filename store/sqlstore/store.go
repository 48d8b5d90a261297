// Package sqlstore keeps call records, and for a while what calls said by SIP, in SQLite or in PostgreSQL, so that one
// which was said to be written survives kill -9 and loss of power, and so that no call ever waits for the database, or
// for more than a flush of the local disk.
//
// It implements call.Records and call.Ladders, call.Bookings and call.Outages, and the reading port of package web.
// Statements are written once; what differs between the databases is in a dialect.
//
// # SQLite
//
// One process, one file (WAL, synchronous=FULL). While it cannot be written (disk full, I/O error) rows wait in memory,
// in order, and are tried again; the calls are not touched. Memory is the only bound of that queue.
//
// # PostgreSQL
//
// Several nodes write one database. What a node has to write goes into its spool first, a folder of files beside the
// lock: what is flushed there is durable, and Finish returns. A second goroutine writes the spool's entries to the
// database, in order and in transactions, and each transaction notes how far it came; so each entry is written exactly once,
// however often a connection is cut between a commit and its answer. While the database is away, at the start too,
// entries wait; while the disk is full, rows wait in memory as above. A damaged entry, or one that the database refuses for
// what it is, is set aside in a file, and those behind it go on.
//
// Of several nodes: a call's record is its node's, which a data folder names; so a start closes the calls that its own
// node left open, and no other's. The record of a call which was finished is never changed by another. Ladders belong
// to their calls, and any node deletes old ones. An agent's shift is the hotline's: of two choices the later counts,
// by the clocks of the nodes. Outages are the hotline's, and changed in the database itself, not by the spool: who
// changes one is told at once that the database is away. Callbacks likewise; but each is the business of the node where
// it was asked for, also over its restarts, so that nobody is called back by two. Migrations run under a lock.
// Records that a node left open whose data folder is lost stay open: nobody else can say when its calls ended.
//
// Goroutines: every exported method may be called from any goroutine. One goroutine, started by Open
// and waited for by Close, writes; it takes all rows queued meanwhile into one transaction or flush, so that a
// hundred calls cost a few flushes of the disk. With PostgreSQL another one writes what is in the spool. Readers use
// read-only connections of their own and wait for nobody, but for what this process has in its spool; a Reader does so
// from another process. One more goroutine touches the lock file each second: its time is when the process was last
// alive. Another deletes SIP messages that are old.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
)

// Errors that a caller tells apart.
var (
	// ErrClosed: the store is closed, or closed before the row could be written.
	ErrClosed = errors.New("record store is closed")
	// ErrLocked: another process works in the data folder.
	ErrLocked = errors.New("data folder is in use by another process")
	// ErrDamaged: the database file is not one, or is corrupt. It is left as it is.
	ErrDamaged = errors.New("record database is damaged")
	// ErrFault: the row met a fault of ours (a panic, contained), and was given up.
	ErrFault = errors.New("fault while a row was written")
	// ErrNewer: the database was written by a later version, which this one would harm.
	ErrNewer = errors.New("record database is of a later version")
)

// Options say where records are kept. Only Path is needed.
type Options struct {
	// Path of the database file. Its folder is made if need be, and locked against other processes. The
	// files are the owner's alone (mode 0600), as they hold telephone numbers.
	Path string
	// URL of a PostgreSQL database, to be used instead of a file; what it leaves out is taken from the environment, as
	// libpq does. The folder of Path is used as before, for the lock and the spool. A secret: it may have a password.
	URL string
	// Derive computes a record's derived fields again after a crash closed it; nil leaves them as
	// they were written last.
	Derive func(*call.Record)
	// LadderKeep is for how long what calls said by SIP is kept; 0 keeps nothing, and deletes what there is.
	LadderKeep time.Duration
	// CloseWithin bounds how long Close tries to write what is queued when the database refuses;
	// 0 means 5 s.
	CloseWithin time.Duration
	// Clock is the wall clock, for tests; nil means time.Now.
	Clock func() time.Time
	// OnPanic is told of each fault contained to one row, from the writer's goroutine; nil for none.
	OnPanic func(where string, v any)
	// Metrics takes the store's metrics; nil is silent.
	Metrics prometheus.Registerer
	// Logger; nil is silent.
	Logger *zap.Logger
}

func (o Options) withDefaults() Options {
	if o.CloseWithin <= 0 {
		o.CloseWithin = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Derive == nil {
		o.Derive = func(*call.Record) {}
	}
	if o.OnPanic == nil {
		o.OnPanic = func(string, any) {}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// Store keeps call records. Make one with Open.
type Store struct {
	o       Options
	metrics metrics
	lock    *folderLock
	write   *sql.DB // one connection, the writer's
	Reader
	queue     *queue
	many      int         // rows waiting that are worth a line in the log
	crowded   atomic.Bool // it was said, and they still wait
	recovered int
	packer    packer // the writer's
	spool     *spool // nil with SQLite
	service          // with a spool
	lost      int    // rows given up; the writer's until it has ended

	giveUp  context.CancelFunc // ends what Close waits for
	running sync.WaitGroup
	once    sync.Once
	closed  error
}

// Open opens or makes the database, brings it to this version's schema, and closes the records that a
// dead process left open; with PostgreSQL it does so as soon as that serves, and does not wait for it. Errors: ErrLocked,
// ErrDamaged, ErrNewer, ErrURL, or the system's, naming the file.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	o = o.withDefaults()
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("find record database %s: %w", o.Path, err)
	}
	s := &Store{
		o: o, metrics: newMetrics(), queue: newQueue(), many: manyWaiting,
		Reader: Reader{dialect: &sqliteDialect, ladderKeep: o.LadderKeep, clock: o.Clock},
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.lock, err = lockFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if o.URL == "" {
		err = s.openFile(ctx, path)
	} else {
		err = s.openURL(ctx, filepath.Join(filepath.Dir(path), spoolFolder))
	}
	if err != nil {
		return nil, err
	}
	if err = s.metrics.register(o.Metrics, s); err != nil {
		return nil, err
	}
	running, giveUp := context.WithCancel(context.WithoutCancel(ctx)) // what is queued outlives ctx
	s.giveUp = giveUp
	s.running.Go(func() { s.writeAll(running) })
	s.running.Go(func() { s.lock.beat(running, o.Logger) })
	s.running.Go(func() { s.expire(running) })
	if s.spool != nil {
		s.running.Go(func() { s.drainAll(running) })
	}
	return s, nil
}

// openFile opens or makes a SQLite database.
func (s *Store) openFile(ctx context.Context, path string) error {
	if err := keepPrivate(path); err != nil {
		return err
	}
	err := s.connect(ctx, path)
	if err == nil {
		err = s.transact(ctx, "close records left open", func(ctx context.Context, tx *sql.Tx) (err error) {
			s.recovered, err = s.recover(ctx, tx, s.lock.alive)
			return err
		})
	}
	if err != nil {
		return explain(path, err)
	}
	return nil
}

// connect opens the writer's and the readers' connections and migrates between the two.
func (s *Store) connect(ctx context.Context, path string) (err error) {
	if s.write, err = openDB(path, writing); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if err = s.migrate(ctx, s.write); err != nil {
		return err
	}
	if s.read, err = openDB(path, reading); err != nil {
		return fmt.Errorf("open for reading: %w", err)
	}
	return nil
}

// Recovered is how many records Open found left open by a dead process, and closed; with PostgreSQL they are closed
// after it, and logged.
func (s *Store) Recovered() int { return s.recovered }

// Begin implements call.Records.
func (s *Store) Begin(r call.Record) { s.later(r, "begin") }

// Update implements call.Records.
func (s *Store) Update(r call.Record) { s.later(r, "update") }

func (s *Store) later(r call.Record, doing string) {
	row, err := newRow(r, false, s.node, s.o.Clock())
	if err == nil {
		_, err = s.put(row)
	}
	if err != nil {
		s.o.Logger.Warn("call record not queued", zap.String("call", r.ID), zap.String("doing", doing), zap.Error(err))
	}
}

// Finish implements call.Records. Errors besides call.ErrFinished: ctx's (the record is still queued),
// ErrClosed, ErrFault, and the database's when it refuses this very row. With a spool, call.ErrFinished is known of the
// last finished calls of this process, in their thousands, and what the database refuses is set aside.
func (s *Store) Finish(ctx context.Context, r call.Record) error {
	row, err := newRow(r, true, s.node, s.o.Clock())
	if err == nil {
		row, err = s.put(row)
	}
	if err != nil {
		return fmt.Errorf("finish record of call %s: %w", r.ID, err)
	}
	select {
	case <-row.done:
	case <-ctx.Done():
		return fmt.Errorf("wait for record of call %s, which stays queued: %w", r.ID, context.Cause(ctx))
	}
	if row.err != nil {
		return fmt.Errorf("finish record of call %s: %w", r.ID, row.err)
	}
	return nil
}

// Close writes what is queued, for CloseWithin at the longest if the database refuses, and releases
// the folder. What stays in a spool is written after the next start. It returns an error that tells how many rows were not written. Idempotent.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.queue.close()
		deadline := time.AfterFunc(s.o.CloseWithin, s.giveUp)
		s.lock.rest()
		s.running.Wait()
		deadline.Stop()
		s.giveUp()
		if s.spool != nil {
			if waiting, age := s.spool.waiting(); waiting > 0 {
				s.o.Logger.Warn("entries wait in the spool for the next start", zap.Int("waiting", waiting), zap.Duration("oldest", age))
			}
		}
		if s.lost > 0 {
			s.closed = fmt.Errorf("close record database: %d rows could not be written", s.lost)
		}
		s.closed = errors.Join(s.closed, s.release())
	})
	return s.closed
}

// release lets go of whatever Open got hold of, last first.
func (s *Store) release() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	s.metrics.unregister(s.o.Metrics)
	errs = append(errs, s.spool.close())
	return errors.Join(append(errs, s.lock.release())...)
}
