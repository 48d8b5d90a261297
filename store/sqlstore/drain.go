package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

const (
	// pingEvery is how often the database is asked whether it serves, when there is nothing to write.
	pingEvery = 5 * time.Second
	// writeWithin bounds the writing of a batch.
	writeWithin = 20 * time.Second
	// settleWithin bounds how long a reader waits for what this node has yet to write.
	settleWithin = time.Second
	// migrateWithin bounds one try to bring the schema to this version's, also while another node does so;
	// firstMigrateWithin that at the start, which a stopped database must not hold up.
	migrateWithin      = 10 * time.Minute
	firstMigrateWithin = 20 * time.Second
	// spoolsKept is how long the database remembers how far a spool was written: much longer than a segment that was
	// written can be left behind by a crash, since the next start looks at it first.
	spoolsKept = 30 * 24 * time.Hour
)

// errDone marks an entry that the database has already: its commit was not answered.
var errDone = errors.New("already written")

// service is what is known of the database, and how long a reader waits for the spool.
type service struct {
	prepared atomic.Bool // its schema is this version's
	up       atomic.Bool // it did what it was asked last
	settle   time.Duration
}

// drainAll writes the spool's entries to the database, in order, and again and again until that succeeds. It ends when
// the spool has ended and is empty, or the database is away then, or ctx is done: what is left is there at the next start.
func (s *Store) drainAll(ctx context.Context) {
	for wait := firstRetry; ; {
		ended := s.spool.ended() // then this is the last time
		err := s.drain(ctx)
		s.serves(ctx, err)
		if ended || ctx.Err() != nil {
			return
		}
		pause, wake := pingEvery, s.spool.wake
		if err == nil {
			wait = firstRetry
		} else {
			pause, wake = wait, nil
			wait = min(2*wait, lastRetry)
		}
		again := time.NewTimer(pause)
		select {
		case <-wake:
		case <-again.C:
		case <-s.spool.over:
		case <-ctx.Done():
		}
		again.Stop()
	}
}

// serves notes whether the database serves, and says so when that changes.
func (s *Store) serves(ctx context.Context, err error) {
	waiting, age := s.spool.waiting()
	switch up := err == nil; {
	case s.up.Swap(up) == up && up, ctx.Err() != nil:
	case up:
		s.o.Logger.Info("the database of call records serves", zap.Int("waiting", waiting))
	default:
		s.o.Logger.Error("the database of call records does not serve; records wait in the spool",
			zap.Int("waiting", waiting), zap.Duration("oldest", age), zap.Error(err))
	}
}

// drain writes all entries that there are; without any it asks the database whether it serves.
func (s *Store) drain(ctx context.Context) error {
	if err := s.prepare(ctx, migrateWithin); err != nil {
		return err
	}
	for wrote := false; ; wrote = true {
		b, err := s.spool.next()
		if err != nil {
			return err
		}
		if b == nil && wrote {
			return nil
		}
		if b == nil {
			return s.ping(ctx)
		}
		began := time.Now()
		err = s.writeBatch(ctx, b)
		s.metrics.committed(time.Since(began), len(b.rows), err)
		if err != nil {
			return err
		}
		s.spool.done(b)
	}
}

func (s *Store) ping(ctx context.Context) error {
	ctx, done := s.bounded(ctx)
	defer done()
	if err := s.write.PingContext(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// prepare brings the schema to this version's, once.
func (s *Store) prepare(ctx context.Context, within time.Duration) error {
	if s.prepared.Load() {
		return nil
	}
	if err := s.ping(ctx); err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, within)
	defer done()
	if err := migrateAlone(ctx, s.write); err != nil {
		return err
	}
	s.prepared.Store(true)
	return nil
}

// writeBatch writes a batch in one transaction. How far its spool was written is changed in the same one, so that an
// entry whose commit was not answered is not written again. That is read under a lock of its row, which such a
// transaction has until it is over, one way or the other.
func (s *Store) writeBatch(ctx context.Context, b *batch) error {
	rows := b.rows[:0:0]
	for _, r := range b.rows {
		if err := s.unpackRow(r); err != nil {
			s.refuse(b, r, err)
			continue
		}
		rows = append(rows, r)
	}
	var newest uint64
	ctx, over := context.WithTimeout(ctx, writeWithin)
	defer over()
	first := func(ctx context.Context, tx *sql.Tx) error {
		applied, err := s.applied(ctx, tx, b.id)
		for _, r := range b.rows {
			if newest = max(newest, r.seq); r.seq <= applied {
				r.err = errDone
			}
		}
		return err
	}
	last := func(ctx context.Context, tx *sql.Tx) error {
		for _, r := range rows {
			if s.spoils(r.err) {
				s.refuse(b, r, r.err)
			}
		}
		if err := s.spool.setAside(b.aside); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, s.sql(`UPDATE spools SET applied = ? WHERE id = ? AND applied < ?1`), newest, b.id)
		return err
	}
	if err := s.commit(ctx, rows, turn{first, last}); err != nil {
		return err
	}
	s.metrics.aside.Add(float64(len(b.aside)))
	return nil
}

// unpackRow fills in what a record's row has besides its entry.
func (s *Store) unpackRow(r *row) error {
	if r.Record == nil {
		return nil
	}
	rec, err := decode(r.Record)
	if err == nil {
		r.columns(rec, s.node)
	}
	return err
}

// refuse sets an entry of a batch aside.
func (s *Store) refuse(b *batch, r *row, why error) {
	var line bytes.Buffer
	if err := addLine(&line, r.seq, r.entry); err != nil {
		why = errors.Join(why, err) // it was read as JSON
	}
	b.aside = append(b.aside, line.Bytes())
	s.o.Logger.Error("an entry of the spool is refused by the database for what it is, and is set aside",
		zap.String("call", r.Call), zap.Uint64("entry", r.seq), zap.String("aside", asideName), zap.Error(why))
}

// applied is the number of the last entry of a spool that the database has. Its row stays locked until tx is over.
func (s *Store) applied(ctx context.Context, tx *sql.Tx, id string) (applied uint64, err error) {
	now := s.o.Clock()
	_, err = tx.ExecContext(ctx, s.sql(`INSERT INTO spools (id, node, began, applied) VALUES (?, ?, ?, 0) ON CONFLICT (id) DO NOTHING`),
		id, s.node, now.UnixNano())
	if err == nil {
		err = tx.QueryRowContext(ctx, s.sql(`SELECT applied FROM spools WHERE id = ? FOR UPDATE`), id).Scan(&applied)
	}
	if err == nil && applied == 0 { // a start's first
		_, err = tx.ExecContext(ctx, s.sql(`DELETE FROM spools WHERE node = ? AND began < ?`), s.node, now.Add(-spoolsKept).UnixNano())
	}
	if err != nil {
		return 0, fmt.Errorf("find how far the spool was written: %w", err)
	}
	return applied, nil
}

// settledHere waits until the database has what this node has to write to it, so that who reads sees what they did,
// for settle at the longest. Errors: call.ErrUnavailable when the database was not there since the start.
func (s *Store) settledHere(ctx context.Context) error {
	if !s.prepared.Load() {
		return call.ErrUnavailable
	}
	if s.up.Load() {
		s.spool.wait(ctx, s.settle)
	}
	return nil
}
