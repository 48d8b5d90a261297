package web

import (
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"hotline/call"
)

// Picker has one agent rung for a caller who waits. Package call. Errors: those of [call.Exchange.Pick].
type Picker interface {
	Pick(ctx context.Context, id, agent string) error
}

// choice is the body of a request to have one agent rung, and its answer.
type choice struct {
	Agent string `json:"agent"`
}

// pick is /api/v1/calls/{id}/pick: that agent is rung for the caller of a call, before anybody else, and the answer is
// 202. What was asked for, by whom, and what came of it is a line in the log.
func (s *Server) pick(w http.ResponseWriter, r *http.Request) error {
	if s.o.Picker == nil {
		return notFound("nothing is served here")
	}
	id, by := r.PathValue("id"), bearerOf(r).name
	var wish choice
	if err := readBody(r, &wish, "agent"); err != nil {
		return err
	}
	err := s.mayBePicked(wish.Agent)
	if err == nil {
		err = problemOfPick(s.o.Picker().Pick(r.Context(), id, wish.Agent))
	}
	call.Audit(s.o.Logger).Info("audit: pick", zap.String("by", by), zap.String("call", id), zap.String("agent", wish.Agent), zap.Error(err))
	if err != nil {
		return err
	}
	return writeStatus(w, http.StatusAccepted, wish)
}

// mayBePicked refuses an agent whom there is none of, and one whose phone cannot be rung now: the caller would lose the
// phone that rings, for nothing.
func (s *Server) mayBePicked(id string) error {
	agents, err := s.o.Agents()
	if err != nil {
		return err
	}
	for _, a := range agents {
		if a.ID != id {
			continue
		}
		switch a.State { //nolint:exhaustive // in every other state the phone can be rung
		case call.AgentOffline, call.AgentTalking, call.AgentRinging:
			return &problem{Status: http.StatusConflict, Detail: "the agent is " + string(a.State)}
		}
		return nil
	}
	return &problem{Status: http.StatusUnprocessableEntity, Detail: "no such agent"}
}

// pickRefusals are what the errors of such a wish are answered with.
var pickRefusals = []struct {
	err    error
	status int
}{
	{call.ErrNotFound, http.StatusNotFound},
	{call.ErrNotWaiting, http.StatusConflict},
	{call.ErrPicked, http.StatusConflict},
	{call.ErrAlarm, http.StatusConflict},
}

// problemOfPick is the answer to a wish that was refused; nil for one that was not.
func problemOfPick(err error) error {
	for _, r := range pickRefusals {
		if errors.Is(err, r.err) {
			return &problem{Status: r.status, Detail: r.err.Error(), cause: err}
		}
	}
	return err
}
