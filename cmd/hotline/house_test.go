package main

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"hotline/acd"
	"hotline/call"
	"hotline/call/calltest"
	"hotline/config"
	"hotline/store/memstore"
)

// house is a configuration's own menus, prompts, desk and calls, wired as a process has them, but with scripted phones and
// numbers outside, and in simulated time: it is for use in a bubble of synctest.
type house struct {
	*app
	t      *testing.T
	start  time.Time
	x      *call.Exchange
	store  *memstore.Store
	dialer *calltest.Dialer
	phones *phones
	lines  []chan struct{}
}

// newHouse opens one. What runs in it ends with the test.
func newHouse(t *testing.T, text string) *house {
	t.Helper()
	cfg, err := config.Parse("hotline.yaml", []byte(text), func(string) (string, bool) { return "secret", true })
	require.NoError(t, err)
	h := &house{
		app: &app{cfg: cfg, log: zap.NewNop(), registry: prometheus.NewRegistry()},
		t:   t, start: time.Now(), store: memstore.New(), dialer: &calltest.Dialer{}, phones: &phones{answer: make(chan call.Leg)},
	}
	require.NoError(t, h.readPrompts())
	desk := deskOptions(cfg)
	desk.Phones, desk.Dialer, desk.Open = h.phones, h.dialer, openBy(cfg, h.calendars)
	h.center, err = acd.New(desk)
	require.NoError(t, err)
	calls := h.callOptions() // but for what there is none of
	calls.Bridge, calls.Listener, calls.Records, calls.Dialer = &calltest.Bridger{}, nil, h.store, h.dialer
	calls.OnEvent, calls.OnPanic, calls.Callback = nil, nil, call.CallbackOptions{}
	h.x, err = call.NewExchange(calls)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- h.center.Run(ctx) }()
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		h.x.Drain(over)
		for _, done := range h.lines {
			<-done
		}
		stop()
		require.NoError(t, <-ran)
	})
	synctest.Wait()
	return h
}

// calls has somebody call a number.
func (h *house) calls(from string, to call.Next) *calltest.Leg {
	h.t.Helper()
	leg, done := calltest.NewLeg("caller "+from), make(chan struct{})
	h.lines = append(h.lines, done)
	go func() {
		defer close(done)
		h.x.Serve(context.Background(), call.Incoming{Leg: leg, At: to, From: from, To: "96777", Trunk: "city", Received: time.Now()})
	}()
	synctest.Wait()
	return leg
}

// at lets time pass up to so much after the beginning.
func (h *house) at(d time.Duration) {
	<-time.After(d - time.Since(h.start))
	synctest.Wait()
}

// answers has the phone that rings be answered.
func (h *house) answers() {
	h.t.Helper()
	leg := calltest.NewLeg(fmt.Sprint("agent ", time.Since(h.start)))
	_, err := leg.Answer()
	require.NoError(h.t, err)
	select {
	case h.phones.answer <- leg:
	default:
		h.t.Fatal("no phone rings")
	}
	synctest.Wait()
}

// lasts is how long a prompt is.
func (h *house) lasts(prompt string) time.Duration {
	h.t.Helper()
	clip, err := h.prompts.Clip(prompt)
	require.NoError(h.t, err)
	return clip.Duration()
}

// phones are agents' phones that ring until one is answered.
type phones struct{ answer chan call.Leg }

// Ring implements acd.Phones.
func (p *phones) Ring(ctx context.Context, r call.RingRequest) (call.Leg, error) {
	r.Progress(180, time.Now())
	select {
	case leg := <-p.answer:
		return leg, nil
	case <-ctx.Done():
		return nil, &call.RingError{Why: call.CauseWithdrawn, Code: 487, At: time.Now()}
	}
}
