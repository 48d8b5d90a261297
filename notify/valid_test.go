package notify_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/notify"
)

// bodies takes every event, and keeps what was sent.
type bodies struct {
	mu   sync.Mutex // guards sent
	sent [][]byte
}

func (b *bodies) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, body)
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

// TestEveryKindIsValid: what is sent of every kind, as full and as empty as an event may be, is what the schema says
// to receivers; and the schema is strict enough to say no.
func TestEveryKindIsValid(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile("../docs/webhook.schema.json")
	require.NoError(t, err)
	valid := func(body []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		require.NoError(t, err)
		return schema.Validate(v)
	}
	synctest.Test(t, func(t *testing.T) {
		r := &bodies{}
		l := start(t, r, func(o *notify.Options) {
			o.Hooks[0].FullNumbers = true
			o.Hooks = append(o.Hooks, notify.Hook{Name: "masked", URL: "https://example.org", Secret: "s"})
		})
		for _, kind := range call.EventKinds() {
			l.hub.Tell(call.Event{Kind: kind, At: time.Now()})
			l.hub.Tell(call.Event{
				Kind: kind, At: time.Date(2026, 3, 1, 10, 0, 0, 123456789, time.FixedZone("CST", 8*3600)), Call: "c1", Queue: "报修",
				Agent: "8002", From: "+8613912345678", Step: "everyone", Elapsed: 1500 * time.Millisecond, Target: 3 * time.Second,
			})
			l.hub.Tell(call.Event{Kind: kind, At: time.Now(), From: strings.Repeat("\u2028\x00\"", 10), Queue: "\xff"})
		}
		synctest.Wait()
		l.stop()
		require.Len(t, r.sent, 2*3*len(call.EventKinds()))
		for _, body := range r.sent {
			require.NoError(t, valid(body), string(body))
		}
	})
	const id = `{"id":"0123456789abcdef0123456789abcdef",`
	for _, wrong := range []string{
		`{}`, `[]`, id + `"kind":"alarm"}`, id + `"kind":"nothing","at":"2026-03-01T02:00:00Z"}`, id + `"kind":"alarm","at":"today"}`,
		id + `"kind":"alarm","at":"2026-03-01T02:00:00Z","number":"1"}`, `{"id":"1","kind":"alarm","at":"2026-03-01T02:00:00Z"}`,
		id + `"kind":"alarm","at":"2026-03-01T02:00:00Z","target_seconds":"3"}`,
	} {
		require.Error(t, valid([]byte(wrong)), wrong)
	}
}
