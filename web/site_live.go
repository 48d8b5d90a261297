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
	Ready bool        `json:"ready"` // it takes calls
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
	return s.answerNode(w, r, liveTold{live, s.o.Ready() == nil})
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

// farther is what the other nodes say, as far as they answer in time.
type farther struct {
	live  []call.Live
	ready map[string]bool // by name; one that did not answer is not there
}

// elsewhere are the calls in progress at the other nodes.
func (s *Server) elsewhere(ctx context.Context, a liveAsked) farther {
	f := farther{ready: make(map[string]bool)}
	var mu sync.Mutex
	s.askOthers(ctx, func(ctx context.Context, n Node) error {
		var got liveTold
		if err := askNode(ctx, s.o.Site.Peer, n.HTTP, "live", a, &got); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, l := range got.Calls {
			l.Record.Node = n.Name
			f.live = append(f.live, l)
		}
		f.ready[n.Name] = got.Ready
		return nil
	})
	return f
}

// askOthers asks all other nodes at once, and waits for liveWithin at most.
func (s *Server) askOthers(ctx context.Context, ask func(context.Context, Node) error) {
	if s.o.Site == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, liveWithin)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range s.o.Site.Others() {
		wg.Go(func() {
			if err := ask(ctx, n); err != nil {
				s.o.Logger.Debug("another node does not say", zap.String("node", n.Name), zap.Error(err))
			}
		})
	}
	wg.Wait()
}

// everywhere are the calls in progress at all nodes: those here, and for whoever asks this node and not for another one,
// those elsewhere.
func (s *Server) everywhere(r *http.Request) []call.Live {
	live := s.o.Live()
	if s.o.Site == nil || bearerOf(r).node != nil {
		return live
	}
	return append(slices.Clone(live), s.elsewhere(r.Context(), liveAsked{}).live...)
}
