package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// How long a peer may be watched, and is if nothing is said.
const (
	watchLeast = time.Second
	watchMost  = 10 * time.Minute
	watchUsual = time.Minute
)

// Errors of Options.Watch.
var (
	ErrWatched   = errors.New("web: as many watch already as may")
	ErrNoSuchOne = errors.New("web: neither an address nor an agent that there is")
)

// watch is /api/v1/trace?peer=…&for=…: what one peer says and is told by SIP from now on, a line of JSON for each message
// as it crosses the wire. Numbers are masked unless numbers=1 asks for them. That somebody watches, whom, and what was
// shown are a line in the log at its beginning, and one at its end.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) error {
	if s.o.Watch == nil {
		return notFound("nothing is served here")
	}
	q := r.URL.Query()
	peer, numbers := q.Get("peer"), q.Get("numbers")
	if numbers != "" && numbers != "1" {
		return badRequest("numbers: 1, to see telephone numbers, or nothing is needed", nil)
	}
	lasting, err := lastingOf(q.Get("for"))
	if err != nil || r.Method == http.MethodHead {
		return err
	}
	ctx, cancel := s.untilClosing(r.Context(), lasting)
	defer cancel()
	bearer := bearerOf(r)
	audit := call.Audit(s.o.Logger).With(zap.String("by", bearer.name), zap.String("role", string(bearer.role)), zap.String("client", r.RemoteAddr),
		zap.String("peer", peer), zap.Bool("numbers", numbers == "1"))
	out := http.NewResponseController(w)
	began := false
	n, err := s.o.Watch(ctx, peer, numbers == "1", func() {
		began = true
		audit.Info("audit: SIP trace of a peer begins", zap.Duration("for", lasting))
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Set("Cache-Control", "no-store")
		_ = s.deadline(w, eventTimeout) // an error shows at the first message
		_ = out.Flush()                 // likewise; who asked knows now that he watches
	}, func(m call.SIPMessage) error { return s.showMessage(w, out, m) })
	switch {
	case errors.Is(err, ErrNoSuchOne):
		return badRequest("peer: an IP address, ADDRESS:PORT or the id of an agent is needed, and no agent has that one; "+
			"/api/v1/agents has them all; a caller or a trunk is watched by its address", nil)
	case errors.Is(err, ErrWatched):
		return unavailable("too many watch already", nil)
	}
	if began {
		audit.Info("audit: SIP trace of a peer ends", zap.Int("messages", n), zap.Error(err))
		return nil // the answer has begun: nothing else can be said
	}
	return err
}

// lastingOf is how long something is to be watched.
func lastingOf(text string) (time.Duration, error) {
	if text == "" {
		return watchUsual, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < watchLeast || d > watchMost {
		return 0, badRequest(fmt.Sprintf("for: a duration from %s to %s is needed, such as 60s", watchLeast, watchMost), err)
	}
	return d, nil
}

// untilClosing is a context that ends after a while, or with the server. cancel waits for what it began.
func (s *Server) untilClosing(parent context.Context, lasting time.Duration) (ctx context.Context, cancel func()) {
	ctx, stop := context.WithTimeout(parent, lasting)
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-s.closing:
			stop()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		stop()
		wg.Wait()
	}
}

// showMessage sends one message as a line.
func (s *Server) showMessage(w http.ResponseWriter, out *http.ResponseController, m call.SIPMessage) error {
	line, err := json.Marshal(s.zone().message(m))
	if err != nil {
		return fmt.Errorf("encode a SIP message: %w", err)
	}
	if err := s.deadline(w, eventTimeout); err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	return out.Flush()
}
