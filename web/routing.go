package web

import (
	"maps"
	"net/http"

	"hotline/call"
)

// routing is /api/v1/calls/{id}/routing: why the desk rang whom it rang for a call, so far.
func (s *Server) routing(w http.ResponseWriter, r *http.Request) error {
	rec, err := s.find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	later := 0
	if n := len(rec.Decisions); n > 0 {
		later = rec.Decisions[n-1].Later
	}
	return writeJSON(w, struct {
		Call      string        `json:"call"`
		Decisions []decisionDTO `json:"decisions"`
		Later     int           `json:"later"`
	}{rec.ID, each(rec.Decisions, s.zone().decision), later})
}

// decisionDTO is a decision as the API writes it.
type decisionDTO struct {
	At         stamp          `json:"at"`
	Queue      string         `json:"queue"`
	Rule       string         `json:"rule"`
	Chosen     []string       `json:"chosen"`
	Candidates []candidateDTO `json:"candidates"`
	More       int            `json:"more"`
	Excluded   map[string]int `json:"excluded"`
}

// candidateDTO is an agent who could be rung, as the API writes it.
type candidateDTO struct {
	Agent string `json:"agent"`
	Level int    `json:"level"`
	Key   string `json:"key"`
}

func (z zone) decision(d call.Decision) decisionDTO {
	excluded := map[string]int{} // {} and not null
	maps.Copy(excluded, d.Excluded)
	return decisionDTO{
		At: z.at(d.At), Queue: d.Queue, Rule: d.Rule, More: d.More, Excluded: excluded,
		Chosen: each(d.Chosen, func(id string) string { return id }),
		Candidates: each(d.Candidates, func(c call.Candidate) candidateDTO {
			return candidateDTO{Agent: c.Agent, Level: c.Level, Key: c.Key}
		}),
	}
}
