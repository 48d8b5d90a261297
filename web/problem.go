package web

import (
	"encoding/json"
	"maps"
	"net/http"

	"go.uber.org/zap"
)

// problem is an error with its HTTP answer, as problem details (RFC 9457). Its type is always
// about:blank, so its title is the status's own text (section 4.2.1).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Reason tells apart what one status stands for, for a page to put in words of its own; an extension as well.
	Reason string `json:"reason,omitempty"`
	// Problems are the lines of what is wrong with a configuration, an extension (RFC 9457 section 3.2).
	Problems []string `json:"problems,omitempty"`

	header http.Header // to be sent along
	cause  error       // for the log, never for the client
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.Detail + ": " + p.cause.Error()
	}
	return p.Detail
}

func (p *problem) Unwrap() error { return p.cause }

func notFound(detail string) error { return &problem{Status: http.StatusNotFound, Detail: detail} }

func badRequest(detail string, cause error) error {
	return &problem{Status: http.StatusBadRequest, Detail: detail, cause: cause}
}

func unavailable(detail string, cause error) error {
	return &problem{Status: http.StatusServiceUnavailable, Detail: detail, cause: cause}
}

// write answers with the problem.
func (p problem) write(w http.ResponseWriter, r *http.Request, log *zap.Logger) {
	p.Type, p.Title, p.Instance = "about:blank", http.StatusText(p.Status), r.URL.Path
	body, err := json.Marshal(p)
	if err != nil {
		log.Error("problem not encoded", zap.Error(err))
	}
	h := w.Header()
	maps.Copy(h, p.header)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Disposition")
	w.WriteHeader(p.Status)
	if _, err := w.Write(append(body, '\n')); err != nil {
		log.Debug("problem not sent", zap.Error(err))
	}
}
