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
	rows, err := r.read.QueryContext(ctx,
		`SELECT record FROM calls`+where+` ORDER BY started DESC, id DESC LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list call records: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, "", fmt.Errorf("read call record: %w", err)
		}
		rec, err := decode(text)
		if err != nil {
			return nil, "", err
		}
		page = append(page, rec)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list call records: %w", err)
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
		and(true, "(started, id) < (?, ?)", c.Started.UnixNano(), c.ID)
	}
	and(q.Result != "", "result = ?", string(q.Result))
	and(q.Message, "CASE WHEN json_valid(record) THEN json_extract(record, '$.message') END IS NOT NULL")
	and(q.Queue != "", "queue = ?", q.Queue)
	and(q.Agent != "", "agent = ?", q.Agent)
	and(!q.From.IsZero(), "started >= ?", q.From.UnixNano())
	and(!q.To.IsZero(), "started < ?", q.To.UnixNano())
	if len(terms) == 0 {
		return "", args, nil
	}
	return " WHERE " + strings.Join(terms, " AND "), args, nil
}

// Get returns one record. Errors: call.ErrNotFound.
func (r Reader) Get(ctx context.Context, id string) (call.Record, error) {
	var text string
	err := r.read.QueryRowContext(ctx, `SELECT record FROM calls WHERE id = ?`, id).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return call.Record{}, call.ErrNotFound
	}
	if err != nil {
		return call.Record{}, fmt.Errorf("get record of call %s: %w", id, err)
	}
	return decode(text)
}

// summarySQL counts as call.Summary.Count does; the suite in storetest holds the two together.
const summarySQL = `SELECT queue,
	COUNT(*) FILTER (WHERE queued AND (answered IS NOT NULL OR ended IS NOT NULL)),
	COUNT(*) FILTER (WHERE queued AND answered IS NOT NULL),
	COUNT(*) FILTER (WHERE queued AND answered IS NULL AND result = 'abandoned'),
	COUNT(*) FILTER (WHERE queued AND answered IS NOT NULL AND wait <= ?1),
	COUNT(*) FILTER (WHERE queued AND answered IS NULL AND result = 'abandoned' AND wait > ?1),
	COALESCE(SUM(CAST(wait * 1000000 AS INTEGER)) FILTER (WHERE queued AND answered IS NOT NULL), 0),
	COALESCE(MAX(CAST(wait * 1000000 AS INTEGER)) FILTER (WHERE queued AND (answered IS NOT NULL OR ended IS NOT NULL)), 0),
	COUNT(*) FILTER (WHERE rings_met = 1), COUNT(*) FILTER (WHERE rings_met = 0),
	COUNT(*) FILTER (WHERE talk_met = 1), COUNT(*) FILTER (WHERE talk_met = 0)
FROM (SELECT *, queue <> '' AND kind <> 'callback' AS queued FROM calls INDEXED BY calls_by_start WHERE started >= ?2) GROUP BY queue`

// Summaries counts the calls that began at since or later, by their first queue; within is the service level's time.
func (r Reader) Summaries(ctx context.Context, since time.Time, within time.Duration) (all call.Summaries, err error) {
	fail := func(err error) (call.Summaries, error) {
		return nil, fmt.Errorf("count call records since %s: %w", since.Format(time.RFC3339), err)
	}
	rows, err := r.read.QueryContext(ctx, summarySQL, within.Seconds(), since.UnixNano())
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all = make(call.Summaries)
	for rows.Next() {
		var n call.Summary
		var queue string
		var waited, longest int64
		if err := rows.Scan(&queue, &n.Offered, &n.Answered, &n.Abandoned, &n.AnsweredWithin, &n.AbandonedAfter,
			&waited, &longest, &n.RingsMet, &n.RingsMissed, &n.TalkMet, &n.TalkMissed); err != nil {
			return fail(err)
		}
		n.Waited, n.LongestWait = time.Duration(waited)*time.Microsecond, time.Duration(longest)*time.Microsecond
		all[queue] = n
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return all, nil
}
