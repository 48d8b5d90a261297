package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/web/peer"
)

// Site is what the server of one node of several needs of the others. Its functions are called from handlers, several at
// once; none but Peer's blocks.
type Site struct {
	// Name is this node's.
	Name string
	// Peer signs and checks what nodes ask each other.
	Peer *peer.Peer
	// Listener is where Run serves other nodes alone; Run closes it. Nil: they ask at Options.Listener.
	Listener net.Listener
	// Status is how this node stands to the others, Others are those that live as far as it knows.
	Status func() SiteStatus
	Others func() []Node
	// Yield gives up the flows of phones that have registered at another node, and says what this one knows of each.
	// Holds returns which of the calls are held here. Package site.
	Yield func(agents []string) []call.GatePast
	Holds func(calls []string) []string
	// Annotate gives a code to the last talk that an agent had in a call, if that is in progress here.
	Annotate func(id, agent string, code call.WrapUpCode) bool
}

// Node is another node, by name and by where it is asked (HOST:PORT).
type Node struct{ Name, HTTP string }

// SiteStatus is how a node stands to the others.
type SiteStatus struct {
	ID    call.NodeID
	State call.SiteState
	Since time.Time // of the state
	Epoch uint64    // of the claims that are made now
	// Lease is what is left of the node's, 0 when it is over. Lag is how old what it follows is. Margin is how far the
	// instants that it reckons from Redis' clock may be wrong.
	Lease, Lag, Margin time.Duration
	// Pending is how much this node has yet to write for the others. Held are its phones that are not rung yet, since other
	// nodes have yet to tell of them.
	Pending, Held int
	// Doubts counts phones that were rung without all having told, Abandoned claims that were given up without being sure
	// that the phone was free; both since the start.
	Doubts, Abandoned uint64
	// Flows, Claims, Orphans and Callers are the whole site's: phones that are registered, agents who are rung or talk, those
	// of them whose call's node is dead, and callers who wait.
	Flows, Claims, Orphans, Callers int
	Nodes                           []SiteNode // that live, this one included
}

// SiteNode is a node as the site knows it.
type SiteNode struct {
	ID        call.NodeID
	Name      string
	SIP, HTTP string // HOST:PORT
	// Unheard is since when it does not answer this one though it lives; zero: it does. Namesake: it has the name of this one.
	Unheard  time.Time
	Namesake bool
}

// Bounds of what one node asks another at once.
const (
	maxNodeBody  = 1 << 20 // octets
	maxNodeNames = 10_000
)

// nodeRole is the role of another node that asks for itself.
const nodeRole Role = "node"

// logForged is how often it is told that somebody signs as a node and is none.
const logForged = 10 * time.Second

// fromNode proves that another node asks, and returns for whom, with the request's body held against what was signed.
func (s *Server) fromNode(r *http.Request) (bearer hashedToken, err error) {
	p := s.o.Site.Peer
	from, signed, err := p.Check(r)
	switch {
	case errors.Is(err, peer.ErrReplayed):
		refused := &problem{Status: http.StatusUnauthorized, Detail: "sign for this start of this node", header: http.Header{}}
		p.Challenge(refused.header)
		return bearer, refused
	case err != nil:
		if now := time.Now().UnixNano(); now-s.forged.Load() > int64(logForged) {
			s.forged.Store(now)
			s.o.Logger.Warn("a request that says it is another node's is not signed with this hotline's secret: "+
				"is node.secret the same at all nodes?", zap.String("client", r.RemoteAddr), zap.Error(err))
		}
		return bearer, &problem{Status: http.StatusUnauthorized, Detail: err.Error(), cause: err}
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = peer.CheckBody(body, signed)
	}
	if err != nil {
		return bearer, badRequest("the body: it did not come whole, or is not the one that was signed", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	bearer = hashedToken{name: from.For.Name + "@" + from.Node, role: Role(from.For.Role), agent: from.For.Agent, node: &from}
	if from.For == (peer.For{}) {
		bearer.name, bearer.role = from.Node, nodeRole
	}
	return bearer, nil
}

// answerNode answers a node, signed.
func (s *Server) answerNode(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	s.o.Site.Peer.Answer(w.Header(), *bearerOf(r).node, http.StatusOK, body)
	_, err = w.Write(body)
	return sent(err)
}

// site is /api/v1/site: the nodes, and how this one stands to them.
func (s *Server) site(w http.ResponseWriter, r *http.Request) error {
	if s.o.Site == nil {
		return writeJSON(w, siteDTO{State: call.SiteSole, Nodes: []nodeDTO{}})
	}
	d := s.zone().site(s.o.Site.Name, s.o.Site.Status())
	ready := map[string]bool{s.o.Site.Name: s.o.Ready() == nil}
	var mu sync.Mutex
	s.askOthers(r.Context(), func(ctx context.Context, n Node) error {
		is, err := AskReady(ctx, s.o.Site.Peer, n.HTTP)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			ready[n.Name] = is
		}
		return err
	})
	for i, n := range d.Nodes {
		if is, said := ready[n.Name]; said {
			d.Nodes[i].Ready = &is
		}
	}
	return writeJSON(w, d)
}

// siteDTO is a node's view of its site as the API writes it.
type siteDTO struct {
	Node    string         `json:"node"`
	ID      call.NodeID    `json:"id"`
	State   call.SiteState `json:"state"`
	Since   *stamp         `json:"since"`
	Epoch   uint64         `json:"epoch"`
	Lease   seconds        `json:"lease_seconds"`
	Lag     seconds        `json:"lag_seconds"`
	Margin  seconds        `json:"margin_seconds"`
	Pending int            `json:"pending"`
	Held    int            `json:"held"`
	Doubts  uint64         `json:"doubts"`
	Given   uint64         `json:"abandoned"`
	Flows   int            `json:"flows"`
	Claims  int            `json:"claims"`
	Orphans int            `json:"orphans"`
	Callers int            `json:"callers"`
	Nodes   []nodeDTO      `json:"nodes"`
}

type nodeDTO struct {
	Name string      `json:"name"`
	ID   call.NodeID `json:"id"`
	SIP  string      `json:"sip"`
	HTTP string      `json:"http"`
	// Ready: it takes calls; null when it did not say.
	Ready *bool `json:"ready"`
	// Troubles, where there are any.
	UnheardSince *stamp `json:"unheard_since,omitempty"`
	Namesake     bool   `json:"namesake,omitempty"`
}

func (z zone) site(name string, s SiteStatus) siteDTO {
	d := siteDTO{
		Node: name, ID: s.ID, State: s.State, Epoch: s.Epoch, Lease: seconds(s.Lease.Seconds()), Lag: seconds(s.Lag.Seconds()),
		Margin: seconds(s.Margin.Seconds()), Pending: s.Pending, Held: s.Held, Doubts: s.Doubts, Given: s.Abandoned,
		Flows: s.Flows, Claims: s.Claims, Orphans: s.Orphans, Callers: s.Callers,
		Nodes: each(s.Nodes, func(n SiteNode) nodeDTO {
			d := nodeDTO{Name: n.Name, ID: n.ID, SIP: n.SIP, HTTP: n.HTTP, Namesake: n.Namesake}
			if !n.Unheard.IsZero() {
				d.UnheardSince = new(z.at(n.Unheard))
			}
			return d
		}),
	}
	if !s.Since.IsZero() {
		d.Since = new(z.at(s.Since))
	}
	return d
}

// asked are what one node asks another: phones to give up, or what it holds. What another process knows that has its address
// by now is no answer, so it names whom it asks.
type asked struct {
	Of     call.NodeID `json:"of,omitempty"`
	Agents []string    `json:"agents,omitempty"`
	Calls  []string    `json:"calls,omitempty"`
}

func (s *Server) readAsked(r *http.Request) (a asked, err error) {
	if err := readBody(r, &a, "agents or calls"); err != nil {
		return a, err
	}
	if len(a.Agents)+len(a.Calls) > maxNodeNames {
		return a, badRequest(fmt.Sprintf("the body: at most %d names at once", maxNodeNames), nil)
	}
	if self := s.o.Site.Status().ID; a.Of.Process() != self.Process() {
		return a, &problem{Status: http.StatusConflict, Detail: "node " + string(a.Of) + " is not here any more: this is " + string(self)}
	}
	return a, nil
}

// nodeYield is POST /api/v1/site/yield.
func (s *Server) nodeYield(w http.ResponseWriter, r *http.Request) error {
	a, err := s.readAsked(r)
	if err != nil {
		return err
	}
	return s.answerNode(w, r, yielded{each(s.o.Site.Yield(a.Agents), pastOf(time.Now()))})
}

// nodeHolds is POST /api/v1/site/holds.
func (s *Server) nodeHolds(w http.ResponseWriter, r *http.Request) error {
	a, err := s.readAsked(r)
	if err != nil {
		return err
	}
	return s.answerNode(w, r, asked{Calls: s.o.Site.Holds(a.Calls)})
}

// note is a code that an agent gave a talk of a call, and whether that is in progress at the node that was asked.
type note struct {
	Call  string          `json:"call,omitempty"`
	Agent string          `json:"agent,omitempty"`
	Code  call.WrapUpCode `json:"code,omitzero"`
	There bool            `json:"there,omitempty"`
}

// nodeAnnotate is POST /api/v1/site/annotate.
func (s *Server) nodeAnnotate(w http.ResponseWriter, r *http.Request) error {
	var n note
	if err := readBody(r, &n, "call, agent and code"); err != nil {
		return err
	}
	return s.answerNode(w, r, note{There: s.o.Site.Annotate(n.Call, n.Agent, n.Code)})
}

// readiness is whether a node takes calls.
type readiness struct {
	Ready bool `json:"ready"`
}

// nodeReady is POST /api/v1/site/ready.
func (s *Server) nodeReady(w http.ResponseWriter, r *http.Request) error {
	return s.answerNode(w, r, readiness{s.o.Ready() == nil})
}

// agentNow is how an agent is written, with the node of the phone where there are several.
func (s *Server) agentNow() func(call.AgentView) agentDTO {
	z, at := s.zone(), s.phonesAt()
	return func(a call.AgentView) agentDTO {
		d := z.agent(a)
		d.Node = at(a)
		return d
	}
}

// phonesAt tells the name of the node at which an agent's phone is registered; empty for a node alone, and for none.
func (s *Server) phonesAt() func(call.AgentView) string {
	if s.o.Site == nil {
		return func(call.AgentView) string { return "" }
	}
	names := make(map[string]string)
	for _, n := range s.o.Site.Status().Nodes {
		names[n.ID.Process()] = n.Name
	}
	return func(a call.AgentView) string {
		switch {
		case a.State == call.AgentOffline:
			return ""
		case a.Edge == "":
			return s.o.Site.Name
		}
		return names[a.Edge.Process()]
	}
}
