package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/internal/testkit"
	"hotline/notify"
)

// The kinds that the configuration knows are those there are.
func TestEventKindsAgree(t *testing.T) {
	require.Equal(t, call.EventKinds(), eventKinds(config.EventKinds()))
}

// TestTargetsAreTold: a talk over its target is told to the webhook of the configuration, in order and signed, on the
// page's API, and in the metrics.
func TestTargetsAreTold(t *testing.T) {
	t.Parallel()
	told := make(chan notify.Message, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m notify.Message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Header.Get(notify.HeaderSignature) == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		told <- m
	}))
	defer srv.Close()
	file := premises{}.file(t)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	hooks := "targets: {talk: 1s, hold: 0s}\nwebhooks: [{url: " + srv.URL + ", secret: s3cret, events: [talk-half, talk-broken]}]\n"
	require.NoError(t, os.WriteFile(file, append(text, hooks...), 0o600))
	cfg, err := loadConfig(file)
	require.NoError(t, err)
	a, err := newApp(cfg, zap.NewNop())
	require.NoError(t, err)
	defer func() { require.NoError(t, a.shutdown(nil, false)) }()
	s := &serving{t: t, http: a.http.Addr().String()}

	leg := telephones(t, a.ua.Addrs()[0]).ring(t)
	defer leg.Hangup(call.CauseBye)
	testkit.Within(t, patience, "the two to be joined", func() bool {
		live := a.exchange.Live()
		return len(live) == 1 && len(live[0].Record.Talks) == 1
	})
	for _, kind := range []call.EventKind{call.EventTalkHalf, call.EventTalkBroken} {
		select {
		case m := <-told:
			require.Equal(t, kind, m.Kind)
			require.Equal(t, a.exchange.Live()[0].Record.ID, m.Call)
			require.Equal(t, "gas-alarm", m.Queue)
			require.Equal(t, "8003", m.Agent)
		case <-time.After(patience):
			t.Fatalf("%s was not told", kind)
		}
	}
	s.until("/api/v1/events", `"kind":"talk-broken"`)
	s.until("/metrics", `hotline_target_events_total{kind="talk-broken",queue="gas-alarm"} 1`)
	s.until("/metrics", `hotline_webhook_total{hook="hook1",outcome="delivered"} 2`)
}
