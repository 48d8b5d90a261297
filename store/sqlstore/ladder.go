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
	if err := s.queue.putLadder(&row{id: callID, ladder: messages, done: make(chan struct{})}); err != nil {
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

// insertLadder writes the messages of a row, compressed. Only the writer calls it.
func (s *Store) insertLadder(ctx context.Context, tx *sql.Tx, r *row) error {
	packed, err := s.packer.pack(r.ladder)
	if err != nil {
		return err
	}
	last := r.ladder[0].At
	for _, m := range r.ladder {
		if m.At.After(last) {
			last = m.At
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO ladders (call, last, messages) VALUES (?, ?, ?)`, r.id, last.UnixNano(), packed)
	if err != nil {
		return fmt.Errorf("write SIP messages of call %s: %w", r.id, err)
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
	rows, err := r.read.QueryContext(ctx, `SELECT messages FROM ladders WHERE call = ? AND last >= ? ORDER BY id`,
		id, r.keptSince().UnixNano())
	if err != nil {
		return nil, fmt.Errorf("find SIP messages of call %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var packed []byte
		if err := rows.Scan(&packed); err != nil {
			return nil, fmt.Errorf("read SIP messages of call %s: %w", id, err)
		}
		messages, err := unpack(packed)
		if err != nil {
			return nil, fmt.Errorf("call %s: %w", id, err)
		}
		all = append(all, messages...)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read SIP messages of call %s: %w", id, err)
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
		for n := int64(expireRows); n == expireRows; {
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
	done, err := s.write.ExecContext(ctx,
		`DELETE FROM ladders WHERE id IN (SELECT id FROM ladders WHERE last < ? ORDER BY last LIMIT ?)`,
		s.keptSince().UnixNano(), expireRows)
	if err != nil {
		return 0, fmt.Errorf("delete old SIP messages: %w", err)
	}
	return done.RowsAffected()
}
