package web

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"hotline/call"
)

// callbackDTO is an open callback as the API writes it.
type callbackDTO struct {
	ID      string `json:"id"`
	Number  string `json:"number"`
	Queue   string `json:"queue"`
	Call    string `json:"call"` // in which it was asked for
	Entered stamp  `json:"entered"`
	Asked   stamp  `json:"asked"`
	Due     stamp  `json:"due"`
	Tries   int    `json:"tries"`
}

func (z zone) callback(b call.Booking) callbackDTO {
	return callbackDTO{
		ID: b.ID, Number: b.Number, Queue: b.Queue, Call: b.Origin, Entered: z.at(b.Entered), Asked: z.at(b.Asked),
		Due: z.at(b.Due), Tries: b.Tries,
	}
}

// callbacks is /api/v1/callbacks: those open, the first due first.
func (s *Server) callbacks(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, struct {
		Callbacks []callbackDTO `json:"callbacks"`
	}{each(s.o.Callbacks(), s.zone().callback)})
}

// cancelCallback is DELETE of /api/v1/callbacks/{id}. Who did it is logged.
func (s *Server) cancelCallback(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	err := s.o.CancelCallback(r.Context(), id)
	if errors.Is(err, call.ErrNoBooking) {
		return notFound("no such callback is open")
	}
	if err != nil {
		return err
	}
	call.Audit(s.o.Logger).Info("callback cancelled", zap.String("callback", id), zap.String("by", bearerOf(r).name))
	w.WriteHeader(http.StatusNoContent)
	return nil
}
