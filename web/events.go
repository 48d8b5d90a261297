package web

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"hotline/call"
)

const (
	// eventEvery is how often the page is told how things stand.
	eventEvery = time.Second
	// summaryEvery is how often today's figures are counted again.
	summaryEvery = 3 * time.Second
	// eventTimeout is how long a watcher may take to read one event; a slower one is let go, and its
	// browser connects again by itself.
	eventTimeout = 10 * time.Second
	// summaryTimeout bounds the count, so that a slow disk does not freeze the page.
	summaryTimeout = 2 * time.Second
	// maxLiveShown bounds the calls listed in one event.
	maxLiveShown = 100
)

// events is /events: a server-sent event (WHATWG HTML, section 9.2) with the whole state each second.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	free, ok := s.watchers.take(clientOf(r))
	if !ok {
		return unavailable("too many watch already", nil)
	}
	defer free()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return nil
	}
	out := http.NewResponseController(w)
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	for rung := false; ; {
		bell := s.alerts.bell()
		event, err := s.next(r.Context(), rung)
		if err != nil {
			return err
		}
		if err := s.deadline(w, eventTimeout); err != nil {
			return err
		}
		if _, err := w.Write(event); err != nil {
			return sent(err)
		}
		if err := out.Flush(); err != nil {
			return sent(err)
		}
		rung = false
		select {
		case <-tick.C:
		case <-bell:
			rung = true
			s.lull(r.Context())
		case <-r.Context().Done():
		case <-s.closing:
		}
		if r.Context().Err() != nil || s.closed() {
			return nil
		}
	}
}

// next is what a watcher is sent: how things stand, or, when the bell has rung, the alerts alone.
func (s *Server) next(ctx context.Context, rung bool) ([]byte, error) {
	if rung {
		return s.alertEvent()
	}
	return s.snapshot.get(ctx, s)
}

// closed reports whether the server ends.
func (s *Server) closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// snapshot is the event that all watchers of one second share.
type snapshot struct {
	mu    sync.Mutex
	event []byte
	made  time.Time
}

// get returns the event, made anew if it is of an earlier second.
func (n *snapshot) get(ctx context.Context, s *Server) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := s.o.Clock()
	if n.event != nil && now.Sub(n.made) < eventEvery*9/10 { // the tenth: two tickers are never quite alike
		return n.event, nil
	}
	today := s.today(ctx, now)
	elsewhere := s.elsewhere(ctx, liveAsked{Brief: true})
	s.follow(context.WithoutCancel(ctx), elsewhere.live)
	board, err := s.board(now, today, elsewhere)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(board)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	n.event, n.made = fmt.Appendf(nil, "retry: 2000\ndata: %s\n\n", body), now
	return n.event, nil
}

// boardDTO is what the page shows. It holds no personal data.
type boardDTO struct {
	Service string         `json:"service"`
	Now     stamp          `json:"now"`
	Ready   bool           `json:"ready"`
	Targets targetsDTO     `json:"targets"`
	Today   *todayDTO      `json:"today"`  // null when it cannot be counted
	Alerts  []alertCard    `json:"alerts"` // alarms first, then the newest
	Queues  []queueCard    `json:"queues"`
	Agents  []agentCard    `json:"agents"`
	Calls   []liveCard     `json:"calls"`
	States  map[string]int `json:"states"` // agents by state
	Total   int            `json:"total"`  // calls in progress, of which calls lists the first
	Talking int            `json:"talking"`
	// Node is this one, of several, and Nodes are those that live; a node alone has none.
	Node  string          `json:"node,omitempty"`
	State call.SiteState  `json:"state,omitempty"`
	Nodes []boardNodeCard `json:"nodes,omitempty"`
}

type boardNodeCard struct {
	Name  string `json:"name"`
	Ready *bool  `json:"ready"` // it takes calls; null when it did not say
	Calls int    `json:"calls"` // in progress there
}

type targetsDTO struct {
	Rings        int     `json:"rings"`
	Talk         seconds `json:"talk_seconds"`
	ServiceLevel seconds `json:"service_level_seconds"`
}

type queueCard struct {
	queueDTO
	Alarm bool `json:"alarm"`
}

type agentCard struct {
	ID    string          `json:"id"`
	State call.AgentState `json:"state"`
	Since stamp           `json:"since"`
	Calls int             `json:"calls"`
	Node  string          `json:"node,omitempty"` // of several, the one at which the phone is registered
}

type liveCard struct {
	From  string    `json:"from"` // masked
	Queue string    `json:"queue"`
	Agent string    `json:"agent"`
	At    call.Kind `json:"at"`
	Held  bool      `json:"held"`
	Since stamp     `json:"since"` // of what the call is at
	Alarm bool      `json:"alarm"`
	Node  string    `json:"node,omitempty"` // whose call it is, of several
}

// board is how things stand now, with the calls of other nodes: alarms first, then what is longest.
func (s *Server) board(now time.Time, today call.Summaries, elsewhere farther) (boardDTO, error) {
	queues, err := s.o.Queues()
	if err != nil {
		return boardDTO{}, err
	}
	agents, err := s.o.Agents()
	if err != nil {
		return boardDTO{}, err
	}
	z, set := s.zone(), s.inForce.Load()
	b := boardDTO{
		Service: set.Service, Now: z.at(now), Ready: s.o.Ready() == nil, Today: wholeDay(today),
		Targets: targetsDTO{set.AnswerRings, seconds(set.Talk.Seconds()), seconds(set.ServiceLevel.Seconds())},
		States:  make(map[string]int),
		Alerts:  s.alertCards(now),
	}
	alarms := make(map[string]bool)
	b.Queues = each(queues, func(q call.QueueView) queueCard {
		alarms[q.Name] = q.Priority >= s.o.AlarmPriority
		return queueCard{queueDTO: queueOf(q, today), Alarm: alarms[q.Name]}
	})
	slices.SortStableFunc(b.Queues, func(a, b queueCard) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	agents = without(agents, func(a call.AgentView) bool { return a.Supervisor })
	phoneAt := s.phonesAt()
	b.Agents = each(agents, func(a call.AgentView) agentCard {
		b.States[string(a.State)]++
		return agentCard{ID: a.ID, State: a.State, Since: z.at(a.Since), Calls: a.Calls, Node: phoneAt(a)}
	})
	slices.SortFunc(b.Agents, func(a, b agentCard) int { return cmp.Compare(a.ID, b.ID) })
	live := without(append(slices.Clone(s.o.Live()), elsewhere.live...), func(l call.Live) bool { return l.Record.Kind == call.KindSupervision })
	b.Calls = each(live, func(l call.Live) liveCard { return z.live(l, alarms) })
	slices.SortStableFunc(b.Calls, func(a, b liveCard) int {
		if a.Alarm != b.Alarm {
			return map[bool]int{true: -1, false: 1}[a.Alarm]
		}
		return time.Time(a.Since).Compare(time.Time(b.Since))
	})
	b.Total = len(b.Calls)
	for _, c := range b.Calls {
		if c.At == call.Talk {
			b.Talking++
		}
	}
	s.nodes(&b, elsewhere)
	b.Calls = b.Calls[:min(len(b.Calls), maxLiveShown)]
	return b, nil
}

// nodes shows those of a site.
func (s *Server) nodes(b *boardDTO, elsewhere farther) {
	if s.o.Site == nil {
		return
	}
	calls := make(map[string]int)
	for _, c := range b.Calls {
		calls[c.Node]++
	}
	status := s.o.Site.Status()
	b.Node, b.State = s.o.Site.Name, status.State
	b.Nodes = each(status.Nodes, func(n SiteNode) boardNodeCard {
		card := boardNodeCard{Name: n.Name, Calls: calls[n.Name]}
		if ready, said := elsewhere.ready[n.Name]; said {
			card.Ready = &ready
		} else if n.Name == b.Node {
			card.Ready = &b.Ready
		}
		return card
	})
	slices.SortFunc(b.Nodes, func(a, b boardNodeCard) int { return cmp.Compare(a.Name, b.Name) })
}

// without is what is left of some things when those are taken out that the wall, which everybody sees, does not show: who
// hears whom, and the phones they hear it by, which serve no caller.
func without[T any](all []T, hidden func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(all), hidden)
}

// live is one call in progress: where it stands is its last visit or talk, not its first.
func (z zone) live(l call.Live, alarms map[string]bool) liveCard {
	r := l.Record
	c := liveCard{From: call.Mask(r.From), Node: r.Node, At: l.At, Held: l.Held, Since: z.at(r.Started)}
	if n := len(r.Visits); n > 0 {
		c.Queue = r.Visits[n-1].Queue
		if l.At == call.Wait {
			c.Since = z.at(r.Visits[n-1].Entered)
		}
	}
	if n := len(r.Talks); n > 0 && l.At == call.Talk {
		c.Queue, c.Agent, c.Since = r.Talks[n-1].Queue, r.Talks[n-1].Agent, z.at(r.Talks[n-1].Answered)
	}
	c.Alarm = alarms[c.Queue]
	return c
}
