package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hotline/call"
)

var _ call.Bookings = (*Store)(nil)

// Book implements call.Bookings. It waits its turn with the writer of records.
func (s *Store) Book(ctx context.Context, b call.Booking, most call.BookingBounds) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("keep callback %s: %w", b.ID, err)
	}
	return s.transact(ctx, "book callback "+b.ID, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM callbacks WHERE how <> '' AND asked < ?`, most.Since.UnixNano()); err != nil {
			return err
		}
		var ofNumber, today, open int
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(SUM(how = '' AND number = ?1), 0),
			COALESCE(SUM(number = ?1 AND asked >= ?2), 0), COALESCE(SUM(how = ''), 0) FROM callbacks`,
			b.Number, most.Since.UnixNano()).Scan(&ofNumber, &today, &open); err != nil {
			return err
		}
		switch {
		case ofNumber > 0:
			return call.ErrBooked
		case today >= most.PerDay:
			return call.ErrBookedToday
		case open >= most.Open:
			return call.ErrBookedFull
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO callbacks (id, number, asked, how, booking) VALUES (?, ?, ?, '', ?)`,
			b.ID, b.Number, b.Asked.UnixNano(), string(text))
		return err
	})
}

// transact does something in one transaction, and all of it or nothing.
func (s *Store) transact(ctx context.Context, doing string, do func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err == nil {
		if err = do(tx); err == nil {
			err = tx.Commit()
		}
		if err != nil {
			err = errors.Join(err, rollback(tx))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// Bookings implements call.Bookings.
func (s *Store) Bookings(ctx context.Context) (all []call.Booking, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT booking FROM callbacks WHERE how = ''`)
	if err != nil {
		return nil, fmt.Errorf("find callbacks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text []byte
		var b call.Booking
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("read callbacks: %w", err)
		}
		if err := json.Unmarshal(text, &b); err != nil {
			return nil, fmt.Errorf("read callbacks: %w", err)
		}
		all = append(all, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read callbacks: %w", err)
	}
	call.SortBookings(all)
	return all, nil
}

// PutOff implements call.Bookings.
func (s *Store) PutOff(ctx context.Context, id string, tries int, due time.Time) error {
	return s.changeBooking(ctx, id, `UPDATE callbacks SET booking = json_set(booking, '$.tries', ?2, '$.due', ?3) WHERE id = ?1 AND how = ''`,
		tries, due.Format(time.RFC3339Nano))
}

// Settle implements call.Bookings.
func (s *Store) Settle(ctx context.Context, id, how string) error {
	return s.changeBooking(ctx, id, `UPDATE callbacks SET how = ?2 WHERE id = ?1 AND how = ''`, how)
}

// changeBooking runs a statement that changes one open callback, whose id is its first argument.
func (s *Store) changeBooking(ctx context.Context, id, statement string, args ...any) error {
	done, err := s.write.ExecContext(ctx, statement, append([]any{id}, args...)...)
	if err != nil {
		return fmt.Errorf("change callback %s: %w", id, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, call.ErrNoBooking)
	}
	return nil
}
