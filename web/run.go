package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"go.uber.org/zap"

	"hotline/web/peer"
)

// Run serves on Options.Listener, and other nodes on that of Options.Site, until ctx is done; then requests in progress
// get 5 s to end, and events end at once. It returns nil when all ended well.
func (s *Server) Run(ctx context.Context) error {
	listeners := []listening{{s.o.Listener, s.handler}}
	if s.o.Site != nil && s.o.Site.Listener != nil {
		listeners = append(listeners, listening{s.o.Site.Listener, nodesAlone(s.handler)})
	}
	if err := s.metrics.register(s.o.Metrics, s.watchers.held); err != nil {
		for _, l := range listeners {
			err = errors.Join(err, l.at.Close())
		}
		return err
	}
	defer s.metrics.unregister(s.o.Metrics)
	ended := make(chan ending, len(listeners))
	servers := make([]*http.Server, len(listeners))
	for i, l := range listeners {
		srv := s.server(l.handler)
		servers[i] = srv
		bounded := &limited{l.at, newPlaces(connsMost, connsEach, s.near)}
		go func() { ended <- ending{l.at.Addr(), srv.Serve(bounded)} }()
	}
	telling, hush := context.WithCancel(ctx)
	var teller sync.WaitGroup
	if s.o.Site != nil {
		teller.Go(func() { s.tells(telling) })
	}
	defer teller.Wait()
	defer hush()
	var err error
	left := len(listeners)
	select {
	case e := <-ended:
		err = fmt.Errorf("serve http on %s: %w", e.at, e.err)
		left--
	case <-ctx.Done():
	}
	s.once.Do(func() { close(s.closing) })
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	for _, srv := range servers {
		if shut := srv.Shutdown(within); shut != nil {
			err = errors.Join(err, fmt.Errorf("end http requests: %w", shut), srv.Close())
		}
	}
	for range left {
		if e := <-ended; !errors.Is(e.err, http.ErrServerClosed) {
			err = errors.Join(err, e.err)
		}
	}
	return err
}

// listening is where a handler is served, ending how that ended.
type (
	listening struct {
		at      net.Listener
		handler http.Handler
	}
	ending struct {
		at  net.Addr
		err error
	}
)

func (s *Server) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       s.timeout,
		WriteTimeout:      s.timeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          zap.NewStdLog(s.o.Logger.Named("http")),
	}
}

// nodesAlone serves other nodes and nobody else: neither pages nor people's tokens.
func nodesAlone(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !peer.Signed(r) || !strings.HasPrefix(r.URL.Path, "/api/") {
			secure(w.Header())
			http.Error(w, "this is for the other nodes of the hotline", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}
