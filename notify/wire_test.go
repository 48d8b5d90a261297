package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"hotline/call"
	"hotline/notify"
)

// Over a real connection: the signature is as documented, numbers are masked unless asked for, and neither the
// secret nor the URL reaches the log.
func TestSignedOverHTTP(t *testing.T) {
	type got struct {
		signature, kind string
		body            []byte
	}
	requests := make(chan got, 8)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- got{r.Header.Get(notify.HeaderSignature), r.Header.Get("Content-Type"), body}
	}))
	defer srv.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	core, logs := observer.New(zap.DebugLevel)
	l := start(t, srv.Client(), func(o *notify.Options) {
		o.Hooks = []notify.Hook{
			{Name: "masked", URL: srv.URL, Secret: "s3cret"},
			{Name: "full", URL: srv.URL, Secret: "0ther", FullNumbers: true},
			{Name: "gone", URL: gone.URL + "/hush", Secret: "s3cret"},
		}
		o.Logger = zap.New(core)
	})
	defer l.stop()
	defer srv.CloseClientConnections()
	l.hub.Tell(call.Event{
		Kind: call.EventRingBroken, At: time.Date(2026, 3, 1, 10, 0, 0, 500e6, time.FixedZone("", 8*3600)), Call: "c1",
		Queue: "repair", From: "13912345678", Elapsed: 15 * time.Second, Target: 15 * time.Second,
	})
	numbers := map[string]bool{}
	for range 2 {
		g := <-requests
		require.Equal(t, "application/json", g.kind)
		var m notify.Message
		require.NoError(t, json.Unmarshal(g.body, &m))
		numbers[m.From] = true
		secret := "s3cret"
		if m.From == "13912345678" {
			secret = "0ther"
		}
		at, sum, ok := strings.Cut(strings.TrimPrefix(g.signature, "t="), ",v1=")
		require.True(t, ok, g.signature)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(at + "." + string(g.body)))
		require.Equal(t, hex.EncodeToString(mac.Sum(nil)), sum)
		require.JSONEq(t, fmt.Sprintf(`{"id":%q,"kind":"ring-broken","at":"2026-03-01T02:00:00.5Z","call":"c1","queue":"repair","from":%q,"elapsed_seconds":15,"target_seconds":15}`, m.ID, m.From), string(g.body))
	}
	require.Equal(t, map[string]bool{"139******78": true, "13912345678": true}, numbers)
	require.Eventually(t, func() bool { return logs.Len() > 0 }, time.Minute, time.Millisecond)
	for _, entry := range logs.All() {
		line := fmt.Sprint(entry.Message, entry.ContextMap())
		for _, secret := range []string{"s3cret", "0ther", "hush", "13912345678"} {
			require.NotContains(t, line, secret)
		}
	}
}

// Run ends at once with its context, though an endpoint hangs.
func TestEndsWhileAnEndpointHangs(t *testing.T) {
	reached, free := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(reached)
		<-free
	}))
	defer srv.Close()
	defer close(free)
	l := start(t, srv.Client(), func(o *notify.Options) { o.Hooks[0].URL, o.Within = srv.URL, time.Hour })
	l.hub.Tell(event(call.EventOverflow, "full"))
	<-reached
	l.stop() // else it would wait for the endpoint, and that for the end of this test
}
