package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// recordingTimeout bounds how long sending one recording may take: an hour's call at 1 Mbit/s.
const recordingTimeout = 10 * time.Minute

// calls is /api/v1/calls: a page of records, newest first, those in progress as they stand now.
func (s *Server) calls(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r.URL.Query())
	if err != nil {
		return err
	}
	return s.list(w, r, q)
}

// list writes a page of calls.
func (s *Server) list(w http.ResponseWriter, r *http.Request, q call.Query) error {
	page, next, err := s.o.Records.List(r.Context(), q)
	if errors.Is(err, call.ErrBadCursor) {
		return badRequest("before: not a cursor that this listing gave out", err)
	}
	if err != nil {
		return fmt.Errorf("list calls: %w", err)
	}
	page, next = overlay(page, next, q, s.everywhere(r))
	return writeJSON(w, struct {
		Calls []callDTO `json:"calls"`
		Next  string    `json:"next"`
	}{each(page, s.zone().call), next})
}

// parameters are those of a listing.
var parameters = []string{"limit", "before", "from", "to", "result", "queue", "agent"}

// query reads the listing's parameters. Errors name the parameter: one that is misspelt would narrow nothing, and
// nobody would notice.
func query(v url.Values) (q call.Query, err error) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(parameters, name) {
			return q, badRequest(fmt.Sprintf("%.64s: no such parameter; there are %s", name, strings.Join(parameters, ", ")), nil)
		}
	}
	q = call.Query{
		Before: v.Get("before"), Result: call.Result(v.Get("result")), Queue: v.Get("queue"), Agent: v.Get("agent"),
	}
	if text := v.Get("limit"); text != "" {
		q.Limit, err = strconv.Atoi(text)
		if err != nil || q.Limit < 1 || q.Limit > call.MaxLimit {
			return q, badRequest(fmt.Sprintf("limit: a number from 1 to %d is needed", call.MaxLimit), err)
		}
	}
	for name, t := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		if *t, err = time.Parse(time.RFC3339, text); err != nil {
			return q, badRequest(name+": a time by RFC 3339 is needed, such as 2026-01-02T15:04:05+08:00 "+
				"(in a URL the + is written %2B)", err)
		}
	}
	return q, nil
}

// overlay puts calls in progress over their rows in a page, and adds those whose row is still on its
// way to the disk. Page and cursor stay what the query asks for.
func overlay(page []call.Record, next string, q call.Query, live []call.Live) ([]call.Record, string) {
	at := make(map[string]int, len(page))
	for i, r := range page {
		at[r.ID] = i
	}
	before, err := call.ParseCursor(q.Before)
	first := err != nil // no cursor: List refused a wrong one
	for _, l := range live {
		i, listed := at[l.Record.ID]
		switch {
		case listed && page[i].Ended == nil:
			page[i] = l.Record
		case !listed && q.Match(l.Record) && (first || !before.Newer(l.Record)):
			page = append(page, l.Record)
		}
	}
	slices.SortFunc(page, func(a, b call.Record) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	if limit := q.Rows(); len(page) > limit {
		page = page[:limit]
		next = call.CursorOf(page[limit-1]).String()
	}
	return page, next
}

// call is /api/v1/calls/{id}.
func (s *Server) call(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, s.zone().call(rec))
}

// find returns a record, as it stands now if the call is in progress. Errors: a 404.
func (s *Server) find(ctx context.Context, id string) (call.Record, error) {
	rec, err := s.o.Records.Get(ctx, id)
	missing := errors.Is(err, call.ErrNotFound)
	if err != nil && !missing {
		return rec, fmt.Errorf("find call: %w", err)
	}
	if !missing && rec.Ended != nil {
		return rec, nil
	}
	for _, l := range s.o.Live() {
		if l.Record.ID == id {
			return l.Record, nil
		}
	}
	if missing {
		return rec, notFound("no such call")
	}
	return rec, nil
}

// recording is /api/v1/recordings/{id}, where id is the call's. Parts are sent too (RFC 9110 section 14).
func (s *Server) recording(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.audio(w, r, rec, rec.Recording)
}

// audio serves a recording of a call that is over, by the recording's name.
func (s *Server) audio(w http.ResponseWriter, r *http.Request, rec call.Record, name string) error {
	switch {
	case name == "" || s.o.Recording == nil:
		return notFound("the call has no recording")
	case rec.Ended == nil:
		return notFound("the call goes on, its recording is not complete yet")
	}
	file, written, err := s.o.Recording(name)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound("the recording is not there any more")
	}
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			s.o.Logger.Warn("recording not closed", zap.String("call", rec.ID), zap.Error(err))
		}
	}()
	if err := s.deadline(w, recordingTimeout); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Cache-Control", "private, no-store")
	http.ServeContent(w, r, "", written, file)
	return nil
}

// queues is /api/v1/queues.
func (s *Server) queues(w http.ResponseWriter, r *http.Request) error {
	queues, err := s.o.Queues()
	if err != nil {
		return err
	}
	today := s.today(r.Context(), s.o.Clock())
	return writeJSON(w, struct {
		Queues []queueDTO `json:"queues"`
	}{each(queues, func(q call.QueueView) queueDTO { return queueOf(q, today) })})
}

// agents is /api/v1/agents.
func (s *Server) agents(w http.ResponseWriter, _ *http.Request) error {
	agents, err := s.o.Agents()
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		Agents []agentDTO `json:"agents"`
	}{each(agents, s.agentNow())})
}

func (s *Server) zone() zone { return zone{s.o.Location} }

// deadline gives the answer so long to be sent from now on, instead of the server's WriteTimeout, and
// lifts its ReadTimeout, at which net/http would cancel the request's context.
func (s *Server) deadline(w http.ResponseWriter, within time.Duration) error {
	out := http.NewResponseController(w)
	err := errors.Join(out.SetWriteDeadline(time.Now().Add(within)), out.SetReadDeadline(time.Time{}))
	if err != nil && !errors.Is(err, http.ErrNotSupported) { // an httptest.ResponseRecorder has none
		return fmt.Errorf("set deadline: %w", err)
	}
	return nil
}

// sent is the error of sending an answer, without those that say that the client went away.
func sent(err error) error {
	var timeout net.Error
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &timeout) {
		return nil
	}
	return err
}
