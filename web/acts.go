package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"hotline/call"
)

// Shifts change what agents do. Package acd. Errors: those of package call about agents' wishes; any other means
// that nobody could be asked.
type Shifts interface {
	Pause(agent, reason string) error
	Ready(agent string) error
	// Login and Logout are of one queue, or of all ("").
	Login(agent, queue string) error
	Logout(agent, queue string) error
	// WrapUp gives the talk that goes on, or the last, a code.
	WrapUp(agent, code string) error
	ExtendWrapUp(agent string) error
	EndWrapUp(agent string) error
}

// maxReason bounds the reason of a pause, in characters.
const maxReason = 64

// wish is the body of a request to do something to an agent. Which fields mean something depends on the path.
type wish struct {
	Reason string `json:"reason"`
	Queue  string `json:"queue"`
	Code   string `json:"code"`
	Extend bool   `json:"extend"`
	End    bool   `json:"end"`
}

// errWish: the body asks for nothing that the path does.
var errWish = errors.New("a wish of another kind")

// act does what a path is for.
type act func(s Shifts, agent string, w wish) error

func pause(s Shifts, agent string, w wish) error {
	if w != (wish{Reason: w.Reason}) {
		return errWish
	}
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if utf8.RuneCountInString(w.Reason) > maxReason || slices.ContainsFunc([]rune(w.Reason), odd) {
		return badRequest(fmt.Sprintf("reason: at most %d printable characters", maxReason), nil)
	}
	return s.Pause(agent, w.Reason)
}

func ready(s Shifts, agent string, w wish) error {
	if w != (wish{}) {
		return errWish
	}
	return s.Ready(agent)
}

func login(s Shifts, agent string, w wish) error {
	if w != (wish{Queue: w.Queue}) {
		return errWish
	}
	return s.Login(agent, w.Queue)
}

func logout(s Shifts, agent string, w wish) error {
	if w != (wish{Queue: w.Queue}) {
		return errWish
	}
	return s.Logout(agent, w.Queue)
}

// wrapUp gives a talk a code, or makes the wrap-up longer, or ends it: one of the three.
func wrapUp(s Shifts, agent string, w wish) error {
	switch w {
	case wish{Extend: true}:
		return s.ExtendWrapUp(agent)
	case wish{End: true}:
		return s.EndWrapUp(agent)
	case wish{}:
		return errWish
	case wish{Code: w.Code}:
		return s.WrapUp(agent, w.Code)
	default:
		return errWish
	}
}

// acting is the handler of a path that does something to an agent: it answers with the agent as it is then. What
// was asked for, by whom, and what came of it is a line in the log.
func (s *Server) acting(name string, do act) handle {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.o.Shifts == nil {
			return notFound("nothing is served here")
		}
		agent, by := r.PathValue("id"), bearerOf(r)
		if by.role == AgentRole && by.agent != agent {
			return &problem{Status: http.StatusForbidden, Detail: "the token is not this agent's"}
		}
		asked, err := readWish(r)
		if err != nil {
			return err
		}
		err = problemOf(do(s.o.Shifts(), agent, asked))
		call.Audit(s.o.Logger).Info("audit: agent", zap.String("by", by.name), zap.String("act", name), zap.String("agent", agent),
			zap.Any("asked", asked), zap.Error(err))
		if err != nil {
			return err
		}
		return s.agent(w, agent)
	}
}

// agent writes one agent as it is now.
func (s *Server) agent(w http.ResponseWriter, id string) error {
	agents, err := s.o.Agents()
	if err != nil {
		return err
	}
	for _, a := range agents {
		if a.ID == id {
			return writeJSON(w, s.agentNow()(a))
		}
	}
	return notFound("no such agent")
}

// readWish reads a body: one JSON object, or nothing.
func readWish(r *http.Request) (w wish, err error) {
	if err = readBody(r, &w, "the fields of this path (reason; queue; code, extend or end)"); errors.Is(err, errEmpty) {
		return w, nil
	}
	return w, err
}

// refusals are what the errors of a wish are answered with.
var refusals = []struct {
	err    error
	status int
}{
	{call.ErrNoAgent, http.StatusNotFound},
	{call.ErrNotServed, http.StatusUnprocessableEntity},
	{call.ErrBadCode, http.StatusUnprocessableEntity},
	{call.ErrLoggedOut, http.StatusConflict},
	{call.ErrNoWrapUp, http.StatusConflict},
	{call.ErrWrapUpMax, http.StatusConflict},
	{call.ErrNoTalk, http.StatusConflict},
}

// problemOf is the answer to a wish that was refused; nil for one that was not.
func problemOf(err error) error {
	var said *problem
	if err == nil || errors.As(err, &said) {
		return err
	}
	if errors.Is(err, errWish) {
		return badRequest("the body: the fields of this path are needed, and no others", err)
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return &problem{Status: r.status, Detail: r.err.Error(), cause: err}
		}
	}
	return unavailable("the desk cannot be asked now", err)
}
