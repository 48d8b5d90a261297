package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/internal/testkit"
	"hotline/notify"
	"hotline/web"
)

// reloadable serves premises whose file the test changes.
func reloadable(t *testing.T) (a *app, s *serving, change func(old, with string)) {
	t.Helper()
	first := testkit.FreePorts(t, 3)
	at := func(i int) string { return fmt.Sprint("127.0.0.1:", first+i) }
	file := premises{sip: at(0), http: at(1), data: filepath.Join(t.TempDir(), "data")}.file(t)
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
	require.NoError(t, keepTokens(now, began))
	require.Equal(t, began.HTTP.Tokens, now.HTTP.Tokens)
	require.Empty(t, needRestart(began, now))
	now.SIP.Realm = "another"
	require.Equal(t, []string{"sip.realm"}, needRestart(began, now))
}

// A token that is unset while the hotline runs would be one that nobody is told: the reload is refused, and the one
// in force goes on.
func TestReloadRefusesAnUnsetToken(t *testing.T) {
	t.Parallel()
	a, s, change := reloadable(t)
	change("role: supervisor, token: "+supervisorToken, "role: supervisor")
	done := a.reload("test")
	require.Equal(t, []string{`http.tokens: "ops" is not set, and one is made at random at a start alone`}, done.Problems)
	status, _ := s.get("/api/v1/agents", supervisorToken)
	require.Equal(t, http.StatusOK, status)
}

// Another time zone of the service waits for a restart, in everything: opening hours and the hours of dialling do not
// part from the records. A calendar's own is taken up at once.
func TestReloadKeepsTheTimeZone(t *testing.T) {
	t.Parallel()
	a, _, change := reloadable(t)
	const hours = `dial: [{prefix: "139", through: city, per_minute: 1, at_once: 1, hours: "08:00-12:00"}]
calendar: {ours: {week: {mon-sun: ["09:00-17:00"]}}, theirs: {timezone: Asia/Tokyo, week: {mon-sun: ["09:00-17:00"]}}}
`
	change("trunks: [{name: city,", `trunks: [{name: city, address: "udp://127.0.0.1:5099",`)
	change("data: ", hours+"service: {timezone: America/New_York}\ndata: ")
	done := a.reload("test")
	require.Empty(t, done.Problems)
	require.Equal(t, []string{"service.timezone"}, done.Restart)
	began := a.cfg.Service.Timezone.String()
	require.Equal(t, "Asia/Shanghai", began)
	require.Equal(t, began, a.inForce.Service.Timezone.String())
	require.Equal(t, began, a.inForce.Calendars["ours"].Timezone.String())
	require.Equal(t, "Asia/Tokyo", a.inForce.Calendars["theirs"].Timezone.String())
	require.Equal(t, began, a.with(a.inForce).doorSettings().Dial[0].Hours.Location.String())

	change("America/New_York", "Asia/Shanghai")
	require.Empty(t, a.reload("test").Restart)
}

// Webhooks are taken up: one that is new is told, by its new secret when that has changed, and one that is gone is told
// no more.
func TestReloadTakesUpWebhooks(t *testing.T) {
	t.Parallel()
	told := make(chan string, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		for _, secret := range []string{"first-secret", "second-secret"} {
			signature := r.Header.Get(notify.HeaderSignature)
			unix, err := strconv.ParseInt(strings.TrimPrefix(strings.Split(signature, ",")[0], "t="), 10, 64)
			if err == nil && notify.Sign(secret, time.Unix(unix, 0), body) == signature {
				told <- secret
			}
		}
	}))
	defer srv.Close()
	a, s, change := reloadable(t)
	tell := func(agent string) { a.tell(call.Event{Kind: call.EventAgentPaused, At: time.Now(), Agent: agent}) }
	next := func() string {
		select {
		case secret := <-told:
			return secret
		case <-time.After(patience):
			return "nothing was told"
		}
	}
	tell("one")
	change("data: ", "webhooks: [{name: duty, url: "+srv.URL+", secret: first-secret, events: [agent-paused]}]\ndata: ")
	require.Equal(t, web.Reloaded{}, a.reload("test"))
	tell("two")
	require.Equal(t, "first-secret", next())
	change("first-secret", "second-secret")
	require.Equal(t, web.Reloaded{}, a.reload("test"))
	tell("three")
	require.Equal(t, "second-secret", next())
	s.until("/metrics", `hotline_webhook_total{hook="duty",outcome="delivered"} 2`)
	change("{name: duty, url: "+srv.URL+", secret: second-secret, events: [agent-paused]}", "")
	require.Equal(t, web.Reloaded{}, a.reload("test"))
	_, body := s.get("/metrics", "")
	require.NotContains(t, body, `hotline_webhook_queue{hook="duty"}`)
	tell("four")
	require.Empty(t, told)
}
