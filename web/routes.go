package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/web/peer"
)

// handle answers one route; an error becomes a problem, a *problem the one it says.
type handle func(w http.ResponseWriter, r *http.Request) error

// route is one line of the table: read with GET and HEAD, unless it has methods of its own. Open ones need no
// token.
type route struct {
	pattern string
	method  string // or several: "PUT, DELETE"
	open    bool
	nodes   bool   // other nodes alone, see Site
	roles   []Role // besides Supervisor
	handle  handle
}

func (s *Server) table() []route {
	return []route{
		{pattern: "/{$}", open: true, handle: page("index.html")},
		{pattern: "/supervise", open: true, handle: page("supervise.html")}, // what it shows, it asks the API for
		{pattern: "/assets/{name}", open: true, handle: s.asset},
		{pattern: "/events", open: true, handle: s.events},
		{pattern: "/healthz", open: true, handle: s.healthz},
		{pattern: "/readyz", open: true, handle: s.readyz},
		{pattern: "/metrics", open: true, handle: s.scrape()},
		{pattern: "/api/v1/calls", roles: []Role{Auditor}, handle: s.calls},
		{pattern: "/api/v1/calls/{id}", roles: []Role{Auditor}, handle: s.at(asRecord, s.call)},
		{pattern: "/api/v1/calls/{id}/routing", roles: []Role{Auditor}, handle: s.at(asRecord, s.routing)},
		{pattern: "/api/v1/calls/{id}/trace", roles: []Role{Auditor}, handle: s.at(asLadder, s.trace)},
		{pattern: "/api/v1/calls/{id}/pcap", handle: s.at(asDeed, s.pcap)},
		{pattern: "/api/v1/trace", handle: s.watch},
		{pattern: "/api/v1/calls/{id}/supervise", method: "POST, DELETE", handle: s.at(asDeed, s.supervise)},
		{pattern: "/api/v1/calls/{id}/pick", method: http.MethodPost, handle: s.at(asDeed, s.pick)},
		{pattern: "/api/v1/recordings/{id}", roles: []Role{Auditor}, handle: s.at(asFile, s.recording)},
		{pattern: "/api/v1/events", roles: []Role{Auditor}, handle: s.recent},
		{pattern: "/api/v1/queues", roles: []Role{AgentRole}, handle: s.queues},
		{pattern: "/api/v1/agents", roles: []Role{AgentRole}, handle: s.agents},
		{pattern: "/api/v1/trunks", roles: []Role{Auditor}, handle: s.trunks},
		{pattern: "/api/v1/site", handle: s.site},
		{pattern: sitePath + "yield", method: http.MethodPost, nodes: true, handle: s.nodeYield},
		{pattern: sitePath + "holds", method: http.MethodPost, nodes: true, handle: s.nodeHolds},
		{pattern: sitePath + "live", method: http.MethodPost, nodes: true, handle: s.nodeLive},
		{pattern: sitePath + "annotate", method: http.MethodPost, nodes: true, handle: s.nodeAnnotate},
		{pattern: sitePath + "ready", method: http.MethodPost, nodes: true, handle: s.nodeReady},
		{pattern: sitePath + "tell", method: http.MethodPost, nodes: true, handle: s.nodeTell},
		{pattern: "/api/v1/reload", method: http.MethodPost, handle: s.reload},
		{pattern: "/api/v1/outages", roles: []Role{Auditor, AgentRole}, handle: s.outages},
		{pattern: "/api/v1/messages", roles: []Role{Auditor}, handle: s.messages},
		{pattern: "/api/v1/messages/{id}", roles: []Role{Auditor}, handle: s.at(asFile, s.message)},
		{pattern: "/api/v1/callbacks", handle: s.callbacks},
		{pattern: "/api/v1/callbacks/{id}", method: http.MethodDelete, handle: s.cancelCallback},
		{pattern: "/api/v1/bans", handle: s.bans},
		{pattern: "/api/v1/bans/{address}", method: http.MethodDelete, handle: s.unban},
		{pattern: "/api/v1/outages/{id}", method: "PUT, DELETE", handle: s.changeOutage},
		s.actingRoute("pause", pause),
		s.actingRoute("ready", ready),
		s.actingRoute("login", login),
		s.actingRoute("logout", logout),
		s.actingRoute("wrap-up", wrapUp),
	}
}

// actingRoute is the route of something that is done to an agent: by a supervisor, or by that agent.
func (s *Server) actingRoute(name string, do act) route {
	return route{
		pattern: "/api/v1/agents/{id}/" + name, method: http.MethodPost, roles: []Role{AgentRole},
		handle: s.acting(name, do),
	}
}

// routes builds the handler of everything.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range s.table() {
		if !rt.nodes || s.o.Site != nil {
			mux.Handle(rt.pattern, s.wrap(rt))
		}
	}
	mux.Handle("/", s.wrap(route{pattern: "unknown", open: true, roles: []Role{Auditor, AgentRole}, handle: func(http.ResponseWriter, *http.Request) error {
		return notFound("nothing is served here; what is, is below /api/v1/: calls, recordings, messages, queues, agents, events, outages, callbacks, bans, reload, site, trace, trunks")
	}}))
	return mux
}

// wrap puts a route behind what all have in common: limits, headers, method, token, role, errors,
// and a recover.
func (s *Server) wrap(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w}
		defer func() { s.metrics.answered(rt.pattern, sw.status) }()
		defer s.contain(sw, r)
		r.Body = http.MaxBytesReader(sw, r.Body, rt.maxBody())
		secure(sw.Header())
		r, err := s.admit(rt, r)
		if err != nil {
			s.fail(sw, r, err)
			return
		}
		if err := rt.handle(sw, r); err != nil {
			s.fail(sw, r, err)
		}
	})
}

// secure sets the headers of every answer: the page runs nothing but its own files, and is put in
// nobody's frame.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// admit checks method, token and role, and returns the request with who asks. An unknown method is refused before
// the token is looked at.
func (s *Server) admit(rt route, r *http.Request) (*http.Request, error) {
	if rt.pattern != "unknown" {
		if err := rt.allows(r.Method); err != nil {
			return r, err
		}
	}
	if rt.open && !strings.HasPrefix(r.URL.Path, "/api/") {
		return r, nil
	}
	bearer, err := s.whoAsks(r) // also for unknown paths of the API: what exists is not told to strangers
	if err != nil {
		return r, err
	}
	switch {
	case rt.nodes:
		if bearer.role != nodeRole {
			return r, &problem{Status: http.StatusForbidden, Detail: "this is for the other nodes of the hotline"}
		}
	case bearer.role != Supervisor && !slices.Contains(rt.roles, bearer.role):
		return r, &problem{Status: http.StatusForbidden, Detail: rt.needs(bearer.role)}
	}
	return r.WithContext(context.WithValue(r.Context(), bearerKey{}, bearer)), nil
}

// whoAsks is the bearer of a token, here or at another node that passes on what was asked there, or that node itself.
func (s *Server) whoAsks(r *http.Request) (hashedToken, error) {
	if s.o.Site != nil && peer.Signed(r) {
		return s.fromNode(r)
	}
	return s.authenticate(r)
}

// maxBody bounds a request's body, in octets.
func (rt route) maxBody() int64 {
	if rt.nodes {
		return maxNodeBody
	}
	return maxBody
}

// needs says to the bearer of a token what may be used here.
func (rt route) needs(has Role) string {
	may := each(append([]Role{Supervisor}, rt.roles...), func(r Role) string { return string(r) })
	return fmt.Sprintf("the token's role is %s; this needs %s", has, strings.Join(may, " or "))
}

// allows refuses a method that the route does not have.
func (rt route) allows(method string) error {
	allowed, detail := "GET, HEAD", "this can only be read"
	if rt.method != "" {
		allowed, detail = rt.method, "this is asked for by "+rt.method
	}
	if slices.Contains(strings.Split(allowed, ", "), method) {
		return nil
	}
	return &problem{
		Status: http.StatusMethodNotAllowed, Detail: detail, header: http.Header{"Allow": {allowed}},
	}
}

// contain turns a panic into a 500, so that it ends one request.
func (s *Server) contain(w *statusWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler { //nolint:errorlint // net/http's own way to say: drop the connection
		panic(fault)
	}
	s.o.Panicked()
	s.o.Logger.Error("panic in a web handler", zap.Any("panic", fault), zap.String("path", r.URL.Path),
		zap.ByteString("stack", debug.Stack()))
	if w.status == 0 {
		problem{Status: http.StatusInternalServerError, Detail: "a fault of ours; it is logged"}.write(w, r, s.o.Logger)
	}
}

// fail answers with what err says, and logs what is our fault.
func (s *Server) fail(w *statusWriter, r *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, call.ErrUnavailable):
		p = &problem{
			Status: http.StatusServiceUnavailable, cause: err,
			Detail: "the database of call records does not answer; calls go on, and their records are kept until it does",
		}
	default:
		p = &problem{Status: http.StatusInternalServerError, Detail: "a fault of ours; it is logged"}
	}
	if p.Status == http.StatusInternalServerError && r.Context().Err() == nil {
		s.o.Logger.Error("web request failed", zap.String("path", r.URL.Path), zap.Error(err))
	}
	if w.status == 0 {
		p.write(w, r, s.o.Logger)
	}
}

// scrape is /metrics. It shows no personal data (no label holds any), so it needs no token.
func (s *Server) scrape() handle {
	h := promhttp.HandlerFor(s.o.Gatherer, promhttp.HandlerOpts{
		ErrorLog: zap.NewStdLog(s.o.Logger.Named("metrics")), ErrorHandling: promhttp.ContinueOnError,
	})
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// healthz says that the process is alive, and of one of several how it stands to the others.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, status{Status: "ok", Site: s.siteState()})
}

// readyz says whether calls are taken: 503 while starting and while draining. A node that is cut off from the others
// takes them.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) error {
	if err := s.o.Ready(); err != nil {
		return unavailable("not ready: "+err.Error(), err)
	}
	return writeJSON(w, status{Status: "ready", Site: s.siteState()})
}

type status struct {
	Status string         `json:"status"`
	Site   call.SiteState `json:"site,omitempty"`
}

// siteState is how this node stands to the others, empty where it is alone.
func (s *Server) siteState() call.SiteState {
	if s.o.Site == nil {
		return ""
	}
	return s.o.Site.Status().State
}

// writeJSON answers 200.
func writeJSON(w http.ResponseWriter, v any) error { return writeStatus(w, http.StatusOK, v) }

// writeStatus answers with a status and an object; what was asked of the API is nobody's to keep.
func writeStatus(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(append(body, '\n'))
	return sent(err)
}

// statusWriter remembers the status that was sent; 0 while none was.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
