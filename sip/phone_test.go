package sip

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/media"
)

// phoneBench is a hotline and what it is told, for phones to talk to.
type phoneBench struct {
	t         *testing.T
	transport string
	hotline   *UA
	calls     chan call.Incoming // given over by OnIncoming, which waits for the leg's end
	flows     chan string
}

var loopback = netip.MustParseAddr("127.0.0.1")

func newPhoneBench(t *testing.T, transport string, o Options) *phoneBench {
	t.Helper()
	b := &phoneBench{t: t, transport: transport, calls: make(chan call.Incoming, 100), flows: make(chan string, 100)}
	o.Listen = []Listener{{Network: transport, Address: netip.AddrPortFrom(loopback, 0)}}
	o.Realm = "hotline"
	o.Agents = registrarAgents()[:3]
	o.Trunks = []TrunkOptions{{
		Name: "city", Allow: []netip.Prefix{netip.PrefixFrom(loopback, 8)},
		Numbers: map[string]call.Next{"96777": {Kind: call.Menu, Menu: "main"}},
	}}
	o.Engine = newTestEngine(t)
	o.OnIncoming = func(ctx context.Context, in call.Incoming) {
		b.calls <- in
		select {
		case <-in.Leg.Context().Done():
		case <-ctx.Done():
		}
	}
	o.OnFlow = func(agent string, up bool) { b.flows <- fmt.Sprint(agent, " ", up) }
	hotline, err := New(o)
	require.NoError(t, err)
	b.hotline = hotline
	runUntilEnd(t, hotline.Run)
	return b
}

// newTestEngine opens an engine on ports of loopback that no other test has.
func newTestEngine(t *testing.T) media.Engine {
	t.Helper()
	first := uint16(testkit.FreePorts(t, 100))
	e, err := media.New(media.Options{
		Address: loopback, Ports: media.PortRange{Lo: first, Hi: first + 99}, Rest: time.Millisecond,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// runUntilEnd runs a server until the test ends, and wants it to end well.
func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// phones opens a set of phones that knows the server.
func (b *phoneBench) phones(server netip.AddrPort) *Phones {
	b.t.Helper()
	s, err := NewPhones(PhonesOptions{
		Address: netip.AddrPortFrom(loopback, 0), Server: server, Transport: b.transport,
		Engine: newTestEngine(b.t),
	})
	require.NoError(b.t, err)
	runUntilEnd(b.t, s.Run)
	return s
}

func (b *phoneBench) add(s *Phones, o PhoneOptions) *Phone {
	b.t.Helper()
	p, err := s.Add(o)
	require.NoError(b.t, err)
	return p
}

func eachTransport(t *testing.T, f func(t *testing.T, transport string)) {
	t.Helper()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) { f(t, transport) })
	}
}

// TestPhonesRegister: phones behind one socket register each for itself, and are gone when they say so.
func TestPhonesRegister(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		t.Helper()
		b := newPhoneBench(t, transport, Options{})
		s := b.phones(b.hotline.Addrs()[0])
		p1 := b.add(s, PhoneOptions{User: "8001", Password: "one"})
		p2 := b.add(s, PhoneOptions{User: "8002", Password: "two"})
		_, err := s.Add(PhoneOptions{User: "8001"})
		require.ErrorIs(t, err, errUserTaken)
		require.NoError(t, p1.Register(t.Context()))
		require.Equal(t, "8001 true", next(t, b.flows))
		require.NoError(t, p2.Register(t.Context()))
		require.Equal(t, "8002 true", next(t, b.flows))
		require.NoError(t, p1.Register(t.Context()), "again")
		require.NoError(t, p1.Unregister(t.Context()))
		require.Equal(t, "8001 false", next(t, b.flows))
		_, ok := b.hotline.registrar.lookup("8002")
		require.True(t, ok)

		var refused *StatusError
		bad := b.add(s, PhoneOptions{User: "8003", Password: "wrong"})
		require.ErrorAs(t, bad.Register(t.Context()), &refused)
		require.Equal(t, StatusError{Method: "REGISTER", Code: 401}, *refused)
		require.NoError(t, s.Close())
		if transport == "tcp" { // the connection was closed: known at once
			require.Equal(t, "8002 false", next(t, b.flows))
		}
	})
}

// TestPhoneRefreshes: a registration outlives what was granted.
func TestPhoneRefreshes(t *testing.T) {
	t.Parallel()
	const expires = 2 * time.Second
	b := newPhoneBench(t, "udp", Options{ExpiresMin: time.Second})
	p := b.add(b.phones(b.hotline.Addrs()[0]), PhoneOptions{User: "8001", Password: "one", Expires: expires})
	require.NoError(t, p.Register(t.Context()))
	require.Equal(t, "8001 true", next(t, b.flows))
	refreshed := b.hotline.metrics.registers.WithLabelValues(registerRefreshed)
	// Refreshed twice, the second time beyond what was granted at first; where the machine is slow a refresh may be late.
	require.Eventually(t, func() bool { return testutil.ToFloat64(refreshed) >= 2 }, 3*testWait, 10*time.Millisecond)
}

// TestPhoneDials: a caller who is not registered calls by the trunk, hears it ring, is answered, and hangs up.
func TestPhoneDials(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		t.Helper()
		b := newPhoneBench(t, transport, Options{})
		p := b.add(b.phones(b.hotline.Addrs()[0]), PhoneOptions{User: "13912345678"})
		rang := make(chan int, 10)
		go func() {
			in := <-b.calls
			_ = in.Leg.Ring() // what is sent is checked where it arrives
			if <-rang == 180 {
				_, _ = in.Leg.Answer()
			}
			b.calls <- in
		}()
		leg, err := p.Dial(t.Context(), "96777", DialOptions{Progress: func(code int, _ time.Time) { rang <- code }})
		require.NoError(t, err)
		in := next(t, b.calls)
		require.Equal(t, "13912345678", in.From)
		require.Equal(t, "96777", in.To)
		require.Equal(t, "city", in.Trunk)
		require.Equal(t, call.Next{Kind: call.Menu, Menu: "main"}, in.At)
		leg.Hangup(call.CauseBye)
		next(t, in.Leg.Context().Done())
		end, _ := call.EndOf(in.Leg)
		require.Equal(t, call.Far, end.By)
		require.Equal(t, call.CauseBye, end.Why)

		var refused *call.RingError
		_, err = p.Dial(t.Context(), "00000", DialOptions{})
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 404, refused.Code)
	})
}

// TestRegisteredPhoneDials: who is registered calls as an agent, with its password.
func TestRegisteredPhoneDials(t *testing.T) {
	b := newPhoneBench(t, "udp", Options{})
	s := b.phones(b.hotline.Addrs()[0])
	p := b.add(s, PhoneOptions{User: "8002", Password: "two"})
	require.NoError(t, p.Register(t.Context()))
	require.Equal(t, "8002 true", next(t, b.flows))

	go func() {
		in := <-b.calls
		_, _ = in.Leg.Answer()
		b.calls <- in
	}()
	leg, err := p.Dial(t.Context(), "96777", DialOptions{})
	require.NoError(t, err)
	in := next(t, b.calls)
	require.Equal(t, "8002", in.Agent)
	require.Empty(t, in.Trunk)
	in.Leg.Hangup(call.CauseBye)
	next(t, leg.Context().Done())

	var refused *call.RingError
	thief := b.add(s, PhoneOptions{User: "8001", Password: "two"})
	_, err = thief.Dial(t.Context(), "96777", DialOptions{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 401, refused.Code)
}

// TestPhoneIsRung: the hotline rings an agent; the phone answers, refuses, or is withdrawn from.
func TestPhoneIsRung(t *testing.T) {
	eachTransport(t, func(t *testing.T, transport string) {
		t.Helper()
		b := newPhoneBench(t, transport, Options{})
		act := make(chan func(call.Leg), 1)
		rung := make(chan call.Incoming, 1)
		p := b.add(b.phones(b.hotline.Addrs()[0]), PhoneOptions{
			User: "8001", Password: "one",
			OnIncoming: func(ctx context.Context, in call.Incoming) {
				rung <- in
				(<-act)(in.Leg)
				select {
				case <-in.Leg.Context().Done():
				case <-ctx.Done():
				}
			},
		})
		require.NoError(t, p.Register(t.Context()))
		require.Equal(t, "8001 true", next(t, b.flows))

		act <- func(l call.Leg) {
			_ = l.Ring() // what is sent is checked where it arrives
			_, _ = l.Answer()
		}
		leg, err := b.hotline.Ring(t.Context(), call.RingRequest{Agent: "8001", From: "13912345678"})
		require.NoError(t, err)
		in := next(t, rung)
		require.Equal(t, "13912345678", in.From)
		require.Equal(t, "8001", in.To)
		in.Leg.Hangup(call.CauseBye)
		next(t, leg.Context().Done())

		act <- func(l call.Leg) { l.Hangup(call.CauseBusy) }
		var refused *call.RingError
		_, err = b.hotline.Ring(t.Context(), call.RingRequest{Agent: "8001", From: "13912345678"})
		require.ErrorAs(t, err, &refused)
		require.Equal(t, call.CauseBusy, refused.Why)
		next(t, rung)

		ctx, withdraw := context.WithCancelCause(t.Context())
		act <- func(l call.Leg) {
			_ = l.Ring()
			withdraw(call.CancelCause{Why: call.CauseElsewhere})
		}
		_, err = b.hotline.Ring(ctx, call.RingRequest{Agent: "8001", From: "13912345678"})
		require.ErrorAs(t, err, &refused)
		require.Equal(t, call.CauseElsewhere, refused.Why)
		in = next(t, rung)
		next(t, in.Leg.Context().Done())
		end, _ := call.EndOf(in.Leg)
		require.Equal(t, call.CauseCancel, end.Why)
	})
}

// TestPhonesKnowTheirServer: a call from anybody else, or for nobody, is refused.
func TestPhonesKnowTheirServer(t *testing.T) {
	b := newPhoneBench(t, "udp", Options{})
	s := b.phones(b.hotline.Addrs()[0])
	b.add(s, PhoneOptions{User: "8001", OnIncoming: func(context.Context, call.Incoming) { t.Error("a stranger came through") }})
	stranger := b.add(b.phones(s.Addr()), PhoneOptions{User: "1"})
	var refused *call.RingError
	_, err := stranger.Dial(t.Context(), "8001", DialOptions{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 403, refused.Code)
}

// TestManyPhonesOnOneSocket: fifty callers at once share a socket, and none hears of another's call.
func TestManyPhonesOnOneSocket(t *testing.T) {
	const callers = 50
	b := newPhoneBench(t, "udp", Options{})
	s := b.phones(b.hotline.Addrs()[0])
	go func() {
		for {
			select {
			case in := <-b.calls:
				_, _ = in.Leg.Answer() // what is sent is checked where it arrives
			case <-t.Context().Done():
				return
			}
		}
	}()
	legs := make(chan call.Leg, callers)
	for i := range callers {
		p := b.add(s, PhoneOptions{User: fmt.Sprintf("1390000%04d", i)})
		go func() {
			leg, err := p.Dial(t.Context(), "96777", DialOptions{})
			if err != nil {
				t.Error(err)
			}
			legs <- leg
		}()
	}
	seen := make(map[call.LegID]bool)
	for range callers {
		leg := next(t, legs)
		require.NotNil(t, leg)
		require.False(t, seen[leg.ID()])
		seen[leg.ID()] = true
		leg.Hangup(call.CauseBye)
	}
}
