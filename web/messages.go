package web

import (
	"net/http"

	"hotline/call"
)

// messages is /api/v1/messages: the calls whose callers left a message, as /api/v1/calls shows them, which says what
// else may be asked.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	query.Set("result", string(call.Message))
	r = r.Clone(r.Context())
	r.URL.RawQuery = query.Encode()
	return s.calls(w, r)
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
