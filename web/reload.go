package web

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Settings are what of the [Options] a reload changes.
type Settings struct {
	// Service is the hotline's name, shown on the page.
	Service string
	// AnswerRings and Talk are the two promises, ServiceLevel the service level's time.
	AnswerRings  int
	Talk         time.Duration
	ServiceLevel time.Duration
	// Tokens may use the API; one with an empty token opens nothing.
	Tokens []Token
	// HasPrompt reports whether there is a prompt of that name; nil: there is none.
	HasPrompt func(name string) bool
}

// inForce are the settings that requests are answered by. It never changes once it is stored.
type inForce struct {
	Settings
	tokens []hashedToken
}

// Apply puts settings in force, for requests that come from now on. It may be called from any goroutine.
func (s *Server) Apply(set Settings) {
	if set.HasPrompt == nil {
		set.HasPrompt = func(string) bool { return false }
	}
	f := &inForce{Settings: set, tokens: hashTokens(set.Tokens)}
	f.Tokens = nil // the hashes do
	s.inForce.Store(f)
}

// Reloaded is what became of reading the configuration anew.
type Reloaded struct {
	// Problems are all that is wrong with it, one line each: nothing was changed then.
	Problems []string `json:"problems"`
	// Restart are the settings that changed in the file and take effect at the next restart.
	Restart []string `json:"restart"`
}

// reload is POST /api/v1/reload: 200 when the configuration is in force; 422 with every problem when it is not, and
// nothing has changed.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) error {
	if s.o.Reload == nil {
		return notFound("nothing here can be reloaded")
	}
	done := s.o.Reload()
	call.Audit(s.o.Logger).Info("reload asked for", zap.String("token", bearerOf(r).name), zap.Int("problems", len(done.Problems)))
	if len(done.Problems) > 0 {
		return &problem{
			Status: http.StatusUnprocessableEntity, Detail: "the configuration has problems; nothing was changed",
			Problems: done.Problems,
		}
	}
	if done.Restart == nil {
		done.Restart = []string{}
	}
	return writeJSON(w, struct {
		Restart []string `json:"restart"`
	}{done.Restart})
}
