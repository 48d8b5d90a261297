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

// recover closes the records that the process before this one left open, and returns how many. alive is when that was
// last alive; zero if that is not known.
func (s *Store) recover(ctx context.Context, tx *sql.Tx, alive time.Time) (int, error) {
	open, err := s.leftOpen(ctx, tx)
	if err != nil || len(open) == 0 {
		return 0, err
	}
	for _, l := range open {
		r, last := l.record, l.updated
		if alive.After(last) {
			last = alive
		}
		r.CloseCrashed(last.In(r.Started.Location()))
		s.o.Derive(&r)
		row, err := newRow(r, true, s.node, s.o.Clock())
		if err == nil {
			err = s.upsert(ctx, tx, row)
		}
		if err != nil {
			return 0, fmt.Errorf("call %s: %w", r.ID, err)
		}
	}
	s.o.Logger.Warn("call records left open by a crash are closed", zap.Int("calls", len(open)))
	return len(open), nil
}

// left is a record left open, and when it was last written.
type left struct {
	record  call.Record
	updated time.Time
}

func (s *Store) leftOpen(ctx context.Context, tx *sql.Tx) (open []left, err error) {
	rows, err := tx.QueryContext(ctx, s.sql(`SELECT record, updated FROM calls WHERE finished = 0 AND node = ?`), s.node)
	if err != nil {
		return nil, fmt.Errorf("find open records: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			text    []byte
			updated int64
		)
		if err := rows.Scan(&text, &updated); err != nil {
			return nil, fmt.Errorf("read open record: %w", err)
		}
		r, err := decode(text)
		if err != nil {
			return nil, err
		}
		open = append(open, left{record: r, updated: time.Unix(0, updated)})
	}
	return open, rows.Err()
}
