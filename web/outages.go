package web

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"hotline/call"
)

// Bounds of one outage.
const (
	maxAreas = 100
	maxNote  = 500 // characters
)

var (
	outageID   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	outageArea = regexp.MustCompile(`^[^\p{C}]{1,64}$`)
)

// outageDTO is an outage as the API writes it.
type outageDTO struct {
	ID      string   `json:"id"`
	Areas   []string `json:"areas"`
	From    stamp    `json:"from"`
	To      stamp    `json:"to"`
	Prompt  string   `json:"prompt"`
	Note    string   `json:"note"`
	By      string   `json:"by"`
	Changed stamp    `json:"changed"`
	Told    bool     `json:"told"` // now
}

func (s *Server) outage(o call.Outage) outageDTO {
	z := s.zone()
	areas := o.Areas
	if areas == nil {
		areas = []string{}
	}
	return outageDTO{
		ID: o.ID, Areas: areas, From: z.at(o.From), To: z.at(o.To), Prompt: o.Prompt, Note: o.Note, By: o.By,
		Changed: z.at(o.Changed), Told: o.Concerns(s.o.Clock(), "", true),
	}
}

// outages is /api/v1/outages: all planned outages, the first to begin first.
func (s *Server) outages(w http.ResponseWriter, r *http.Request) error {
	var all []call.Outage
	if s.o.Outages != nil {
		var err error
		if all, err = s.o.Outages.Outages(r.Context()); err != nil {
			return fmt.Errorf("list outages: %w", err)
		}
	}
	return writeJSON(w, struct {
		Outages []outageDTO `json:"outages"`
	}{each(all, s.outage)})
}

// changeOutage is PUT and DELETE of /api/v1/outages/{id}. Who did it is logged.
func (s *Server) changeOutage(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if s.o.Outages == nil || !outageID.MatchString(id) {
		return notFound("no outage can have this id: it is 1 to 64 of A-Z a-z 0-9 _ . -, a letter or digit first")
	}
	audit := call.Audit(s.o.Logger).With(zap.String("outage", id), zap.String("by", bearerOf(r).name))
	if r.Method == http.MethodDelete {
		err := s.o.Outages.DeleteOutage(r.Context(), id)
		if errors.Is(err, call.ErrNoOutage) {
			return notFound("no such outage")
		}
		if err != nil {
			return err
		}
		audit.Info("outage deleted")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	o, err := s.readOutage(r)
	if err != nil {
		return err
	}
	o.ID, o.By, o.Changed = id, bearerOf(r).name, s.o.Clock()
	if err := s.o.Outages.PutOutage(r.Context(), o); errors.Is(err, call.ErrTooMany) {
		return &problem{Status: http.StatusConflict, Detail: fmt.Sprintf("there are %d; delete one first", call.MaxOutages)}
	} else if err != nil {
		return err
	}
	audit.Info("outage put", zap.Time("from", o.From), zap.Time("to", o.To), zap.Strings("areas", o.Areas))
	return writeJSON(w, s.outage(o))
}

// readOutage reads what a PUT sends, and checks it. Errors say which field is wrong.
func (s *Server) readOutage(r *http.Request) (o call.Outage, err error) {
	var in struct {
		Areas  []string   `json:"areas"`
		From   *time.Time `json:"from"`
		To     *time.Time `json:"to"`
		Prompt string     `json:"prompt"`
		Note   string     `json:"note"`
	}
	if err := readBody(r, &in, "areas, from, to, prompt and note"); err != nil {
		return o, err
	}
	switch {
	case in.From == nil || in.To == nil || !in.From.Before(*in.To):
		return o, badRequest("from and to: two instants (RFC 3339) are needed, the first before the second", nil)
	case len(in.Areas) > maxAreas:
		return o, badRequest(fmt.Sprintf("areas: at most %d", maxAreas), nil)
	case in.Prompt != "" && !s.inForce.Load().HasPrompt(in.Prompt):
		return o, badRequest("prompt: there is none of that name; it is a file of the folder of prompts, without .wav", nil)
	case utf8.RuneCountInString(in.Note) > maxNote:
		return o, badRequest(fmt.Sprintf("note: at most %d characters", maxNote), nil)
	}
	for _, area := range in.Areas {
		if !outageArea.MatchString(area) {
			return o, badRequest("areas: each is 1 to 64 printable characters", nil)
		}
	}
	return call.Outage{Areas: in.Areas, From: *in.From, To: *in.To, Prompt: in.Prompt, Note: in.Note}, nil
}
