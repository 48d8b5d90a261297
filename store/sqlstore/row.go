package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"hotline/call"
)

// entry is what is to be written, as data, so that a spool can hold it: for this program, or a later version of it.
// Besides Call and At it has exactly one of Record, Ladder, Shift, Coded and Began.
type entry struct {
	Call string `json:"call,omitempty"`
	// At is when it was so, in nanoseconds since 1970 in UTC.
	At int64 `json:"at"`
	// Record is the call's, for good if Finished.
	Record   json.RawMessage `json:"record,omitempty"`
	Finished bool            `json:"finished,omitempty"`
	// Ladder are messages as packer makes them; the last of them was at At.
	Ladder []byte      `json:"ladder,omitempty"`
	Shift  *call.Shift `json:"shift,omitempty"`
	Coded  *coded      `json:"coded,omitempty"`
	Began  *began      `json:"began,omitempty"`
}

// coded is a wrap-up code that an agent gave to a call.
type coded struct {
	Agent string          `json:"agent"`
	Code  call.WrapUpCode `json:"code"`
}

// began says that a node was started: what it had open before is closed.
type began struct {
	// Alive is when the process before this one was last alive, as At; 0 if that is not known.
	Alive int64 `json:"alive,omitempty"`
}

// row is an entry on its way to the database, or to the spool before it: a copy that its call cannot change any more.
type row struct {
	entry
	seq    uint64            // in the spool; 0 elsewhere
	args   []any             // of upsertSQL
	ladder []call.SIPMessage // not packed yet
	done   chan struct{}     // closed once the row is durable or refused
	err    error             // why it was refused; read after done
}

// upsertSQL changes nothing in a row that is finished; the count of rows changed tells.
const upsertSQL = `INSERT INTO calls (id, started, answered, ended, updated, finished, from_number,
	to_number, queue, agent, result, reason, released_by, rings, rings_met, wait, talk, talk_met, record, kind,
	message, node)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET started = excluded.started, answered = excluded.answered,
	ended = excluded.ended, updated = excluded.updated, finished = excluded.finished,
	from_number = excluded.from_number, to_number = excluded.to_number, queue = excluded.queue,
	agent = excluded.agent, result = excluded.result, reason = excluded.reason,
	released_by = excluded.released_by, rings = excluded.rings, rings_met = excluded.rings_met,
	wait = excluded.wait, talk = excluded.talk, talk_met = excluded.talk_met, record = excluded.record,
	kind = excluded.kind, message = excluded.message
WHERE calls.finished = 0`

// newRow is a record's row. node is whose call it is.
func newRow(r call.Record, finished bool, node string, now time.Time) (*row, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	w := rowOf(entry{Call: r.ID, At: now.UnixNano(), Record: text, Finished: finished})
	w.columns(r, node)
	return w, nil
}

func rowOf(e entry) *row { return &row{entry: e, done: make(chan struct{})} }

// columns fills in the arguments of upsertSQL.
func (w *row) columns(r call.Record, node string) {
	w.args = []any{
		clean(r.ID), r.Started.UnixNano(), nanos(r.Answered), nanos(r.Ended), w.At, bit(w.Finished),
		clean(r.From), clean(r.To), clean(r.Queue), clean(r.Agent), clean(string(r.Result)), clean(string(r.Reason)),
		clean(string(r.Release)), r.Rings, verdict(r.RingsMet), r.FirstWaitSeconds, r.TalkSeconds, verdict(r.TalkMet),
		string(w.Record), clean(r.Kind), bit(r.Message != nil), node,
	}
}

// instant is what nanos gave; zero for 0.
func instant(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos)
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
	return bit(*met)
}

func decode(text []byte) (call.Record, error) {
	var r call.Record
	if err := json.Unmarshal(text, &r); err != nil {
		return call.Record{}, fmt.Errorf("decode record: %w", err)
	}
	return r, nil
}
