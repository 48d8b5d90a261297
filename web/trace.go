package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"go.uber.org/zap"

	"hotline/call"
)

// trace is /api/v1/calls/{id}/trace: what the call said by SIP, live ones as far as they are. Numbers are
// masked unless numbers=1 asks for them, which is noted in the log.
func (s *Server) trace(w http.ResponseWriter, r *http.Request) error {
	numbers := r.URL.Query().Get("numbers")
	if numbers != "" && numbers != "1" {
		return badRequest("numbers: 1, to see telephone numbers, or nothing is needed", nil)
	}
	rec, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	ladder, err := s.o.Ladder(r.Context(), rec.ID)
	if errors.Is(err, call.ErrNotFound) {
		return notFound("none of the call's SIP messages are kept, or not any more: sip.trace_keep of the configuration says for how long")
	}
	if err != nil {
		return fmt.Errorf("find SIP messages: %w", err)
	}
	if numbers == "" {
		open, err := s.open(rec)
		if err != nil {
			return err
		}
		ladder = call.MaskLadder(ladder, open...)
	} else {
		bearer := bearerOf(r)
		call.Audit(s.o.Logger).Info("audit: numbers shown in a call's SIP messages", zap.String("call", rec.ID),
			zap.String("token", bearer.name), zap.String("role", string(bearer.role)), zap.String("client", r.RemoteAddr))
	}
	return writeJSON(w, struct {
		Call     string       `json:"call"`
		Messages []messageDTO `json:"messages"`
	}{rec.ID, each(ladder, s.zone().message)})
}

// open are the numbers that need not be masked: the hotline's own and those of agents.
func (s *Server) open(rec call.Record) ([]string, error) {
	open := []string{rec.OwnNumber()}
	agents, err := s.o.Agents()
	for _, a := range agents {
		open = append(open, a.ID)
	}
	return open, err
}

// messageDTO is a SIP message as the API writes it. What is not known is empty.
type messageDTO struct {
	At        stamp  `json:"at"`
	Party     string `json:"party"`
	Agent     bool   `json:"agent"`
	Received  bool   `json:"received"`
	Transport string `json:"transport"`
	Local     string `json:"local"`
	Remote    string `json:"remote"`
	Head      string `json:"head"`
	Body      string `json:"body"`
	Omitted   int    `json:"omitted"`
}

func (z zone) message(m call.SIPMessage) messageDTO {
	return messageDTO{
		At: z.at(m.At), Party: m.Party, Agent: m.Agent, Received: m.Received, Transport: m.Transport,
		Local: address(m.Local), Remote: address(m.Remote), Head: m.Head, Body: m.Body, Omitted: m.Omitted,
	}
}

// address is one as text, empty for none.
func address(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
