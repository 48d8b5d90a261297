package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// pair is city for two nodes that are one hotline: its agents of repair are 8002 and 8003.
type pair struct {
	t     *testing.T
	nodes [2]*testkit.Hotline
	redis *testkit.Redis
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, redis: testkit.StartRedis(t)}
	database := testkit.StartPostgres(t).Database(t)
	for i := range p.nodes {
		port := testkit.FreePorts(t, 1)
		p.nodes[i] = testkit.StartHotline(t, testkit.HotlineOptions{
			YAML: fmt.Sprintf("%s\nstate: %q\nnode: {name: node-%d, site: pair, sip: \"127.0.0.1:%d\", secret: the-secret-of-two-nodes-of-one-test}\n",
				city, p.redis.URL(), i, port),
			Race: true, Records: database, Expires: "6s",
		})
	}
	return p
}

// agent has an agent's phone at a node, whom both nodes then know to be ready.
func (p *pair) agent(node int, id string, o testkit.BaresipOptions) *testkit.Baresip {
	p.t.Helper()
	o.Lasts = 6
	b := agent(p.t, p.nodes[node], id, o)
	p.nodes[1-node].AwaitAgent(id, "ready")
	return b
}

// dial has a caller call the number of repair at a node.
func (p *pair) dial(node int, from string) *testkit.Baresip {
	p.t.Helper()
	c := caller(p.t, testkit.BaresipOptions{User: from})
	c.Dial(p.nodes[node].Number("96110"))
	return c
}

// of waits until the last call of a number is as wanted, as a node tells it.
func (p *pair) of(node int, from, what string, wanted func(testkit.Record) bool) testkit.Record {
	p.t.Helper()
	return p.nodes[node].AwaitCall(from+" "+what, func(r testkit.Record) bool { return r.From == from && wanted(r) })
}

func joined(r testkit.Record) bool { return r.Joined != nil && time.Since(*r.Joined) > 2*time.Second }

func waiting(r testkit.Record) bool { return len(r.Visits) > 0 && r.Ended == nil && r.Answered == nil }

// TestNodesShareAgents: a caller at one node talks with an agent whose phone is at the other, either hangs up, and the agent
// is free again for the next; who asks the other node for the call's record, recording and messages gets them too.
func TestNodesShareAgents(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	phone := p.agent(1, "8002", testkit.BaresipOptions{Auto: true})
	c := p.dial(0, "13900000001")
	r := p.of(0, "13900000001", "talking", joined)
	require.Equal(t, "8002", r.Agent)
	p.nodes[1].AwaitAgent("8002", "talking")
	p.nodes[0].AwaitAgent("8002", "talking")
	c.Hangup()
	phone.Await(testkit.CallClosed)
	r = p.of(1, "13900000001", "finished", testkit.Finished)
	require.Equal(t, []string{"answered", "caller"}, []string{r.Result, r.Release})
	hears(t, testkit.ReadWAV(t, c.Heard()).Channels[0], agentTone, callerTone)

	for _, path := range []string{"/api/v1/calls/" + r.ID, "/api/v1/recordings/" + r.ID, "/api/v1/calls/" + r.ID + "/trace"} {
		here, there := p.nodes[0].Get(path), p.nodes[1].Get(path)
		require.NotEmpty(t, here, path)
		require.True(t, bytes.Equal(here, there), "%s: %d octets here, %d there", path, len(here), len(there))
	}
	hears(t, p.nodes[1].Recording(r.ID).Channels[0], callerTone, agentTone)
	require.Contains(t, string(p.nodes[1].Get("/api/v1/calls/"+r.ID+"/trace")), "INVITE")

	p.nodes[0].AwaitAgent("8002", "ready")
	p.dial(0, "13900000002")
	p.of(1, "13900000002", "talking", joined)
	phone.Hangup()
	r = p.of(1, "13900000002", "finished", testkit.Finished)
	require.Equal(t, []string{"answered", "agent"}, []string{r.Result, r.Release})
	p.nodes[0].AwaitAgent("8002", "ready")
}

// TestNodesKeepPlaces: a caller's node dies; who calls again, at the other, has the old place, before one who came later.
func TestNodesKeepPlaces(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.agent(1, "8002", testkit.BaresipOptions{Auto: true})
	c := p.dial(1, "13900000000")
	p.of(1, "13900000000", "talking", func(r testkit.Record) bool { return r.Joined != nil })
	p.dial(0, "13900000001")
	first := p.of(0, "13900000001", "waiting", waiting)
	p.dial(1, "13900000002")
	p.of(1, "13900000002", "waiting", waiting)
	p.nodes[0].AwaitWritten()
	p.nodes[0].Kill()
	again := p.dial(1, "13900000001")
	second := p.of(1, "13900000001", "waiting again", func(r testkit.Record) bool { return waiting(r) && r.ID != first.ID })
	testkit.Within(t, testkit.Patience, "the old place", func() bool {
		r := p.nodes[1].Call(second.ID)
		return len(r.Visits) > 0 && r.Visits[0].Rejoined && r.Visits[0].Since != nil && !r.Visits[0].Since.After(first.Visits[0].Entered.Add(time.Second))
	})
	c.Hangup()
	p.of(1, "13900000001", "talking", func(r testkit.Record) bool { return r.ID == second.ID && r.Joined != nil })
	require.True(t, waiting(p.of(1, "13900000002", "waiting", waiting)))
	again.Hangup()
	p.of(1, "13900000002", "talking", func(r testkit.Record) bool { return r.Joined != nil })
}

// TestNodesWithoutRedis: Redis is gone, and each node goes on with its own agents; it comes back empty, and they are one
// again.
func TestNodesWithoutRedis(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	phones := [2]*testkit.Baresip{
		p.agent(0, "8002", testkit.BaresipOptions{Auto: true}), p.agent(1, "8003", testkit.BaresipOptions{Auto: true}),
	}
	p.redis.Kill()
	for node, id := range []string{"8002", "8003"} {
		from := fmt.Sprint("1390000000", node)
		c := p.dial(node, from)
		r := p.of(node, from, "talking", func(r testkit.Record) bool { return r.Joined != nil })
		require.Equal(t, id, r.Agent)
		require.Less(t, r.Offers[len(r.Offers)-1].Sent.Sub(r.Visits[0].Entered), 5*time.Second, "on its own, and soon")
		c.Hangup()
		phones[node].Await(testkit.CallClosed)
	}
	p.redis.Start(t)
	phones[0].Quit()
	p.nodes[0].AwaitAgent("8003", "ready")
	testkit.Within(t, 3*testkit.Patience, "8002 to be gone at both", func() bool {
		return p.state(0, "8002") == "offline" && p.state(1, "8002") == "offline"
	})
	p.dial(0, "13900000003")
	require.Equal(t, "8003", p.of(0, "13900000003", "talking", joined).Agent)
}

// state is an agent's, as a node tells it.
func (p *pair) state(node int, id string) string {
	p.t.Helper()
	for _, a := range p.nodes[node].Agents() {
		if a.ID == id {
			return a.State
		}
	}
	return ""
}

// TestNodesShareShifts: who pauses at one node is rung by neither, and is back at both.
func TestNodesShareShifts(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.agent(1, "8002", testkit.BaresipOptions{Auto: true})
	status, said := p.nodes[0].Post("/api/v1/agents/8002/pause", `{"reason": "用餐"}`)
	require.Less(t, status, http.StatusBadRequest, said)
	for _, h := range p.nodes {
		h.AwaitAgent("8002", "paused")
	}
	p.dial(0, "13900000001")
	p.of(0, "13900000001", "waiting", func(r testkit.Record) bool { return waiting(r) && time.Since(r.Visits[0].Entered) > 2*time.Second })
	for i := range p.nodes {
		require.Equal(t, "paused", p.state(i, "8002"))
	}
	status, said = p.nodes[1].Post("/api/v1/agents/8002/ready", "")
	require.Less(t, status, http.StatusBadRequest, said)
	require.Equal(t, "8002", p.of(0, "13900000001", "talking", joined).Agent)
}

// TestNodesTellOfEachOther: each says who is there, and what is known of a node that was killed; and no secret with it.
func TestNodesTellOfEachOther(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	names := func(node int) (names []string) {
		var site struct {
			Nodes []struct {
				Name string `json:"name"`
			} `json:"nodes"`
		}
		body := p.nodes[node].Get("/api/v1/site")
		require.NotContains(t, strings.ToLower(string(body)), "the-secret-of-two-nodes")
		require.NoError(t, json.Unmarshal(body, &site))
		for _, n := range site.Nodes {
			names = append(names, n.Name)
		}
		slices.Sort(names)
		return names
	}
	for node := range p.nodes {
		testkit.Within(t, testkit.Patience, "both to be told of", func() bool { return slices.Equal(names(node), []string{"node-0", "node-1"}) })
	}
	p.nodes[0].Kill()
	testkit.Within(t, testkit.Patience, "the dead one to be gone", func() bool { return slices.Equal(names(1), []string{"node-1"}) })
}
