package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/sip"
)

const nodesSecret = "the-secret-of-all-nodes-of-the-site"

// serveNode serves a node of a site.
func serveNode(t *testing.T, name, records, state string) *serving {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	file := premises{data: data}.file(t)
	add(t, file, fmt.Sprintf("records: %q\nstate: %q\nnode: {name: %s, sip: 127.0.0.1:0, secret: %s}\n", records, state, name, nodesSecret))
	p := start(t, "serve", "--config", file, "--log-format", "json", "--log-level", "debug")
	p.says(t, "Ctrl-C")
	return servingOf(t, p, data)
}

// twoNodes serves a site of two nodes, which know each other.
func twoNodes(t *testing.T) (a, b *serving, redis *testkit.Redis) {
	t.Helper()
	redis = testkit.StartRedis(t)
	url := testkit.StartPostgres(t).Database(t)
	a, b = serveNode(t, "a", url, redis.URL()), serveNode(t, "b", url, redis.URL())
	for _, s := range []*serving{a, b} {
		s.until("/api/v1/site", `"state":"joined"`)
		s.until("/api/v1/site", `"name":"a"`)
		s.until("/api/v1/site", `"name":"b"`)
	}
	return a, b, redis
}

// listed is what the tests need of a call.
type listed struct{ ID, Node, Recording string }

// only is the one call of a listing.
func (s *serving) only(t *testing.T) (c listed) {
	t.Helper()
	status, body := s.get("/api/v1/calls", supervisorToken)
	require.Equal(t, http.StatusOK, status, body)
	var all struct{ Calls []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(body), &all))
	require.Len(t, all.Calls, 1, body)
	require.NoError(t, json.Unmarshal(all.Calls[0], &c))
	return c
}

// TestCallOverTwoNodes: a caller at one node talks to an agent whose phone is at the other; the call is seen from both
// while it goes on, and its record, SIP messages and recording are found from both when it is over.
func TestCallOverTwoNodes(t *testing.T) {
	t.Parallel()
	a, b, _ := twoNodes(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	agent, caller := telephones(t, b.sip).agent, telephones(t, a.sip).caller
	require.NoError(t, agent.Register(ctx))
	a.until("/api/v1/agents", `"state":"ready"`)
	b.until("/api/v1/agents", `"state":"ready"`)
	leg, err := caller.Dial(ctx, "96119", sip.DialOptions{})
	require.NoError(t, err)
	for _, s := range []*serving{a, b} {
		s.until("/api/v1/calls", `"agent":"8003"`)
		s.until("/api/v1/agents", `"state":"talking"`)
		c := s.only(t)
		require.Equal(t, "a", c.Node)
		_, body := s.get("/api/v1/calls/"+c.ID, supervisorToken)
		require.Contains(t, body, `"agent":"8003"`, "as it stands now")
		_, body = s.get("/api/v1/calls/"+c.ID+"/trace", supervisorToken)
		require.Contains(t, body, "INVITE")
		require.NotContains(t, body, "13900001234")
	}
	b.until("/api/v1/calls", `"joined":"`) // from here on it is recorded
	leg.Hangup(call.CauseBye)
	a.until("/api/v1/agents", `"wrap_up_until":"`)
	b.until("/api/v1/agents", `"wrap_up_until":"`)
	for _, s := range []*serving{a, b} {
		s.until("/api/v1/calls", `"release":"caller"`)
		c := s.only(t)
		require.NotEmpty(t, c.Recording)
		testkit.Within(t, patience, "the recording", func() bool {
			status, body := s.get("/api/v1/recordings/"+c.ID, supervisorToken)
			return status == http.StatusOK && strings.HasPrefix(body, "RIFF")
		})
		testkit.Within(t, patience, "the SIP messages", func() bool {
			status, _ := s.get("/api/v1/calls/"+c.ID+"/trace", supervisorToken)
			return status == http.StatusOK
		})
	}
	id := b.only(t).ID
	a.stop()
	require.Equal(t, exitOK, a.code(t), a.err)
	testkit.Within(t, patience, "b to miss a", func() bool {
		status, body := b.get("/api/v1/recordings/"+id, supervisorToken)
		return status == http.StatusNotFound && strings.Contains(body, "lies at node a")
	})
	status, _ := b.get("/api/v1/calls/"+id, supervisorToken)
	require.Equal(t, http.StatusOK, status)
	b.until("/api/v1/site", `"state":"sole"`)
	b.stop()
	require.Equal(t, exitOK, b.code(t), b.err)
	for _, s := range []*serving{a, b} {
		require.NotContains(t, s.err.String(), nodesSecret)
		require.NotContains(t, s.err.String(), "13900001234", "numbers are masked")
		require.NotContains(t, s.err.String(), `"level":"error"`)
	}
}

// TestRedisGone: nodes whose Redis is gone serve calls with their own agents, stay ready and say how they stand; they are
// one again when it is back, empty as it is.
func TestRedisGone(t *testing.T) {
	t.Parallel()
	a, b, redis := twoNodes(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	agent, caller := telephones(t, b.sip).agent, telephones(t, b.sip).caller
	require.NoError(t, agent.Register(ctx))
	a.until("/api/v1/agents", `"state":"ready"`)
	redis.Kill()
	for _, s := range []*serving{a, b} {
		s.until("/readyz", `{"status":"ready","site":"cut"}`)
		status, _ := s.get("/readyz", "")
		require.Equal(t, http.StatusOK, status)
	}
	a.until("/api/v1/agents", `"state":"offline"`)
	leg, err := caller.Dial(ctx, "96119", sip.DialOptions{})
	require.NoError(t, err)
	b.until("/api/v1/calls", `"agent":"8003"`)
	redis.Start(t)
	a.until("/readyz", `"site":"joined"`)
	b.until("/readyz", `"site":"joined"`)
	a.until("/api/v1/agents", `"state":"talking"`)
	require.NoError(t, leg.Context().Err(), "the talk went on")
	leg.Hangup(call.CauseBye)
	a.until("/api/v1/agents", `"wrap_up_until":"`)
	for _, s := range []*serving{b, a} {
		s.stop()
		require.Equal(t, exitOK, s.code(t), s.err)
	}
}

// TestRedisAwayAtStart: a node starts and serves without Redis, and joins when it is there.
func TestRedisAwayAtStart(t *testing.T) {
	t.Parallel()
	redis := testkit.StartRedis(t)
	url := testkit.StartPostgres(t).Database(t)
	redis.Kill()
	s := serveNode(t, "a", url, redis.URL())
	s.until("/readyz", `{"status":"ready","site":"cut"}`)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := telephones(t, s.sip)
	require.NoError(t, p.agent.Register(ctx))
	leg, err := p.caller.Dial(ctx, "96119", sip.DialOptions{})
	require.NoError(t, err)
	s.until("/api/v1/calls", `"agent":"8003"`)
	redis.Start(t)
	s.until("/api/v1/site", `"state":"sole"`)
	leg.Hangup(call.CauseBye)
	redis.Kill()
	s.stop()
	require.Equal(t, exitOK, s.code(t), s.err)
}
