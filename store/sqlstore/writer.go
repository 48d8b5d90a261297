package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// How long the writer waits before it tries a refused transaction again: doubling between these.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// manyWaiting rows in the queue are worth a line in the log: at 50 calls/s, over a minute of them.
const manyWaiting = 10_000

// put queues a row, and says once in the log that too many wait.
func (s *Store) put(r *row) (*row, error) {
	placed, waiting, err := s.queue.put(r)
	if waiting >= s.many && s.crowded.CompareAndSwap(false, true) {
		s.o.Logger.Error("call records wait in memory for the database", zap.Int("waiting", waiting))
	}
	return placed, err
}

// writeAll is the writer goroutine. It ends when the queue is closed and empty, or soon after ctx is
// done because Close gave up.
func (s *Store) writeAll(ctx context.Context) {
	if s.spool != nil {
		defer s.spool.end()
	}
	for open := true; open; {
		<-s.queue.wake
		var rows []*row
		if rows, open = s.queue.take(); len(rows) == 0 {
			continue
		}
		err := s.commitUntilDone(ctx, rows)
		if err != nil {
			for _, r := range rows {
				r.err = fmt.Errorf("%w: %w", ErrClosed, err)
			}
			s.lost += len(rows)
			s.o.Logger.Error("call records lost at close", zap.Int("rows", len(rows)), zap.Error(err))
		}
		s.queue.settled()
		s.crowded.Store(false)
		for _, r := range rows {
			close(r.done)
		}
	}
}

// persist makes rows durable, all or none.
func (s *Store) persist(ctx context.Context, rows []*row) error {
	for _, r := range rows {
		if err := s.pack(r); err != nil { // it was JSON a moment ago
			r.err = errors.Join(err, ErrFault)
		}
	}
	if s.spool != nil {
		return s.spool.append(rows)
	}
	return s.commit(ctx, rows, turn{})
}

// commitUntilDone makes the rows durable, again and again until it succeeds. The error is
// the database's last one, or the disk's, once ctx is done.
func (s *Store) commitUntilDone(ctx context.Context, rows []*row) error {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		began := time.Now()
		err := s.persist(ctx, rows)
		if s.spool == nil {
			s.metrics.committed(time.Since(began), len(rows), err)
		}
		if err == nil {
			return nil
		}
		if wait == firstRetry || wait == lastRetry { // else once for each doubling: the operator has seen it
			s.o.Logger.Error("call records not written; they wait and are tried again",
				zap.Int("rows", len(rows)), zap.Duration("again_in", wait), zap.Error(err))
		}
		retry := time.NewTimer(wait)
		select {
		case <-retry.C:
		case <-ctx.Done():
			retry.Stop()
			return err
		}
	}
}

// commit writes the rows in one transaction. A row that can never be written (its own content is
// refused) is marked so and does not hold up the others. One that panics is marked too, but what it left of
// the transaction is not trusted: that is undone and begun again without it; so is one that the refusal has spoilt.
func (s *Store) commit(ctx context.Context, rows []*row, t turn) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := t.do(ctx, tx, t.first); err != nil {
		return errors.Join(err, rollback(tx))
	}
	for _, r := range rows {
		if s.spoils(r.err) || errors.Is(r.err, errDone) {
			continue
		}
		r.err = s.writeRow(ctx, tx, r)
		if s.spoils(r.err) {
			if err := rollback(tx); err != nil {
				return fmt.Errorf("undo: %w", err)
			}
			return s.commit(ctx, rows, t)
		}
		if r.err != nil && !s.ownFault(r.err) {
			return errors.Join(r.err, rollback(tx))
		}
	}
	if err := t.do(ctx, tx, t.last); err != nil {
		return errors.Join(err, rollback(tx))
	}
	if err := tx.Commit(); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), rollback(tx))
	}
	s.complain(rows)
	return nil
}

// turn is what else is done in a transaction, before its rows (they may be marked with errDone) and after them; either
// may be nil.
type turn struct {
	first, last func(ctx context.Context, tx *sql.Tx) error
}

func (turn) do(ctx context.Context, tx *sql.Tx, what func(ctx context.Context, tx *sql.Tx) error) error {
	if what == nil {
		return nil
	}
	return what(ctx, tx)
}

// complain logs what was refused of rows committed; a panic has its line.
func (s *Store) complain(rows []*row) {
	for _, r := range rows {
		if r.err != nil && !errors.Is(r.err, ErrFault) && !errors.Is(r.err, errDone) {
			s.o.Logger.Warn("call record refused", zap.String("call", r.Call), zap.Bool("finished", r.Finished), zap.Error(r.err))
		}
	}
}

// writeRow writes one row. Errors: call.ErrFinished, ErrFault, or the database's. The text is
// prepared anew for each row: what database/sql locks for a prepared statement in a transaction it does not
// let go of when there is a panic.
func (s *Store) writeRow(ctx context.Context, tx *sql.Tx, r *row) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.o.Logger.Error("panic contained: call record dropped", zap.String("call", r.Call),
				zap.Bool("finished", r.Finished), zap.Any("panic", v), zap.Stack("stack"))
			s.o.OnPanic("store: write row", v)
			err = fmt.Errorf("write row of call %s: %w: %v", r.Call, ErrFault, v)
		}
	}()
	ctx, over := s.bounded(ctx)
	defer over()
	switch {
	case r.Ladder != nil:
		return s.insertLadder(ctx, tx, r)
	case r.Shift != nil:
		return s.writeShift(ctx, tx, *r.Shift, r.At)
	case r.Coded != nil:
		return s.annotate(ctx, tx, r.Call, r.Coded.Agent, r.Coded.Code)
	case r.Began != nil:
		_, err := s.recover(ctx, tx, instant(r.Began.Alive))
		return err
	}
	return s.upsert(ctx, tx, r)
}

// upsert inserts or updates a call's row. Errors: call.ErrFinished, or the database's.
func (s *Store) upsert(ctx context.Context, tx *sql.Tx, r *row) error {
	done, err := tx.ExecContext(ctx, s.sql(upsertSQL), r.args...)
	if err := changedOne(done, err, call.ErrFinished); err != nil {
		return fmt.Errorf("write row of call %s: %w", r.Call, err)
	}
	return nil
}

// rollback ends a transaction whose commit failed; database/sql may hold it for done already.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}
