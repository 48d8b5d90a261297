package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/store/memstore"
	"hotline/web/peer"
)

const siteSecret = "0123456789abcdef0123456789abcdef"

// townNode is one node of a site whose nodes share their records.
type townNode struct {
	name    string
	options Options
	server  *Server
	addr    string
	logs    *observer.ObservedLogs
	hits    atomic.Int64 // requests that came by the net
	hearing hearing
	picking picking
	live    []call.Live
	ladders map[string][]call.SIPMessage
	pcap    func(w io.Writer, began func()) (call.Capture, error)
}

// town is a site: its nodes by name.
type town struct {
	nodes   map[string]*townNode
	records *memstore.Store
	living  []Node
}

// newTown is a site of n1 and n2, with a call that ended and one in progress at n2, and one in progress at n1. Its
// servers are reached by the net.
func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{nodes: map[string]*townNode{}, records: memstore.New()}
	ended := answered("c1", now.Add(-10*time.Minute))
	ended.Node = "n2"
	require.NoError(t, w.records.Finish(t.Context(), ended))
	talk := answered("c2", now.Add(-90*time.Second))
	talk.Node, talk.Ended, talk.Result, talk.Reason, talk.Release = "n2", nil, "", "", ""
	talk.Talks[0].Ended, talk.TalkMet = nil, nil
	w.records.Begin(call.Record{ID: "c2", Node: "n2", From: talk.From, To: talk.To, Started: talk.Started})
	own := call.Record{ID: "c3", Node: "n1", From: "13700001111", To: "96119", Started: now.Add(-5 * time.Second)}
	w.records.Begin(own)
	for _, name := range []string{"n1", "n2"} {
		w.open(t, name)
	}
	w.nodes["n1"].live = []call.Live{{Record: own, At: call.Route}}
	w.nodes["n2"].live = []call.Live{{Record: talk, At: call.Talk}}
	w.nodes["n2"].ladders = map[string][]call.SIPMessage{"c2": ladder(now.Add(-time.Minute))}
	return w
}

func (w *town) open(t *testing.T, name string) {
	t.Helper()
	n := &townNode{name: name, options: fakeHotline(t)}
	p := peer.New(peer.Options{Node: name, Secret: siteSecret})
	core, logs := observer.New(zap.InfoLevel)
	n.logs = logs
	o := n.options
	o.Logger, o.Records, o.Gatherer = zap.New(core), w.records, prometheus.NewRegistry()
	o.Live = func() []call.Live { return n.live }
	o.Ladder = func(_ context.Context, id string) ([]call.SIPMessage, error) {
		if l := n.ladders[id]; l != nil {
			return l, nil
		}
		return nil, call.ErrNotFound
	}
	o.Recording = func(file string) (io.ReadSeekCloser, time.Time, error) {
		if name != "n2" || file != "c1.wav" {
			return nil, time.Time{}, fmt.Errorf("open %s: %w", file, fs.ErrNotExist)
		}
		return nopCloser{bytes.NewReader([]byte("RIFF----WAVEfmt 0123456789"))}, now, nil
	}
	o.Pcap = func(_ context.Context, id string, w io.Writer, began func()) (call.Capture, error) {
		if n.pcap == nil || id != "c2" {
			return call.Capture{}, call.ErrNotFound
		}
		return n.pcap(w, began)
	}
	o.Supervision = func() Supervision { return &n.hearing }
	o.Picker = func() Picker { return &n.picking }
	agents := o.Agents
	o.Agents = func() ([]call.AgentView, error) {
		all, err := agents()
		for i := range all { // 8001's phone is at n2, 8002's at n1
			if at := map[string]string{"8001": "n2", "8002": "n1"}[all[i].ID]; at != name {
				all[i].Edge, all[i].Orphan = call.NodeID(at+".1"), true
			}
		}
		return all, err
	}
	o.Site = &Site{
		Name: name, Peer: p,
		Status: func() SiteStatus {
			return SiteStatus{
				ID: call.NodeID(name + ".1"), State: call.SiteJoined, Since: now, Epoch: 3, Lease: 4 * time.Second, Doubts: 1, Flows: 7,
				Nodes: []SiteNode{{ID: "n2.1", Name: "n2", SIP: "127.0.0.2:5070", HTTP: "127.0.0.2:8070", Unheard: now, Namesake: true}, {ID: "n1.1", Name: "n1"}},
			}
		},
		Others: func() (others []Node) {
			for _, o := range w.living {
				if o.Name != name {
					others = append(others, o)
				}
			}
			return others
		},
		Yield: func(agents []string) (all []call.GatePast) {
			for _, a := range agents {
				all = append(all, call.GatePast{Agent: a, Highest: call.Token{Epoch: 3, N: 9}, Leg: &call.GateLeg{
					Dialog: "d", Call: "c2", Owner: "n2.1", Token: call.Token{Epoch: 3, N: 9},
					Since: time.Now().Add(-time.Minute), Answered: time.Now().Add(-30 * time.Second),
				}})
			}
			return all
		},
		Holds: func(calls []string) []string { return calls[:min(1, len(calls))] },
		Annotate: func(id, agent string, code call.WrapUpCode) bool {
			return name == "n2" && id == "c2" && agent == "8002" && code.Code == "1"
		},
	}
	n.server = New(o)
	served := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n.hits.Add(1)
		n.server.Handler().ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		require.NoError(t, p.Close())
		served.Close()
	})
	n.addr = served.Listener.Addr().String()
	w.nodes[name] = n
	w.living = append(w.living, Node{Name: name, HTTP: n.addr})
}

func (w *town) dies(name string) {
	var left []Node
	for _, n := range w.living {
		if n.Name != name {
			left = append(left, n)
		}
	}
	w.living = left
}

// TestNodesAsk: nodes ask each other by the functions that they are given.
func TestNodesAsk(t *testing.T) {
	w := newTown(t)
	p, addr := w.nodes["n1"].server.o.Site.Peer, w.nodes["n2"].addr
	past, err := AskYield(t.Context(), p, addr, "n2.7", []string{"8001", "8002"})
	require.NoError(t, err)
	require.Len(t, past, 2)
	require.Equal(t, "8002", past[1].Agent)
	require.Equal(t, call.Token{Epoch: 3, N: 9}, past[1].Highest)
	leg := *past[1].Leg
	require.WithinDuration(t, time.Now().Add(-time.Minute), leg.Since, 30*time.Second)
	require.WithinDuration(t, time.Now().Add(-30*time.Second), leg.Answered, 15*time.Second)
	require.True(t, leg.Rung.IsZero())
	require.Equal(t, "d c2 n2.1", fmt.Sprint(leg.Dialog, " ", leg.Call, " ", leg.Owner))
	held, err := AskHolds(t.Context(), p, addr, "n2.7", []string{"a", "b"})
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, held)
	none, err := AskHolds(t.Context(), p, addr, "n2.7", nil) // whether it answers at all
	require.NoError(t, err)
	require.Empty(t, none)

	// another process at its address
	_, err = AskYield(t.Context(), p, addr, "n3.1", []string{"8001"})
	require.ErrorIs(t, err, peer.ErrRefused)
	_, err = AskHolds(t.Context(), p, addr, "", []string{"a"})
	require.ErrorIs(t, err, peer.ErrRefused)

	for id, want := range map[string]bool{"c2": true, "c1": false} {
		there, err := AskAnnotate(t.Context(), p, addr, id, "8002", call.WrapUpCode{Code: "1", Text: "x"})
		require.NoError(t, err)
		require.Equal(t, want, there)
	}

	many := make([]string, maxNodeNames+1)
	_, err = AskYield(t.Context(), p, addr, "n2.7", many)
	require.ErrorIs(t, err, peer.ErrRefused)
	_, err = AskYield(t.Context(), p, addr, "n2.7", []string{strings.Repeat("x", maxNodeBody)})
	require.ErrorIs(t, err, peer.ErrRefused)

	stranger := peer.New(peer.Options{Node: "n3", Secret: siteSecret + "x"})
	_, err = AskHolds(t.Context(), stranger, addr, "n2.1", []string{"a"})
	require.ErrorIs(t, err, peer.ErrRefused)
	require.NoError(t, stranger.Close())
	require.Len(t, w.nodes["n2"].logs.FilterMessageSnippet("not signed").All(), 1)
}

// TestForNodesAlone: what nodes ask each other is nobody else's to ask, and no node may do for itself what people do.
func TestForNodesAlone(t *testing.T) {
	w := newTown(t)
	h := w.nodes["n1"].server.Handler()
	for _, path := range []string{"yield", "holds", "live", "ready", "tell", "annotate"} {
		require.Equal(t, http.StatusForbidden, ask(t, h, http.MethodPost, "/api/v1/site/"+path, supervisorToken).Code)
		require.Equal(t, http.StatusUnauthorized, ask(t, h, http.MethodPost, "/api/v1/site/"+path, "").Code)
		require.Equal(t, http.StatusUnauthorized, ask(t, h, http.MethodPost, "/api/v1/site/"+path, supervisorToken, peer.Header, "1.x").Code)
		require.Equal(t, http.StatusNotFound, ask(t, New(fakeHotline(t)).Handler(), http.MethodPost, "/api/v1/site/"+path, supervisorToken).Code, "alone")
	}
	resp, err := w.nodes["n2"].server.o.Site.Peer.Do(t.Context(), w.nodes["n1"].addr, peer.Request{Method: http.MethodGet, URI: "/api/v1/calls"})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Equal(t, http.StatusUnauthorized, ask(t, New(fakeHotline(t)).Handler(), http.MethodGet, "/api/v1/calls", "", peer.Header, "1.x").Code, "alone")
}

// TestSiteStatus is /api/v1/site: for supervisors, of a node alone as well.
func TestSiteStatus(t *testing.T) {
	w := newTown(t)
	h := w.nodes["n1"].server.Handler()
	rec := get(t, h, "/api/v1/site", supervisorToken)
	require.JSONEq(t, `{"node":"n1","id":"n1.1","state":"joined","since":"2026-03-01T10:30:00.000+08:00","epoch":3,"lease_seconds":4,
		"lag_seconds":0,"margin_seconds":0,"pending":0,"held":0,"doubts":1,"abandoned":0,"flows":7,"claims":0,"orphans":0,"callers":0,"nodes":[
		{"name":"n2","id":"n2.1","sip":"127.0.0.2:5070","http":"127.0.0.2:8070","ready":true,
			"unheard_since":"2026-03-01T10:30:00.000+08:00","namesake":true},
		{"name":"n1","id":"n1.1","sip":"","http":"","ready":true}]}`, rec.Body.String())
	require.Equal(t, http.StatusForbidden, get(t, h, "/api/v1/site", auditorToken).Code)
	w.nodes["n2"].server.o.Ready = func() error { return errDown }
	require.Contains(t, get(t, h, "/api/v1/site", supervisorToken).Body.String(), `"http":"127.0.0.2:8070","ready":false`)
	w.living[1].HTTP = "127.0.0.1:1"
	require.Contains(t, get(t, h, "/api/v1/site", supervisorToken).Body.String(), `"http":"127.0.0.2:8070","ready":null`)
	require.JSONEq(t, `{"status":"ready","site":"joined"}`, get(t, h, "/readyz", "").Body.String())
	require.JSONEq(t, `{"status":"ok","site":"joined"}`, get(t, h, "/healthz", "").Body.String())
	alone := get(t, New(fakeHotline(t)).Handler(), "/api/v1/site", supervisorToken)
	require.Contains(t, alone.Body.String(), `"state":"sole"`)
}

// TestNodesListener: a node's own listener serves nodes, and neither pages nor people.
func TestNodesListener(t *testing.T) {
	w := newTown(t)
	o := w.nodes["n2"].server.o
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	}
	site := *o.Site
	site.Listener, o.Listener = listen(), listen()
	o.Site = &site
	s := New(o)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	held, err := AskHolds(t.Context(), w.nodes["n1"].server.o.Site.Peer, site.Listener.Addr().String(), site.Status().ID, []string{"a"})
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, held)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for url, want := range map[string]int{
		"http://" + o.Listener.Addr().String() + "/healthz": http.StatusOK, "http://" + site.Listener.Addr().String() + "/healthz": http.StatusForbidden,
		"http://" + site.Listener.Addr().String() + "/api/v1/site": http.StatusForbidden, "http://" + site.Listener.Addr().String() + "/": http.StatusForbidden,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+supervisorToken)
		resp, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.StatusCode, url)
	}
	require.NoError(t, w.nodes["n1"].server.o.Site.Peer.Close())
	stop()
	require.NoError(t, <-over)
}

// TestToldEverywhere: what could still be acted on is on the walls of all nodes, once.
func TestToldEverywhere(t *testing.T) {
	w := newTown(t)
	o := w.nodes["n1"].server.o
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.Listener = l
	s := New(o)
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- s.Run(ctx) }()
	bell := w.nodes["n2"].server.alerts.bell()
	e := call.Event{Kind: call.EventAlarm, At: now, Call: "c3", Queue: "gas-alarm", From: "13700001111", Elapsed: time.Second}
	s.Tell(e)
	<-bell
	got := w.nodes["n2"].server.alerts.newest()
	require.Len(t, got, 1)
	require.Equal(t, e.ID(), got[0].ID())
	require.Equal(t, e.From, got[0].From)
	again := w.nodes["n2"].server.alerts.bell()
	s.Tell(e) // seen again by no one
	s.Tell(call.Event{Kind: call.EventOverflow, At: now, Call: "c4"})
	<-again
	require.Len(t, w.nodes["n2"].server.alerts.newest(), 2)
	require.NoError(t, o.Site.Peer.Close())
	stop()
	require.NoError(t, <-over)

	// Its fate is known there too, while it is at the other node alone.
	_, err = w.nodes["n2"].server.snapshot.get(t.Context(), w.nodes["n2"].server)
	require.NoError(t, err)
	require.Equal(t, alarmOpen, w.nodes["n2"].server.alerts.known()["c3"].state)
}
