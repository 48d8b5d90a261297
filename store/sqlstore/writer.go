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

// commitUntilDone writes the rows in one transaction, again and again until it succeeds. The error is
// the database's last one, once ctx is done.
func (s *Store) commitUntilDone(ctx context.Context, rows []*row) error {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		began := time.Now()
		err := s.commit(ctx, rows)
		s.metrics.committed(time.Since(began), len(rows), err)
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
// the transaction is not trusted: that is undone and begun again without it.
func (s *Store) commit(ctx context.Context, rows []*row) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, r := range rows {
		if errors.Is(r.err, ErrFault) {
			continue
		}
		r.err = s.writeRow(ctx, tx, r)
		if errors.Is(r.err, ErrFault) {
			if err := tx.Rollback(); err != nil {
				return fmt.Errorf("undo: %w", err)
			}
			return s.commit(ctx, rows)
		}
		if r.err != nil && !ownFault(r.err) {
			return errors.Join(r.err, tx.Rollback())
		}
	}
	if err := tx.Commit(); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), rollback(tx))
	}
	for _, r := range rows {
		if r.err != nil && !errors.Is(r.err, ErrFault) { // that has its line
			s.o.Logger.Warn("call record refused", zap.String("call", r.id), zap.Bool("finished", r.finished), zap.Error(r.err))
		}
	}
	return nil
}

// writeRow inserts or updates one row. Errors: call.ErrFinished, ErrFault, or the database's. The text is
// prepared anew for each row: what database/sql locks for a prepared statement in a transaction it does not
// let go of when there is a panic.
func (s *Store) writeRow(ctx context.Context, tx *sql.Tx, r *row) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.o.Logger.Error("panic contained: call record dropped", zap.String("call", r.id),
				zap.Bool("finished", r.finished), zap.Any("panic", v), zap.Stack("stack"))
			s.o.OnPanic("store: write row", v)
			err = fmt.Errorf("write row of call %s: %w: %v", r.id, ErrFault, v)
		}
	}()
	switch {
	case r.ladder != nil:
		return s.insertLadder(ctx, tx, r)
	case r.do != nil:
		return r.do(ctx, tx)
	}
	done, err := tx.ExecContext(ctx, upsertSQL, r.args...)
	if err != nil {
		return fmt.Errorf("write row of call %s: %w", r.id, err)
	}
	changed, err := done.RowsAffected()
	if err != nil {
		return fmt.Errorf("count rows of call %s: %w", r.id, err)
	}
	if changed == 0 {
		return call.ErrFinished
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
