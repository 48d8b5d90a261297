package web

import (
	"net/http"
	"time"
)

// Trunk is how a trunk is just now.
type Trunk struct {
	Name string
	// Up is whether it answers pings; nil where it is not pinged, or not known yet.
	Up *bool
	// Calls are those under way, both ways.
	Calls int
	// Registration is trying, registered, refused or unreachable; empty where the trunk does not register.
	Registration string
	// Until is when the registration ends unless it is refreshed; the zero time where there is none.
	Until time.Time
	// Code is the SIP status that the carrier answered last; 0 for none.
	Code int
}

type trunkDTO struct {
	Name         string           `json:"name"`
	Up           *bool            `json:"up"`
	Calls        int              `json:"calls"`
	Registration *registrationDTO `json:"registration"`
}

type registrationDTO struct {
	State string `json:"state"`
	Until *stamp `json:"until"`
	Code  int    `json:"code,omitempty"`
}

// trunks is /api/v1/trunks: in the order of the configuration.
func (s *Server) trunks(w http.ResponseWriter, _ *http.Request) error {
	var all []Trunk
	if s.o.Trunks != nil {
		all = s.o.Trunks()
	}
	return writeJSON(w, struct {
		Trunks []trunkDTO `json:"trunks"`
	}{each(all, func(t Trunk) trunkDTO {
		out := trunkDTO{Name: t.Name, Up: t.Up, Calls: t.Calls}
		if t.Registration != "" {
			out.Registration = &registrationDTO{State: t.Registration, Code: t.Code}
			if !t.Until.IsZero() {
				out.Registration.Until = s.zone().maybe(&t.Until)
			}
		}
		return out
	})})
}
