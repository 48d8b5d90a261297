package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// recover closes the records that a dead process left open, in one transaction, and returns how many.
func (s *Store) recover(ctx context.Context) (int, error) {
	open, err := s.leftOpen(ctx)
	if err != nil || len(open) == 0 {
		return 0, err
	}
	rows := make([]*row, 0, len(open))
	for _, l := range open {
		r, last := l.record, l.updated
		if s.lock.alive.After(last) {
			last = s.lock.alive
		}
		r.CloseCrashed(last.In(r.Started.Location()))
		s.o.Derive(&r)
		row, err := newRow(r, true, s.o.Clock())
		if err != nil {
			return 0, fmt.Errorf("call %s: %w", r.ID, err)
		}
		rows = append(rows, row)
	}
	if err := s.commit(ctx, rows); err != nil {
		return 0, err
	}
	s.o.Logger.Warn("call records left open by a crash are closed", zap.Int("calls", len(rows)))
	return len(rows), nil
}

// left is a record left open, and when it was last written.
type left struct {
	record  call.Record
	updated time.Time
}

func (s *Store) leftOpen(ctx context.Context) (open []left, err error) {
	rows, err := s.write.QueryContext(ctx, `SELECT record, updated FROM calls WHERE finished = 0`)
	if err != nil {
		return nil, fmt.Errorf("find open records: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			text    string
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
