package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// SaveShift queues what an agent chose, to be restored at the next start; it does not wait for the disk. Of choices
// made on several nodes the last one counts, by those nodes' clocks, whoever writes first.
func (s *Store) SaveShift(shift call.Shift) {
	shift.Out = slices.Clone(shift.Out)
	if err := s.queue.putOther(rowOf(entry{At: s.o.Clock().UnixNano(), Shift: &shift})); err != nil {
		s.o.Logger.Warn("agent's shift not queued", zap.String("agent", shift.Agent), zap.Error(err))
	}
}

// writeShift writes also that an agent chose nothing: an older choice of another node may come later.
func (s *Store) writeShift(ctx context.Context, tx *sql.Tx, shift call.Shift, at int64) error {
	out, err := json.Marshal(shift.Out)
	if err != nil {
		return fmt.Errorf("encode shift of agent %s: %w", shift.Agent, err)
	}
	since := int64(0)
	if !shift.Since.IsZero() {
		since = shift.Since.UnixNano()
	}
	_, err = tx.ExecContext(ctx, s.sql(`INSERT INTO agent_shift (agent, paused, reason, since, out, everywhere, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (agent) DO UPDATE SET paused = excluded.paused, reason = excluded.reason, since = excluded.since,
			out = excluded.out, everywhere = excluded.everywhere, updated = excluded.updated
		WHERE agent_shift.updated <= excluded.updated`),
		shift.Agent, bit(shift.Paused), clean(shift.Reason), since, string(out), bit(shift.All), at)
	if err != nil {
		return fmt.Errorf("write shift of agent %s: %w", shift.Agent, err)
	}
	return nil
}

// Shifts returns what agents chose, those who chose nothing left out, in the order of their ids. Errors:
// call.ErrUnavailable.
func (r Reader) Shifts(ctx context.Context) (all []call.Shift, err error) {
	err = r.each(ctx, "read agents' shifts", `SELECT agent, paused, reason, since, out, everywhere FROM agent_shift ORDER BY agent`, nil,
		func(rows *sql.Rows) error {
			var (
				shift call.Shift
				since int64
				out   []byte
			)
			if err := rows.Scan(&shift.Agent, &shift.Paused, &shift.Reason, &since, &out, &shift.All); err != nil {
				return err
			}
			if since != 0 {
				shift.Since = time.Unix(0, since)
			}
			if err := json.Unmarshal(out, &shift.Out); err != nil {
				return fmt.Errorf("decode shift of agent %s: %w", shift.Agent, err)
			}
			if !shift.Plain() {
				all = append(all, shift)
			}
			return nil
		})
	return all, err
}

// Annotate implements call.Records.
func (s *Store) Annotate(callID, agent string, code call.WrapUpCode) {
	r := rowOf(entry{Call: callID, At: s.o.Clock().UnixNano(), Coded: &coded{agent, code}})
	if err := s.queue.putOther(r); err != nil {
		s.o.Logger.Warn("wrap-up code not queued", zap.String("call", callID), zap.Error(err))
	}
}

// annotate gives a code to a talk of a finished call. Only the writer calls it. A record that cannot be read is
// left as it is: to try again would hold up everybody's.
func (s *Store) annotate(ctx context.Context, tx *sql.Tx, callID, agent string, code call.WrapUpCode) error {
	var text, changed []byte
	err := tx.QueryRowContext(ctx, s.sql(`SELECT record FROM calls WHERE id = ?`), clean(callID)).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find call %s to give a code to: %w", callID, err)
	}
	r, err := decode(text)
	if err == nil && r.Annotate(agent, code) {
		changed, err = json.Marshal(r)
	}
	if err != nil {
		s.o.Logger.Error("wrap-up code not written", zap.String("call", callID), zap.Error(err))
	}
	if changed == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, s.sql(`UPDATE calls SET record = ? WHERE id = ?`), string(changed), clean(callID)); err != nil {
		return fmt.Errorf("give call %s a code: %w", callID, err)
	}
	return nil
}

// putOther queues what is no record: as seldom as an agent presses keys. Errors: ErrClosed.
func (q *queue) putOther(r *row) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.rows = append(q.rows, r)
	q.tell()
	return nil
}
