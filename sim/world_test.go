package sim

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/media"
	"hotline/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait: long, for a busy machine under the race detector.
const patience = 30 * time.Second

// fastT1 makes SIP's timers short: nothing is lost on loopback.
const fastT1 = 50 * time.Millisecond

// hotline is a scripted one: it answers, waits for a key if the number is that of a menu, rings the one
// agent, and joins the two. It keeps what it heard.
type hotline struct {
	ua     *sip.UA
	engine media.Engine
	ring   bool        // agents are rung
	up     atomic.Bool // the agent is registered

	mu    sync.Mutex
	keys  []media.Key
	tap   tap
	agent map[call.Cause]int // how ringing ended that was not answered
}

// tap counts what each side says.
type tap struct {
	mu    sync.Mutex
	heard [2]int
}

// Frame implements media.Tap.
func (t *tap) Frame(f media.Frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard[f.Side]++
}

func (t *tap) both() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard[media.SideA] > 0 && t.heard[media.SideB] > 0
}

const (
	menuNumber  = "96777"
	alarmNumber = "96119"
)

func loopback() netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0) }

func newEngine(t *testing.T, ports int) media.Engine {
	t.Helper()
	first := testkit.FreePorts(t, ports)
	e, err := media.NewPortable(media.Options{
		Address: loopback().Addr(), Ports: media.PortRange{Lo: uint16(first), Hi: uint16(first + ports - 1)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// startHotline runs a scripted hotline until the test's end.
func startHotline(t *testing.T, ring bool) *hotline {
	t.Helper()
	h := &hotline{engine: newEngine(t, 100), ring: ring, agent: make(map[call.Cause]int)}
	var err error
	h.ua, err = sip.New(sip.Options{
		Listen: []sip.Listener{{Network: "udp", Address: loopback()}}, Engine: h.engine, T1: fastT1,
		Agents: []sip.AgentOptions{{ID: "8001", Password: "one"}},
		Trunks: []sip.TrunkOptions{{
			Name: "city", Allow: []netip.Prefix{netip.PrefixFrom(loopback().Addr(), 8).Masked()},
			Numbers: map[string]call.Next{
				menuNumber:  {Kind: call.Route, Menu: "main"},
				alarmNumber: {Kind: call.Route, Queue: "alarm"},
			},
		}},
		OnIncoming: h.serve,
		OnFlow:     func(_ string, up bool) { h.up.Store(up) },
	})
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- h.ua.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, h.ua.Close())
		require.NoError(t, <-ran)
	})
	return h
}

func (h *hotline) serve(_ context.Context, in call.Incoming) {
	defer in.Leg.Hangup(call.CauseBye)
	pressed := make(chan media.Key, 1)
	in.Leg.Attach(func(cmd call.Command) bool {
		k, isKey := cmd.(call.KeyPressed)
		if isKey {
			pressed <- k.Key
		}
		return isKey
	})
	if _, err := in.Leg.Answer(); err != nil {
		return
	}
	if in.At.Menu != "" {
		select {
		case k := <-pressed:
			h.mu.Lock()
			h.keys = append(h.keys, k)
			h.mu.Unlock()
		case <-in.Leg.Context().Done():
			return
		}
	}
	if !h.ring {
		<-in.Leg.Context().Done()
		return
	}
	h.connect(in) //nolint:contextcheck // a call lives as long as its caller's leg
}

func (h *hotline) connect(in call.Incoming) {
	leg, err := h.ua.Ring(in.Leg.Context(), call.RingRequest{Agent: "8001", From: in.From, CallID: in.From})
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		if why, ok := errors.AsType[*call.RingError](err); ok {
			h.agent[why.Why]++
		}
		return
	}
	defer leg.Hangup(call.CauseBye)
	unbridge, err := h.engine.Bridge(in.Leg.Audio(), leg.Audio(), &h.tap)
	if err != nil {
		return
	}
	defer unbridge()
	select {
	case <-in.Leg.Context().Done():
	case <-leg.Context().Done():
	}
}

func (h *hotline) pressed() []media.Key {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keys
}

// people are a world's options that suit a test.
func (h *hotline) people(t *testing.T) Options {
	t.Helper()
	return Options{
		Hotline: h.ua.Addrs()[0], Engine: newEngine(t, 100), PerMinute: 600, Seed: 7,
		Talk: time.Second, Patience: time.Minute, Pickup: 100 * time.Millisecond,
		Choices: []Choice{{Number: menuNumber, Key: '2', Weight: 1}},
		Agents:  []Agent{{ID: "8001", Password: "one"}},
	}
}

// live runs a world; leave ends it and returns how long that took.
func live(t *testing.T, o Options) (w *World, leave func() time.Duration) {
	t.Helper()
	w, err := New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	leave = sync.OnceValue(func() time.Duration {
		begun := time.Now()
		cancel()
		require.NoError(t, <-ran)
		return time.Since(begun)
	})
	t.Cleanup(func() { leave() })
	return w, leave
}

// stopsWithin is how fast a world ends that is told to, on a busy machine: well before its callers' patience does.
const stopsWithin = patience / 2

// TestCalls: callers dial, listen, press, are answered and talk, and both are heard; told to, all of them
// hang up at once.
func TestCalls(t *testing.T) {
	t.Parallel()
	h := startHotline(t, true)
	w, leave := live(t, h.people(t))
	testkit.Within(t, patience, "a caller to be answered, and both to be heard", func() bool {
		return w.Figures().Answered >= 1 && h.tap.both()
	})
	for _, k := range h.pressed() {
		require.Equal(t, media.Key('2'), k)
	}
	require.NotEmpty(t, h.pressed())
	require.True(t, h.up.Load(), "the agent is there")
	require.Less(t, leave(), stopsWithin)
	testkit.Within(t, patience, "the agent to have signed off", func() bool { return !h.up.Load() })
	f := w.Figures()
	require.Zero(t, f.Calling, "all have hung up")
	require.Zero(t, f.GaveUp)
	require.GreaterOrEqual(t, f.Dialled, f.Answered+f.Refused+f.Lost)
}

// TestTalkEnds: a caller who has said everything hangs up; callers come only for the time said, and
// the world waits to be told.
func TestTalkEnds(t *testing.T) {
	t.Parallel()
	h := startHotline(t, true)
	o := h.people(t)
	o.Choices = []Choice{{Number: alarmNumber, Weight: 1}}
	o.PerMinute, o.For = 60_000, 10*time.Millisecond
	w, leave := live(t, o)
	testkit.Within(t, patience, "all to have talked or gone", func() bool {
		f := w.Figures()
		return f.Dialled > 0 && f.Calling == 0
	})
	require.Positive(t, w.Figures().Talked)
	require.Less(t, leave(), stopsWithin)
}

// TestDrain: who has come is answered and hangs up, and nobody comes any more; it can be waited for as long as one likes.
func TestDrain(t *testing.T) {
	t.Parallel()
	h := startHotline(t, true)
	o := h.people(t)
	o.Choices, o.Talk = []Choice{{Number: alarmNumber, Weight: 1}}, 50*time.Millisecond
	w, leave := live(t, o)
	testkit.Within(t, patience, "callers to dial", func() bool { return w.Figures().Dialled >= 3 })
	now, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.Drain(now), context.Canceled)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, w.Drain(ctx))
	f := w.Figures()
	require.Zero(t, f.Calling)
	require.Zero(t, f.Lost)
	require.Positive(t, f.Answered)
	require.Equal(t, f.Dialled, f.Answered+f.Refused+f.GaveUp)
	require.True(t, h.up.Load(), "the agent is still there")
	leave()
	require.Equal(t, f, w.Figures(), "nobody came after that")
	require.NoError(t, w.Drain(t.Context()), "nor is there anybody to be waited for")
}

// TestGivesUp: nobody answers, and patience ends.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	h := startHotline(t, false)
	o := h.people(t)
	o.Choices = []Choice{{Number: alarmNumber, Weight: 1}, {Number: "1", Key: '9', Weight: 0}}
	o.Patience, o.Agents = 50*time.Millisecond, nil
	w, leave := live(t, o)
	testkit.Within(t, patience, "callers to give up", func() bool { return w.Figures().GaveUp >= 3 })
	require.Zero(t, w.Figures().Answered)
	require.Less(t, leave(), stopsWithin)
}

// TestMisses: an agent who is not at the desk lets it ring.
func TestMisses(t *testing.T) {
	t.Parallel()
	h := startHotline(t, true)
	o := h.people(t)
	o.Miss, o.Choices = 1, []Choice{{Number: alarmNumber, Weight: 1}}
	w, leave := live(t, o)
	testkit.Within(t, patience, "an offer to be missed", func() bool { return w.Figures().Missed >= 1 })
	require.Zero(t, w.Figures().Answered)
	require.Less(t, leave(), stopsWithin)
}

// TestNotLetIn: a number that leads nowhere.
func TestNotLetIn(t *testing.T) {
	t.Parallel()
	h := startHotline(t, true)
	o := h.people(t)
	o.Choices = []Choice{{Number: "110", Weight: 1}}
	w, leave := live(t, o)
	testkit.Within(t, patience, "callers to be refused", func() bool { return w.Figures().Refused >= 3 })
	require.Less(t, leave(), stopsWithin)
}

// TestWrongPassword: a world whose agents cannot register says so, and leaves nothing behind.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	h := startHotline(t, true)
	o := h.people(t)
	o.Agents[0].Password = "two"
	w, err := New(o)
	require.NoError(t, err)
	err = w.Run(t.Context())
	var refused *sip.StatusError
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "agent 8001")
	require.Zero(t, w.Figures().Dialled)
}

// TestBadOptions: every fault at once.
func TestBadOptions(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Miss: 2, For: -1, Choices: []Choice{{Weight: -1}}})
	require.ErrorIs(t, err, ErrBadOptions)
	for _, name := range []string{"Hotline", "Engine", "PerMinute", "Talk", "For", "Miss", "Choices"} {
		require.ErrorContains(t, err, name)
	}
}
