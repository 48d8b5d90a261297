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
	return s.transact(ctx, "book callback "+b.ID, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, s.sql(`DELETE FROM callbacks WHERE how <> '' AND asked < ?`), most.Since.UnixNano()); err != nil {
			return err
		}
		var ofNumber, today, open int
		if err := tx.QueryRowContext(ctx, s.sql(`SELECT COUNT(*) FILTER (WHERE how = '' AND number = ?1),
			COUNT(*) FILTER (WHERE number = ?1 AND asked >= ?2), COUNT(*) FILTER (WHERE how = '') FROM callbacks`),
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
		_, err := tx.ExecContext(ctx, s.sql(`INSERT INTO callbacks (id, number, asked, how, booking, node) VALUES (?, ?, ?, '', ?, ?)`),
			b.ID, b.Number, b.Asked.UnixNano(), string(text), s.node)
		return err
	})
}

// transact does something in one transaction, and all of it or nothing. No two run at once, on any node: so one whose
// commit was given up unanswered is over, one way or the other, before the next looks.
func (s *Store) transact(ctx context.Context, doing string, do func(ctx context.Context, tx *sql.Tx) error) error {
	ctx, done := s.bounded(ctx)
	defer done()
	tx, err := s.write.BeginTx(ctx, nil)
	if err == nil {
		if s.alone != "" {
			_, err = tx.ExecContext(ctx, s.alone)
		}
		if err == nil {
			err = do(ctx, tx)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			err = errors.Join(err, rollback(tx))
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, s.explained(err))
	}
	return nil
}

// Bookings implements call.Bookings: those of this node, whose business they stay over its restarts. Errors:
// call.ErrUnavailable.
func (s *Store) Bookings(ctx context.Context) (all []call.Booking, err error) {
	err = s.each(ctx, "read callbacks", `SELECT booking FROM callbacks WHERE how = '' AND node = ?`, []any{s.node},
		func(rows *sql.Rows) error {
			b, err := booking(rows)
			all = append(all, b)
			return err
		})
	if err != nil {
		return nil, err
	}
	call.SortBookings(all)
	return all, nil
}

// booking reads a booking from a row.
func booking(row interface{ Scan(dest ...any) error }) (b call.Booking, err error) {
	var text []byte
	if err := row.Scan(&text); err != nil {
		return b, err
	}
	return b, json.Unmarshal(text, &b)
}

// PutOff implements call.Bookings.
func (s *Store) PutOff(ctx context.Context, id string, tries int, due time.Time) error {
	return s.transact(ctx, "put off callback "+id, func(ctx context.Context, tx *sql.Tx) error {
		b, err := booking(tx.QueryRowContext(ctx, s.sql(`SELECT booking FROM callbacks WHERE id = ? AND how = ''`), id))
		if errors.Is(err, sql.ErrNoRows) {
			return call.ErrNoBooking
		}
		if err != nil {
			return err
		}
		b.Tries, b.Due = tries, due
		text, err := json.Marshal(b)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, s.sql(`UPDATE callbacks SET booking = ? WHERE id = ?`), string(text), id)
		return err
	})
}

// Settle implements call.Bookings.
func (s *Store) Settle(ctx context.Context, id, how string) error {
	return s.transact(ctx, "settle callback "+id, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, s.sql(`UPDATE callbacks SET how = ?2 WHERE id = ?1 AND how = ''`), id, how)
		return changedOne(done, err, call.ErrNoBooking)
	})
}

// changedOne is the error of a statement, or none when it changed nothing.
func changedOne(done sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		err = none
	}
	return err
}
