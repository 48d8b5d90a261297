package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/internal/testkit"
)

// reloadable serves a site whose file the test changes.
func reloadable(t *testing.T) (a *app, s *serving, change func(old, with string)) {
	t.Helper()
	first := testkit.FreePorts(t, 3)
	at := func(i int) string { return fmt.Sprint("127.0.0.1:", first+i) }
	file := site{sip: at(0), http: at(1), data: filepath.Join(t.TempDir(), "data")}.file(t)
	cfg, err := loadConfig(file)
	require.NoError(t, err)
	a, err = newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.shutdown(nil, false)) })
	a.readBy(func() (*config.Config, error) { return loadConfig(file) })
	return a, &serving{t: t, http: a.http.Addr().String(), data: file}, func(old, with string) {
		t.Helper()
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), old)
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), old, with)), 0o600))
	}
}

// A reload with problems changes nothing and tells them all; one without takes everything that can be taken, and
// names what has to wait for a restart.
func TestReloadByCommand(t *testing.T) {
	t.Parallel()
	a, s, change := reloadable(t)
	_, body := s.get("/api/v1/agents", supervisorToken)
	require.NotContains(t, body, "8004")

	change(`agents: [`, `agents: [{id: "8004", password: four, skills: {repair: 1, nothing: 1}}, `)
	done := a.reload("test")
	require.Len(t, done.Problems, 1)
	require.Contains(t, done.Problems[0], "nothing")
	require.Regexp(t, `^\S+:\d+:\d+: `, done.Problems[0])
	_, body = s.get("/metrics", "")
	require.Contains(t, body, `hotline_reloads_total{outcome="refused"} 1`)
	agents, err := a.center.Agents()
	require.NoError(t, err)
	require.Len(t, agents, 1)
	code, _, complaints := command(t, "reload", "--config", s.data)
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, "nothing")

	change(`, nothing: 1`, `, night: 1`)
	change("data: ", "drain: 7s\nqueues: {night: {}, repair: {}, consult: {}, complaint: {}, gas-alarm: {}}\ndata: ")
	code, out, complaints := command(t, "reload", "--config", s.data)
	require.Zero(t, code, complaints)
	require.Contains(t, out, "in force")
	require.Contains(t, out, "drain: takes effect at restart")
	_, body = s.get("/api/v1/agents", supervisorToken)
	require.Contains(t, body, "8004")
	_, body = s.get("/api/v1/queues", supervisorToken)
	require.Contains(t, body, "night")
	_, body = s.get("/metrics", "")
	require.Contains(t, body, `hotline_reloads_total{outcome="done"} 1`)
	require.Contains(t, body, `hotline_target_events_total{kind="overflow",queue="night"} 0`)
	require.Contains(t, body, `hotline_config_loaded_timestamp`)

	change(supervisorToken, "another-secret")
	require.Empty(t, a.reload("test").Problems)
	status, _ := s.get("/api/v1/agents", supervisorToken)
	require.Equal(t, http.StatusUnauthorized, status)
}

// A number that a reload adds is answered, one that it takes away is not, and the call that is up goes on.
func TestReloadUnderCall(t *testing.T) {
	t.Parallel()
	a, _, change := reloadable(t)
	phones := telephones(t, a.ua.Addrs()[0])
	leg := phones.ring(t)
	testkit.Within(t, patience, "the two to be joined", func() bool {
		live := a.exchange.Live()
		return len(live) == 1 && live[0].At == call.Talk
	})
	change(`"96119": {queue: gas-alarm}`, `"96118": {queue: repair}`)
	require.Empty(t, a.reload("test").Problems)
	require.NoError(t, leg.Context().Err())
	require.Len(t, a.exchange.Live(), 1)
	leg.Hangup(call.CauseBye)
	testkit.Within(t, patience, "the call to end", func() bool { return len(a.exchange.Live()) == 0 })
}

// SIGHUP is a reload too, and no end.
func TestReloadBySignal(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.hangups <- syscall.SIGHUP
	s.until("/metrics", `hotline_reloads_total{outcome="done"} 1`)
	s.stop()
	require.Zero(t, s.code(t))
	require.Contains(t, s.err.String(), `"by":"SIGHUP"`)
}

// A token made at random, which people were told, stays as it is.
func TestReloadKeepsGeneratedTokens(t *testing.T) {
	t.Parallel()
	began, err := config.Reference()
	require.NoError(t, err)
	now, err := config.Reference()
	require.NoError(t, err)
	require.NotEmpty(t, began.GeneratedTokens())
	require.NotEqual(t, began.HTTP.Tokens[0].Token.Reveal(), now.HTTP.Tokens[0].Token.Reveal())
	keepTokens(now, began)
	require.Equal(t, began.HTTP.Tokens, now.HTTP.Tokens)
	require.Empty(t, needRestart(began, now))
	now.SIP.Realm = "another"
	require.Equal(t, []string{"sip.realm"}, needRestart(began, now))
}
