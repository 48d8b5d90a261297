package web

import (
	"fmt"
	"net/http"
	"strconv"

	"hotline/call"
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

// message is /api/v1/messages/{id}: the message that was left in a call, as audio; with ?n=N the Nth of several, else
// the last.
func (s *Server) message(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	messages := rec.Messages()
	n := len(messages)
	if text := r.URL.Query().Get("n"); text != "" {
		if n, err = strconv.Atoi(text); err != nil {
			return badRequest(fmt.Sprintf("n: a number from 1 to %d is needed", call.MaxMessages), err)
		}
	}
	if n < 1 || n > len(messages) {
		return notFound("no such message was left in this call")
	}
	return s.audio(w, r, rec, messages[n-1].Name)
}
