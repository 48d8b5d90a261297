package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"hotline/call"
)

// List returns a page of records, newest first, and the cursor of the page after it; empty when there
// is none. Errors: call.ErrBadCursor.
func (r Reader) List(ctx context.Context, q call.Query) (page []call.Record, next string, err error) {
	where, args, err := conditions(q)
	if err != nil {
		return nil, "", err
	}
	limit := q.Rows()
	err = r.each(ctx, "list call records", `SELECT record FROM calls`+where+` ORDER BY started DESC, id DESC LIMIT ?`,
		append(args, limit+1), func(rows *sql.Rows) error {
			var text []byte
			if err := rows.Scan(&text); err != nil {
				return err
			}
			rec, err := decode(text)
			page = append(page, rec)
			return err
		})
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = call.CursorOf(page[limit-1]).String()
	}
	return page, next, nil
}

// conditions is the query as a WHERE clause (empty for all records) and its arguments.
func conditions(q call.Query) (where string, args []any, err error) {
	var terms []string
	and := func(wanted bool, term string, values ...any) {
		if wanted {
			terms, args = append(terms, term), append(args, values...)
		}
	}
	if q.Before != "" {
		c, err := call.ParseCursor(q.Before)
		if err != nil {
			return "", nil, err
		}
		and(true, "(started, id) < (?, ?)", c.Started.UnixNano(), clean(c.ID))
	}
	and(q.Result != "", "result = ?", clean(string(q.Result)))
	and(q.Message, "message = 1")
	and(q.Queue != "", "queue = ?", clean(q.Queue))
	and(q.Agent != "", "agent = ?", clean(q.Agent))
	and(!q.From.IsZero(), "started >= ?", q.From.UnixNano())
	and(!q.To.IsZero(), "started < ?", q.To.UnixNano())
	if len(terms) == 0 {
		return "", args, nil
	}
	return " WHERE " + strings.Join(terms, " AND "), args, nil
}

// Get returns one record. Errors: call.ErrNotFound.
func (r Reader) Get(ctx context.Context, id string) (call.Record, error) {
	var text []byte
	err := r.one(ctx, "get record of call "+id, `SELECT record FROM calls WHERE id = ?`, []any{clean(id)}, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return call.Record{}, call.ErrNotFound
	}
	if err != nil {
		return call.Record{}, err
	}
	return decode(text)
}

// summarySQL counts as call.Summary.Count does; the suite in storetest holds the two together. %s is what
// dialect.covered says. FLOOR takes to microseconds as Count does: no wait is negative.
const summarySQL = `SELECT queue,
	COUNT(*) FILTER (WHERE queued AND (answered IS NOT NULL OR ended IS NOT NULL)),
	COUNT(*) FILTER (WHERE queued AND answered IS NOT NULL),
	COUNT(*) FILTER (WHERE queued AND answered IS NULL AND result = 'abandoned'),
	COUNT(*) FILTER (WHERE queued AND answered IS NOT NULL AND wait <= ?1),
	COUNT(*) FILTER (WHERE queued AND answered IS NULL AND result = 'abandoned' AND wait > ?1),
	CAST(COALESCE(SUM(CAST(FLOOR(wait * 1000000) AS BIGINT)) FILTER (WHERE queued AND answered IS NOT NULL), 0) AS BIGINT),
	COALESCE(MAX(CAST(FLOOR(wait * 1000000) AS BIGINT)) FILTER (WHERE queued AND (answered IS NOT NULL OR ended IS NOT NULL)), 0),
	COUNT(*) FILTER (WHERE rings_met = 1), COUNT(*) FILTER (WHERE rings_met = 0),
	COUNT(*) FILTER (WHERE talk_met = 1), COUNT(*) FILTER (WHERE talk_met = 0)
FROM (SELECT *, queue <> '' AND kind <> 'callback' AS queued FROM calls %s WHERE started >= ?2) AS day GROUP BY queue`

// Summaries counts the calls that began at since or later, by their first queue; within is the service level's time.
func (r Reader) Summaries(ctx context.Context, since time.Time, within time.Duration) (call.Summaries, error) {
	all := make(call.Summaries)
	err := r.each(ctx, "count call records since "+since.Format(time.RFC3339), fmt.Sprintf(summarySQL, r.covered),
		[]any{within.Seconds(), since.UnixNano()}, func(rows *sql.Rows) error {
			var n call.Summary
			var queue string
			var waited, longest int64
			if err := rows.Scan(&queue, &n.Offered, &n.Answered, &n.Abandoned, &n.AnsweredWithin, &n.AbandonedAfter,
				&waited, &longest, &n.RingsMet, &n.RingsMissed, &n.TalkMet, &n.TalkMissed); err != nil {
				return err
			}
			n.Waited, n.LongestWait = time.Duration(waited)*time.Microsecond, time.Duration(longest)*time.Microsecond
			all[queue] = n
			return nil
		})
	if err != nil {
		return nil, err
	}
	return all, nil
}
