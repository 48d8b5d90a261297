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

// liveWithin bounds how long other nodes are waited for when a page wants to know how things stand.
const liveWithin = 700 * time.Millisecond

// liveAsked is which calls in progress a node is asked for: one, or all; brief is what the wall shows of each.
type liveAsked struct {
	ID    string `json:"id,omitempty"`
	Brief bool   `json:"brief,omitempty"`
}

type liveTold struct {
	Calls []call.Live `json:"calls"`
}

// nodeLive is POST /api/v1/site/live: the calls in progress here.
func (s *Server) nodeLive(w http.ResponseWriter, r *http.Request) error {
	var a liveAsked
	if err := readBody(r, &a, "id and brief"); err != nil {
		return err
	}
	live := slices.DeleteFunc(slices.Clone(s.o.Live()), func(l call.Live) bool { return a.ID != "" && l.Record.ID != a.ID })
	if a.Brief {
		live = each(live, brief)
	}
	return s.answerNode(w, r, liveTold{live})
}

// brief is a call as the wall needs it: a thousand of them in each second.
func brief(l call.Live) call.Live {
	r := l.Record
	l.Record = call.Record{ID: r.ID, Node: r.Node, Kind: r.Kind, From: call.Mask(r.From), Started: r.Started}
	l.Record.Visits = r.Visits
	l.Record.Talks = each(r.Talks, func(t call.TalkRecord) call.TalkRecord {
		return call.TalkRecord{Queue: t.Queue, Agent: t.Agent, Number: call.Mask(t.Number), Answered: t.Answered}
	})
	return l
}

// elsewhere are the calls in progress at the other nodes, as far as these answer in time.
func (s *Server) elsewhere(ctx context.Context, a liveAsked) (live []call.Live) {
	if s.o.Site == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, liveWithin)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, n := range s.o.Site.Others() {
		wg.Go(func() {
			var got liveTold
			if err := askNode(ctx, s.o.Site.Peer, n.HTTP, "live", a, &got); err != nil {
				s.o.Logger.Debug("a node does not say what calls it has", zap.String("node", n.Name), zap.Error(err))
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, l := range got.Calls {
				l.Record.Node = n.Name
				live = append(live, l)
			}
		})
	}
	wg.Wait()
	return live
}

// everywhere are the calls in progress at all nodes: those here, and for whoever asks this node and not for another one,
// those elsewhere.
func (s *Server) everywhere(r *http.Request) []call.Live {
	live := s.o.Live()
	if s.o.Site == nil || bearerOf(r).node != nil {
		return live
	}
	return append(slices.Clone(live), s.elsewhere(r.Context(), liveAsked{})...)
}
