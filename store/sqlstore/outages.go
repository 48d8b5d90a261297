package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"hotline/call"
)

var _ call.Outages = (*Store)(nil)

// Outages implements call.Outages. Errors: call.ErrUnavailable.
func (s *Store) Outages(ctx context.Context) (all []call.Outage, err error) {
	err = s.each(ctx, "read outages", `SELECT outage FROM outages`, nil, func(rows *sql.Rows) error {
		var text []byte
		var o call.Outage
		if err := rows.Scan(&text); err != nil {
			return err
		}
		err := json.Unmarshal(text, &o)
		all = append(all, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	call.SortOutages(all)
	return all, nil
}

// PutOutage implements call.Outages. It waits its turn with the writer of records. Errors besides: call.ErrUnavailable.
func (s *Store) PutOutage(ctx context.Context, o call.Outage) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("keep outage %s: %w", o.ID, err)
	}
	return s.transact(ctx, "keep outage "+o.ID, func(ctx context.Context, tx *sql.Tx) error {
		// One statement: whether there is room is judged with the row written.
		done, err := tx.ExecContext(ctx, s.sql(`INSERT INTO outages (id, outage) SELECT ?1, ?2
			WHERE EXISTS (SELECT 1 FROM outages WHERE id = ?1) OR (SELECT COUNT(*) FROM outages) < ?3
			ON CONFLICT (id) DO UPDATE SET outage = excluded.outage`), o.ID, string(text), call.MaxOutages)
		return changedOne(done, err, call.ErrTooMany)
	})
}

// DeleteOutage implements call.Outages. Errors besides: call.ErrUnavailable.
func (s *Store) DeleteOutage(ctx context.Context, id string) error {
	return s.transact(ctx, "delete outage "+id, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, s.sql(`DELETE FROM outages WHERE id = ?`), id)
		return changedOne(done, err, call.ErrNoOutage)
	})
}
