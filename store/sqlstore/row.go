package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"hotline/call"
)

// row is a record on its way to the database, a copy that its call cannot change any more, or what a call
// said by SIP.
type row struct {
	id       string
	finished bool
	args     []any             // of upsertSQL
	ladder   []call.SIPMessage // in place of a record
	// do, in place of a record, writes something else. It may be called again after a transaction that failed.
	do   func(ctx context.Context, tx *sql.Tx) error
	done chan struct{} // closed once the row is written or refused
	err  error         // why it was refused; read after done
}

// upsertSQL changes nothing in a row that is finished; the count of rows changed tells.
const upsertSQL = `INSERT INTO calls (id, started, answered, ended, updated, finished, from_number,
	to_number, queue, agent, result, reason, released_by, rings, rings_met, wait, talk, talk_met, record, kind)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET started = excluded.started, answered = excluded.answered,
	ended = excluded.ended, updated = excluded.updated, finished = excluded.finished,
	from_number = excluded.from_number, to_number = excluded.to_number, queue = excluded.queue,
	agent = excluded.agent, result = excluded.result, reason = excluded.reason,
	released_by = excluded.released_by, rings = excluded.rings, rings_met = excluded.rings_met,
	wait = excluded.wait, talk = excluded.talk, talk_met = excluded.talk_met, record = excluded.record,
	kind = excluded.kind
WHERE calls.finished = 0`

func newRow(r call.Record, finished bool, now time.Time) (*row, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return &row{
		id:       r.ID,
		finished: finished,
		done:     make(chan struct{}),
		args: []any{
			r.ID, r.Started.UnixNano(), nanos(r.Answered), nanos(r.Ended), now.UnixNano(), finished,
			r.From, r.To, r.Queue, r.Agent, string(r.Result), string(r.Reason), string(r.Release),
			r.Rings, verdict(r.RingsMet), r.FirstWaitSeconds, r.TalkSeconds, verdict(r.TalkMet), string(text), r.Kind,
		},
	}, nil
}

// nanos is an instant as the columns hold it, NULL for none.
func nanos(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixNano()
}

// verdict is a verdict as the columns hold it, NULL for none yet.
func verdict(met *bool) any {
	if met == nil {
		return nil
	}
	return *met
}

func decode(text string) (call.Record, error) {
	var r call.Record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return call.Record{}, fmt.Errorf("decode record: %w", err)
	}
	return r, nil
}
