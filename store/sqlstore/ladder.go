package sqlstore

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

const (
	// manyLadders is how many handings-over may wait for the writer. Unlike records they are dropped beyond:
	// a database that stands still must not cost memory for what calls merely said.
	manyLadders = 1000
	// expireEvery is how often old ladders are deleted, expireRows how many at once: the records that
	// calls wait for are written in between.
	expireEvery = time.Hour
	expireRows  = 500
)

// Trace implements call.Ladders. What cannot be queued is dropped and counted.
func (s *Store) Trace(callID string, messages []call.SIPMessage) {
	if s.o.LadderKeep <= 0 || len(messages) == 0 {
		return
	}
	last := messages[0].At
	for _, m := range messages {
		if m.At.After(last) {
			last = m.At
		}
	}
	r := rowOf(entry{Call: callID, At: last.UnixNano()})
	r.ladder = messages
	if err := s.queue.putLadder(r); err != nil {
		s.metrics.laddersDropped.Inc()
		s.o.Logger.Debug("SIP messages of a call not queued", zap.String("call", callID), zap.Error(err))
	}
}

// errManyLadders: as many wait as may.
var errManyLadders = errors.New("too many wait for the database")

// putLadder queues messages. Errors: ErrClosed, errManyLadders.
func (q *queue) putLadder(r *row) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if q.ladders >= manyLadders {
		return errManyLadders
	}
	q.ladders++
	q.rows = append(q.rows, r)
	q.tell()
	return nil
}

// pack makes the messages of a row small, once. Only the writer of the queue calls it.
func (s *Store) pack(r *row) (err error) {
	if r.ladder != nil && r.Ladder == nil {
		r.Ladder, err = s.packer.pack(r.ladder)
	}
	return err
}

func (s *Store) insertLadder(ctx context.Context, tx *sql.Tx, r *row) error {
	_, err := tx.ExecContext(ctx, s.sql(`INSERT INTO ladders (call, last, messages) VALUES (?, ?, ?)`), clean(r.Call), r.At, r.Ladder)
	if err != nil {
		return fmt.Errorf("write SIP messages of call %s: %w", r.Call, err)
	}
	return nil
}

// packer makes messages small: the headers of a call repeat each other. It is used by one goroutine.
type packer struct{ z *flate.Writer }

func (p *packer) pack(messages []call.SIPMessage) (_ []byte, err error) {
	var b bytes.Buffer
	if p.z == nil {
		p.z, err = flate.NewWriter(&b, flate.BestSpeed)
	} else {
		p.z.Reset(&b)
	}
	if err == nil {
		err = json.NewEncoder(p.z).Encode(messages)
	}
	if err == nil {
		err = p.z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pack SIP messages: %w", err)
	}
	return b.Bytes(), nil
}

func unpack(packed []byte) (messages []call.SIPMessage, err error) {
	z := flate.NewReader(bytes.NewReader(packed))
	if err := json.NewDecoder(z).Decode(&messages); err != nil {
		return nil, fmt.Errorf("unpack SIP messages: %w", errors.Join(err, z.Close()))
	}
	return messages, z.Close()
}

// Ladder returns what a call said by SIP, in the order of the wire. Errors: call.ErrNotFound when nothing is
// kept of it, or not any more.
func (r Reader) Ladder(ctx context.Context, id string) (all []call.SIPMessage, err error) {
	err = r.each(ctx, "read SIP messages of call "+id, `SELECT messages FROM ladders WHERE call = ? AND last >= ? ORDER BY id`,
		[]any{clean(id), r.keptSince().UnixNano()}, func(rows *sql.Rows) error {
			var packed []byte
			if err := rows.Scan(&packed); err != nil {
				return err
			}
			messages, err := unpack(packed)
			all = append(all, messages...)
			return err
		})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, call.ErrNotFound
	}
	call.SortLadder(all)
	return all, nil
}

// keptSince is the age beyond which messages are not kept any more.
func (r Reader) keptSince() time.Time { return r.clock().Add(-r.ladderKeep) }

// expire deletes old ladders, at once and each hour, until the store closes. With LadderKeep 0 that is all
// of them.
func (s *Store) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		for n := int64(expireRows); n == expireRows && (s.spool == nil || s.prepared.Load()); {
			var err error
			if n, err = s.expireSome(ctx); err != nil {
				s.o.Logger.Warn("old SIP messages not deleted; tried again later", zap.Duration("in", expireEvery), zap.Error(err))
				break
			}
		}
		select {
		case <-tick.C:
		case <-s.lock.stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) expireSome(ctx context.Context) (deleted int64, err error) {
	ctx, over := s.bounded(ctx)
	defer over()
	done, err := s.write.ExecContext(ctx,
		s.sql(`DELETE FROM ladders WHERE id IN (SELECT id FROM ladders WHERE last < ? ORDER BY last LIMIT ?)`),
		s.keptSince().UnixNano(), expireRows)
	if err != nil {
		return 0, fmt.Errorf("delete old SIP messages: %w", err)
	}
	return done.RowsAffected()
}
