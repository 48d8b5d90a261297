package web

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"hotline/call"
)

// pcap is /api/v1/calls/{id}/pcap?for=…: what a call in progress says by SIP and RTP from now on, as a capture file. That
// somebody has it, of which call, how much it was, what is missing and why it ended are a line in the log at its beginning,
// and one at its end.
func (s *Server) pcap(w http.ResponseWriter, r *http.Request) error {
	if s.o.Pcap == nil {
		return notFound("nothing is served here")
	}
	lasting, err := lastingOf(r.URL.Query().Get("for"))
	if err != nil || r.Method == http.MethodHead {
		return err
	}
	ctx, cancel := s.untilClosing(r.Context(), lasting)
	defer cancel()
	id, bearer := r.PathValue("id"), bearerOf(r)
	audit := call.Audit(s.o.Logger).With(zap.String("by", bearer.name), zap.String("role", string(bearer.role)), zap.String("client", r.RemoteAddr),
		zap.String("call", id))
	out := &trickle{s: s, w: w, out: http.NewResponseController(w)}
	began := false
	done, err := s.o.Pcap(ctx, id, out, func() {
		began = true
		audit.Info("audit: capture of a call begins", zap.Duration("for", lasting))
		w.Header().Set("Content-Type", "application/x-pcapng")
		w.Header().Set("Cache-Control", "no-store")
	})
	switch {
	case errors.Is(err, call.ErrNotFound):
		return notFound("no such call in progress at this node")
	case errors.Is(err, ErrWatched):
		return unavailable("too many watch already", nil)
	}
	if began {
		audit.Info("audit: capture of a call ends", zap.Int("packets", done.Packets), zap.Int("missed", done.Missed),
			zap.Int("unsure", done.Unsure), zap.String("end", string(done.End)), zap.Error(err))
		return nil // the answer has begun: nothing else can be said
	}
	return err
}

// trickle writes an answer that comes bit by bit: each must be read in time, and is sent at once.
type trickle struct {
	s   *Server
	w   http.ResponseWriter
	out *http.ResponseController
}

func (t *trickle) Write(b []byte) (int, error) {
	if err := t.s.deadline(t.w, eventTimeout); err != nil {
		return 0, err
	}
	n, err := t.w.Write(b)
	if err != nil {
		return n, err
	}
	return n, t.out.Flush()
}
