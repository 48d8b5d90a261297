package web

import (
	"net/http"
)

// messages is /api/v1/messages: the calls whose callers left a message, as /api/v1/calls shows them, which says what
// else may be asked.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r.URL.Query())
	if err != nil {
		return err
	}
	q.Message = true
	return s.list(w, r, q)
}

// message is /api/v1/messages/{id}: the message that was left in a call, as audio.
func (s *Server) message(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if rec.Message == nil {
		return notFound("no message was left in this call")
	}
	return s.audio(w, r, rec, rec.Message.Name)
}
