package web

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"hotline/call"
)

// Supervision has supervisors hear talks. Package call. Errors: those of package call about supervisors.
type Supervision interface {
	// Supervise rings a supervisor's phone, rung then being true, or changes the mode of one who is on the line.
	Supervise(ctx context.Context, id, phone string, mode call.Mode) (rung bool, err error)
	Unsupervise(id string) error
}

// ear is the body of a request to hear a call, and its answer.
type ear struct {
	Phone string    `json:"phone"`
	Mode  call.Mode `json:"mode"`
}

// supervise is /api/v1/calls/{id}/supervise: POST has a supervisor's phone rung, which is answered 202, or changes how
// they are heard; DELETE takes them off the line. What was asked for, by whom, and what came of it is a line in the log.
func (s *Server) supervise(w http.ResponseWriter, r *http.Request) error {
	if s.o.Supervision == nil {
		return notFound("nothing is served here")
	}
	id, by := r.PathValue("id"), bearerOf(r).name
	if r.Method == http.MethodDelete {
		err := problemOfSupervision(s.o.Supervision().Unsupervise(id))
		call.Audit(s.o.Logger).Info("audit: supervise", zap.String("by", by), zap.String("call", id), zap.String("mode", "none"), zap.Error(err))
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
	var wish ear
	if err := readBody(r, &wish, "phone and mode (listen, whisper or join)"); err != nil {
		return err
	}
	rung, err := s.o.Supervision().Supervise(r.Context(), id, wish.Phone, wish.Mode)
	err = problemOfSupervision(err)
	call.Audit(s.o.Logger).Info("audit: supervise", zap.String("by", by), zap.String("call", id), zap.String("phone", wish.Phone),
		zap.String("mode", string(wish.Mode)), zap.Error(err))
	if err != nil {
		return err
	}
	return writeStatus(w, map[bool]int{true: http.StatusAccepted, false: http.StatusOK}[rung], wish)
}

// superviseRefusals are what the errors of a wish to hear a call are answered with; the reasons are known to the page.
var superviseRefusals = []struct {
	err    error
	status int
	reason string
}{
	{call.ErrNotFound, http.StatusNotFound, ""},
	{call.ErrNoSupervisor, http.StatusUnprocessableEntity, "no-supervisor"},
	{call.ErrBadMode, http.StatusUnprocessableEntity, "bad-mode"},
	{call.ErrNotTalking, http.StatusConflict, "not-talking"},
	{call.ErrEngaged, http.StatusConflict, "engaged"},
	{call.ErrSupervised, http.StatusConflict, "supervised"},
	{call.ErrSupervisedOften, http.StatusConflict, "too-often"},
}

// problemOfSupervision is the answer to a wish that was refused; nil for one that was not.
func problemOfSupervision(err error) error {
	for _, r := range superviseRefusals {
		if errors.Is(err, r.err) {
			return &problem{Status: r.status, Detail: r.err.Error(), Reason: r.reason, cause: err}
		}
	}
	return err
}
