package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/web/peer"
)

// How long a node may take to begin its answer to what was asked of another, and for how long after its end a call's SIP
// messages may be at its node alone.
const (
	forwardWithin = 5 * time.Second
	ladderRest    = time.Minute
)

// errAway: the node whose call it is does not answer, and nothing was answered in its place.
var errAway = errors.New("the node does not answer")

// part is what of a call is asked for: which node has it, and what is said when that one cannot be asked.
type part int

const (
	asRecord part = iota // all nodes have the record, the call's own has it as it stands now
	asLadder             // likewise, a little longer
	asFile               // a recording lies at the call's node alone
	asDeed               // done to a call in progress, by its node alone
)

// at has what is asked of a call answered by the node whose call it is: here, or by passing it on, once.
func (s *Server) at(what part, h handle) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.o.Site == nil || bearerOf(r).node != nil { // another node asks: it knows that the call is here, or would have it so
			return h(w, r)
		}
		name, err := s.nodeOf(r.Context(), r.PathValue("id"), what)
		if err != nil {
			return err
		}
		if name == "" || name == s.o.Site.Name {
			return h(w, r)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return badRequest("the body: it did not come whole, or is too long", err)
		}
		err = s.forward(w, r, name, body)
		if !errors.Is(err, errAway) {
			return err
		}
		s.o.Logger.Info("a node that was asked for its call does not answer", zap.String("node", name),
			zap.String("call", r.PathValue("id")), zap.Error(err))
		switch what {
		case asFile:
			return &problem{Status: http.StatusNotFound, cause: err, Detail: fmt.Sprintf(
				"the recording lies at node %s, which does not answer now; it is served again when that node is back", name)}
		case asDeed:
			return &problem{Status: http.StatusServiceUnavailable, cause: err, Detail: fmt.Sprintf(
				"the call is at node %s, which does not answer now", name)}
		case asRecord, asLadder:
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return h(w, r)
	}
}

// nodeOf is the name of the node that has a part of a call; empty where this one can say as much as any.
func (s *Server) nodeOf(ctx context.Context, id string, what part) (string, error) {
	for _, l := range s.o.Live() {
		if l.Record.ID == id {
			return "", nil
		}
	}
	rec, err := s.o.Records.Get(ctx, id)
	switch {
	case errors.Is(err, call.ErrNotFound), errors.Is(err, call.ErrUnavailable): // not written yet, or not to be read now
		if live := s.elsewhere(ctx, liveAsked{ID: id, Brief: true}).live; len(live) > 0 {
			return live[0].Record.Node, nil
		}
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find call: %w", err)
	}
	switch {
	case what == asFile, rec.Ended == nil:
		return rec.Node, nil
	case what == asLadder && s.o.Clock().Sub(*rec.Ended) < ladderRest:
		return rec.Node, nil
	}
	return "", nil
}

// passed are the headers that go along with what is passed on, and answeredBy those of the answer.
var (
	passed     = []string{"Accept", "Content-Type", "Range", "If-Range", "If-Modified-Since", "If-Unmodified-Since"}
	answeredBy = []string{
		"Accept-Ranges", "Allow", "Cache-Control", "Content-Length", "Content-Range", "Content-Type", "Last-Modified",
	}
)

// forward passes a request on to a node, for the bearer of its token, and its answer back. Errors: errAway, when nothing
// was answered yet.
func (s *Server) forward(w http.ResponseWriter, r *http.Request, name string, body []byte) (err error) {
	addr := ""
	for _, n := range s.o.Site.Others() {
		if n.Name == name {
			addr = n.HTTP
		}
	}
	if addr == "" {
		return fmt.Errorf("node %s is not among those that live: %w", name, errAway)
	}
	if err := s.deadline(w, recordingTimeout); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	late := time.AfterFunc(forwardWithin, cancel) // a recording takes longer, but begins
	by := bearerOf(r)
	header := make(http.Header)
	for _, name := range passed {
		if values := r.Header.Values(name); len(values) > 0 {
			header[name] = values
		}
	}
	resp, err := s.o.Site.Peer.Do(ctx, addr, peer.Request{
		Method: r.Method, URI: r.URL.RequestURI(), Header: header, Body: body,
		For: peer.For{Name: by.name, Role: string(by.role), Agent: by.agent},
	})
	if err != nil || !late.Stop() {
		if err == nil {
			err = errors.Join(context.DeadlineExceeded, resp.Body.Close())
		}
		return errors.Join(errAway, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode == http.StatusUnauthorized { // this node's signature; the bearer's token is good
		return fmt.Errorf("node %s does not take this node's signature, is node.secret the same there: %w", name, errAway)
	}
	for _, name := range answeredBy {
		if values := resp.Header.Values(name); len(values) > 0 {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(resp.StatusCode)
	if err := s.handThrough(w, resp); err != nil {
		// The answer has begun: only its end can say that it is not whole.
		s.o.Logger.Info("an answer was not passed on whole", zap.String("node", name), zap.Error(err))
		panic(http.ErrAbortHandler)
	}
	return nil
}

// handThrough hands an answer's body through. One of unknown length comes bit by bit, a capture of a call, and may last longer
// than anything else: what has come is sent on at once, and each part, and the end, must be read in time.
func (s *Server) handThrough(w http.ResponseWriter, resp *http.Response) error {
	if resp.ContentLength >= 0 {
		_, err := io.Copy(w, resp.Body)
		return err
	}
	out := &trickle{s: s, w: w, out: http.NewResponseController(w)}
	if _, err := io.Copy(out, resp.Body); err != nil {
		return err
	}
	return s.deadline(w, eventTimeout)
}
