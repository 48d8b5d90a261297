package web

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/call"
)

// Bounds of what a node tells the others' walls: what is more than that, or comes late, is shown where it happened alone.
const (
	maxUntold  = 256
	tellWithin = time.Second
)

// toldEvents are what has happened at a node.
type toldEvents struct {
	Events []call.Event `json:"events"`
}

// share has the other nodes show an event too. It does not wait for them.
func (s *Server) share(e call.Event) {
	if s.o.Site == nil {
		return
	}
	select {
	case s.untold <- e:
	default:
		s.o.Logger.Warn("too much happens for the other nodes' walls: they do not show all of it", zap.String("kind", string(e.Kind)))
	}
}

// tells tells the other nodes what happens here, until ctx is done.
func (s *Server) tells(ctx context.Context) {
	for {
		var news toldEvents
		select {
		case <-ctx.Done():
			return
		case e := <-s.untold:
			news.Events = append(news.Events, e)
		}
		for len(s.untold) > 0 { // nobody else takes
			news.Events = append(news.Events, <-s.untold)
		}
		s.tellNodes(ctx, news)
	}
}

func (s *Server) tellNodes(ctx context.Context, news toldEvents) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range s.o.Site.Others() {
		wg.Go(func() {
			if err := askNode(ctx, s.o.Site.Peer, n.HTTP, "tell", news, new(toldEvents)); err != nil {
				s.o.Logger.Debug("a node was not told what has happened here", zap.String("node", n.Name), zap.Error(err))
			}
		})
	}
	wg.Wait()
}

// nodeTell is POST /api/v1/site/tell: what has happened at another node, for those who watch this one.
func (s *Server) nodeTell(w http.ResponseWriter, r *http.Request) error {
	var news toldEvents
	if err := readBody(r, &news, "events"); err != nil {
		return err
	}
	if len(news.Events) > 2*maxUntold {
		return badRequest("the body: too many events", nil)
	}
	known := make(map[string]bool)
	for _, e := range s.alerts.newest() {
		known[e.ID()] = true
	}
	for _, e := range news.Events {
		if slices.Contains(call.EventKinds(), e.Kind) && !known[e.ID()] {
			s.alerts.add(e)
		}
	}
	return s.answerNode(w, r, toldEvents{})
}
