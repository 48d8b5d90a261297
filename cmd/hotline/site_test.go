package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/internal/testkit"
	"hotline/sip"
)

const nodesSecret = "the-secret-of-all-nodes-of-the-site"

// serveNode serves a node of a site.
func serveNode(t *testing.T, name, records, state string) *serving {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	file := premises{data: data}.file(t)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("agents: ["), []byte(`agents: [{id: "9001", role: supervisor, password: nine}, `), 1)
	require.NoError(t, os.WriteFile(file, text, 0o600))
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
type listed struct{ ID, Kind, Node, Recording string }

// only is the one call of a caller in a listing.
func (s *serving) only(t *testing.T) listed {
	t.Helper()
	status, body := s.get("/api/v1/calls", supervisorToken)
	require.Equal(t, http.StatusOK, status, body)
	var all struct{ Calls []listed }
	require.NoError(t, json.Unmarshal([]byte(body), &all))
	calls := slices.DeleteFunc(all.Calls, func(c listed) bool { return c.Kind == call.KindSupervision })
	require.Len(t, calls, 1, body)
	return calls[0]
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
	supervise(t, a, b)
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

// TestMetricsOfSeveral: promlint has nothing to say of the figures of a node of several, and none has a number in it.
func TestMetricsOfSeveral(t *testing.T) {
	t.Parallel()
	file := premises{}.file(t)
	add(t, file, "records: postgres://nobody@127.0.0.1:1/none\nstate: redis://127.0.0.1:1\nnode: {name: a, sip: 127.0.0.1:0, secret: "+nodesSecret+"}\n")
	cfg, err := loadConfig(file)
	require.NoError(t, err)
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	problems, err := testutil.GatherAndLint(a.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	families, err := a.registry.Gather()
	require.NoError(t, err)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	seen := 0
	for _, f := range families {
		name := f.GetName()
		if strings.HasPrefix(name, "hotline_site_") || strings.HasPrefix(name, "hotline_book_") || name == "hotline_sip_gate_total" {
			seen++
			short := "`" + strings.TrimPrefix(name, "hotline_site") + "`"
			require.True(t, strings.Contains(string(readme), "`"+name+"`") || strings.Contains(string(readme), short), "%s is not in the README", name)
		}
	}
	require.Greater(t, seen, 15)
}

// TestOtherRedisAtRestart: a reload does not move a node to another Redis, and says what waits for a restart.
func TestOtherRedisAtRestart(t *testing.T) {
	t.Parallel()
	began, now := &config.Config{}, &config.Config{}
	text := func(state, name string) string {
		return "records: postgres://nobody@127.0.0.1:1/none\nstate: " + state + "\nnode: {name: " + name + ", sip: 127.0.0.1:0, secret: " + nodesSecret + "}\n"
	}
	for cfg, of := range map[*config.Config]string{began: text("redis://127.0.0.1:1", "a"), now: text("redis://127.0.0.1:2", "b")} {
		read, err := config.Parse("", []byte(of), nil)
		require.NoError(t, err)
		*cfg = *read
	}
	require.Equal(t, []string{"node", "state"}, needRestart(began, now))
	require.Empty(t, needRestart(began, began))
	longer := *began
	longer.Targets.AnswerRings = 20
	require.Equal(t, []string{"targets.answer_rings"}, needRestart(began, &longer), "the others go by it")
	alone, other := *began, longer
	alone.State, other.State = config.Secret{}, config.Secret{}
	require.NotContains(t, needRestart(&alone, &other), "targets.answer_rings")
	require.Equal(t, call.SuperviseRing+3*time.Second, longestOffer(began))
	require.Equal(t, 2*time.Second+20*5*time.Second+3*time.Second, longestOffer(&longer))
}

// TestCheckState: what Redis' client does not take is found by hotline check, and told without the password.
func TestCheckState(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"redis://hotline:hid%zzen@127.0.0.1", "redis+sentinel://u:hidden@127.0.0.1", "redis://u:hidden@127.0.0.1/x"} {
		file := premises{}.file(t)
		add(t, file, "records: postgres://nobody@127.0.0.1:1/none\nstate: "+state+"\nnode: {name: a, sip: 127.0.0.1:0, secret: "+nodesSecret+"}\n")
		code, out, complaints := command(t, "check", file)
		require.NotZero(t, code)
		require.Contains(t, complaints, "state: ")
		require.NotContains(t, out+complaints, "hidden")
		require.NotContains(t, out+complaints, "hid%zzen")
	}
}

// TestOffersAtRestart: a reload does not make the offers of a node of several longer than the others know of.
func TestOffersAtRestart(t *testing.T) {
	t.Parallel()
	file := premises{}.file(t)
	add(t, file, "records: postgres://nobody@127.0.0.1:1/none\nstate: redis://127.0.0.1:1\nnode: {name: a, sip: 127.0.0.1:0, secret: "+nodesSecret+"}\n")
	cfg, err := loadConfig(file)
	require.NoError(t, err)
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	a.readBy(func() (*config.Config, error) { return loadConfig(file) })
	add(t, file, "targets: {answer_rings: 9}\n")
	restart, err := a.take()
	require.NoError(t, err)
	require.Equal(t, []string{"targets.answer_rings"}, restart)
	require.Equal(t, cfg.Targets.AnswerRings, a.inForce.Targets.AnswerRings)
}

// TestPhonesOfDrainingNodes: a node that drains sends phones on as long as another takes calls; when none does they stay,
// since alarms are taken to the end.
func TestPhonesOfDrainingNodes(t *testing.T) {
	t.Parallel()
	a, b, _ := twoNodes(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	at, elsewhere := telephones(t, a.sip), telephones(t, b.sip)
	require.NoError(t, at.agent.Register(ctx))
	talk, err := at.caller.Dial(ctx, "96119", sip.DialOptions{})
	require.NoError(t, err)
	a.until("/api/v1/agents", `"state":"talking"`)
	listens, err := elsewhere.caller.Dial(ctx, "96777", sip.DialOptions{})
	require.NoError(t, err)
	a.stop()
	testkit.Within(t, patience, "the phone to be sent on", func() bool {
		err := at.agent.Register(ctx)
		return err != nil && strings.Contains(err.Error(), "503")
	})
	b.until("/api/v1/site", `"ready":false`)
	require.NoError(t, talk.Context().Err(), "its talk goes on")
	b.stop()
	testkit.Within(t, patience, "the phone to be taken again", func() bool { return at.agent.Register(ctx) == nil })
	require.NoError(t, listens.Context().Err())
	talk.Hangup(call.CauseBye)
	listens.Hangup(call.CauseBye)
	for _, s := range []*serving{a, b} {
		require.Equal(t, exitOK, s.code(t), s.err)
	}
}

// TestDrainOfAnEdge: a node without a call of its own, through which an agent talks to another node's caller, does not end
// before the talk has: the phone could not hang up any more.
func TestDrainOfAnEdge(t *testing.T) {
	t.Parallel()
	a, b, _ := twoNodes(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	enough := make(chan struct{})
	o := answering("8003", "three")
	o.OnIncoming = func(_ context.Context, in call.Incoming) {
		if _, err := in.Leg.Answer(); err != nil {
			return
		}
		<-enough
		in.Leg.Hangup(call.CauseBye)
	}
	hangUp := sync.OnceFunc(func() { close(enough) })
	agent, err := phoneSets(t, b.sip)().Add(o)
	require.NoError(t, err)
	t.Cleanup(hangUp) // before the phones go
	require.NoError(t, agent.Register(ctx))
	a.until("/api/v1/agents", `"state":"ready"`)
	talk, err := telephones(t, a.sip).caller.Dial(ctx, "96119", sip.DialOptions{})
	require.NoError(t, err)
	a.until("/api/v1/calls", `"agent":"8003"`)
	b.until("/api/v1/agents", `"state":"talking"`)
	b.stop()
	select {
	case code := <-b.exited:
		t.Fatalf("the node ended, with code %d, under a talk", code)
	case <-time.After(time.Second):
	}
	b.until("/readyz", "draining")
	require.NoError(t, talk.Context().Err())
	hangUp()
	a.until("/api/v1/agents", `"wrap_up_until":"`)
	require.Equal(t, exitOK, b.code(t), b.err)
	talk.Hangup(call.CauseBye) // who is asked what they think of it
	a.stop()
	require.Equal(t, exitOK, a.code(t), a.err)
}

// supervise has a supervisor whose phone is at b hear the talk at a, twice: the claim of the phone is given back.
func supervise(t *testing.T, a, b *serving) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	phone, err := phoneSets(t, b.sip)().Add(answering("9001", "nine"))
	require.NoError(t, err)
	require.NoError(t, phone.Register(ctx))
	a.until("/api/v1/agents", `"id":"9001","name":"9001","role":"supervisor","state":"ready"`)
	c := a.only(t)
	deed := func(method, body string) (int, string) {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+b.http+"/api/v1/calls/"+c.ID+"/supervise", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+supervisorToken)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
		res, err := client.Do(req)
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, string(text)
	}
	for range 2 {
		testkit.Within(t, patience, "the supervisor to be asked in", func() bool {
			status, _ := deed(http.MethodPost, `{"phone": "9001", "mode": "listen"}`)
			return status == http.StatusAccepted
		})
		a.until("/api/v1/calls/"+c.ID, `"mode":"listen"`)
		testkit.Within(t, patience, "the supervisor to be heard", func() bool {
			status, _ := deed(http.MethodPost, `{"phone": "9001", "mode": "join"}`)
			return status == http.StatusOK
		})
		testkit.Within(t, patience, "the supervisor to be off the line", func() bool {
			status, _ := deed(http.MethodDelete, "")
			return status == http.StatusNotFound
		})
		a.until("/api/v1/site", `"claims":1`)
		b.until("/api/v1/site", `"claims":1`)
	}
	require.Contains(t, a.err.String(), `"by":"ops@b"`)
}
