package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// SaveShift queues what an agent chose, to be restored at the next start; it does not wait for the disk. One
// who chose nothing is forgotten.
func (s *Store) SaveShift(shift call.Shift) {
	out, err := json.Marshal(shift.Out)
	if err == nil {
		err = s.queue.putDoing(func(ctx context.Context, tx *sql.Tx) error { return writeShift(ctx, tx, shift, string(out)) })
	}
	if err != nil {
		s.o.Logger.Warn("agent's shift not queued", zap.String("agent", shift.Agent), zap.Error(err))
	}
}

func writeShift(ctx context.Context, tx *sql.Tx, shift call.Shift, out string) error {
	var err error
	if shift.Plain() {
		_, err = tx.ExecContext(ctx, `DELETE FROM agent_shift WHERE agent = ?`, shift.Agent)
	} else {
		since := int64(0)
		if !shift.Since.IsZero() {
			since = shift.Since.UnixNano()
		}
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO agent_shift (agent, paused, reason, since, out, everywhere) VALUES (?, ?, ?, ?, ?, ?)`,
			shift.Agent, shift.Paused, shift.Reason, since, out, shift.All)
	}
	if err != nil {
		return fmt.Errorf("write shift of agent %s: %w", shift.Agent, err)
	}
	return nil
}

// Shifts returns what agents chose, those who chose nothing left out, in the order of their ids.
func (r Reader) Shifts(ctx context.Context) (all []call.Shift, err error) {
	rows, err := r.read.QueryContext(ctx, `SELECT agent, paused, reason, since, out, everywhere FROM agent_shift ORDER BY agent`)
	if err != nil {
		return nil, fmt.Errorf("find agents' shifts: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			shift call.Shift
			since int64
			out   string
		)
		if err := rows.Scan(&shift.Agent, &shift.Paused, &shift.Reason, &since, &out, &shift.All); err != nil {
			return nil, fmt.Errorf("read agents' shifts: %w", err)
		}
		if since != 0 {
			shift.Since = time.Unix(0, since)
		}
		if err := json.Unmarshal([]byte(out), &shift.Out); err != nil {
			return nil, fmt.Errorf("decode shift of agent %s: %w", shift.Agent, err)
		}
		all = append(all, shift)
	}
	return all, rows.Err()
}

// Annotate implements call.Records.
func (s *Store) Annotate(callID, agent string, code call.WrapUpCode) {
	err := s.queue.putDoing(func(ctx context.Context, tx *sql.Tx) error { return s.annotate(ctx, tx, callID, agent, code) })
	if err != nil {
		s.o.Logger.Warn("wrap-up code not queued", zap.String("call", callID), zap.Error(err))
	}
}

// annotate gives a code to a talk of a finished call. Only the writer calls it. A record that cannot be read is
// left as it is: to try again would hold up everybody's.
func (s *Store) annotate(ctx context.Context, tx *sql.Tx, callID, agent string, code call.WrapUpCode) error {
	var text string
	err := tx.QueryRowContext(ctx, `SELECT record FROM calls WHERE id = ?`, callID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find call %s to give a code to: %w", callID, err)
	}
	r, err := decode(text)
	var changed []byte
	if err == nil && r.Annotate(agent, code) {
		changed, err = json.Marshal(r)
	}
	if err != nil {
		s.o.Logger.Error("wrap-up code not written", zap.String("call", callID), zap.Error(err))
	}
	if changed == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `UPDATE calls SET record = ? WHERE id = ?`, string(changed), callID); err != nil {
		return fmt.Errorf("give call %s a code: %w", callID, err)
	}
	return nil
}

// putDoing queues something else to be written: as seldom as an agent presses keys. Errors: ErrClosed.
func (q *queue) putDoing(do func(context.Context, *sql.Tx) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.rows = append(q.rows, &row{do: do, done: make(chan struct{})})
	q.tell()
	return nil
}
