package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"hotline/call"
)

var _ call.Outages = (*Store)(nil)

// Outages implements call.Outages.
func (s *Store) Outages(ctx context.Context) (all []call.Outage, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT outage FROM outages`)
	if err != nil {
		return nil, fmt.Errorf("find outages: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text []byte
		var o call.Outage
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read outages: %w", err)
		}
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, fmt.Errorf("read outages: %w", err)
		}
		all = append(all, o)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read outages: %w", err)
	}
	call.SortOutages(all)
	return all, nil
}

// PutOutage implements call.Outages. It waits its turn with the writer of records.
func (s *Store) PutOutage(ctx context.Context, o call.Outage) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("keep outage %s: %w", o.ID, err)
	}
	// One statement: whether there is room is judged with the row written.
	done, err := s.write.ExecContext(ctx, `INSERT INTO outages (id, outage) SELECT ?1, ?2
		WHERE EXISTS (SELECT 1 FROM outages WHERE id = ?1) OR (SELECT COUNT(*) FROM outages) < ?3
		ON CONFLICT (id) DO UPDATE SET outage = excluded.outage`, o.ID, string(text), call.MaxOutages)
	if err != nil {
		return fmt.Errorf("keep outage %s: %w", o.ID, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, call.ErrTooMany)
	}
	return nil
}

// DeleteOutage implements call.Outages.
func (s *Store) DeleteOutage(ctx context.Context, id string) error {
	done, err := s.write.ExecContext(ctx, `DELETE FROM outages WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("delete outage %s: %w", id, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, call.ErrNoOutage)
	}
	return nil
}
