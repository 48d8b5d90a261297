package observe_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/observe"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// wire is a user agent that says what it is told to.
type wire struct {
	mu    sync.Mutex
	show  map[int]func(call.WireMessage)
	next  int
	phone netip.AddrPort
}

func (w *wire) Observe(show func(call.WireMessage)) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.next
	w.next++
	w.show[n] = show
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.show, n)
	}
}

func (w *wire) PhoneOf(agent string) (netip.AddrPort, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phone, agent == "8001" && w.phone.IsValid()
}

func (w *wire) say(m call.WireMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, show := range w.show {
		show(m)
	}
}

// at is a message from somewhere.
func at(remote, head string) call.WireMessage {
	return call.WireMessage{
		At: time.Now(), Received: true, Transport: "UDP", Remote: netip.MustParseAddrPort(remote),
		Data: []byte(head + "\r\n\r\nv=0"),
	}
}

// seen watches a peer while said speaks, and returns the heads that came.
func seen(t *testing.T, w *wire, who string, full bool, said func()) (got []call.SIPMessage) {
	t.Helper()
	h := observe.New(observe.Options{Observe: w.Observe, PhoneOf: w.PhoneOf})
	h.Know([]string{"8001", "8002"}, []string{"96777", "8001"})
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := h.Watch(ctx, who, full, func() { close(began) }, func(m call.SIPMessage) error { got = append(got, m); return nil })
		done <- err
	}()
	<-began
	said()
	synctest.Wait() // all that was queued is handed on
	cancel()
	require.NoError(t, <-done)
	require.Empty(t, w.show, "nothing is observed any more")
	return got
}

func heads(all []call.SIPMessage) (out []string) {
	for _, m := range all {
		out = append(out, strings.Split(m.Head, "\r\n")[0])
	}
	return out
}

// A peer is an address of every port, one port of it, or an agent: by his registration, also one that comes meanwhile, by
// his leg, by his name in From or To, and by nothing else.
func TestPeers(t *testing.T) {
	t.Parallel()
	for who, want := range map[string][]string{
		"192.0.2.9":          {"A", "B"},
		"::ffff:192.0.2.9":   {"A", "B"},
		"192.0.2.9:5070":     {"A"},
		"2001:db8::9":        {"C"},
		"[2001:db8::9]:5060": {"C"},
		"[2001:db8::9]:5061": nil,
		"8001":               {"D", "E", "F", "H"},
		"8002":               nil,
	} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &wire{show: make(map[int]func(call.WireMessage))}
				require.Equal(t, want, heads(seen(t, w, who, false, func() {
					w.say(at("192.0.2.9:5070", "A"))
					w.say(at("[::ffff:192.0.2.9]:5071", "B"))
					w.say(at("[2001:db8::9]:5060", "C"))
					w.say(at("192.0.2.1:5060", "D\r\nFrom: <sip:8001@h>;tag=1"))
					w.say(at("192.0.2.1:5060", "E\r\nt : \"x\" <sip:8001@h>"))
					leg := at("192.0.2.1:5060", "F")
					leg.Agent, leg.Party = true, "8001"
					w.say(leg)
					w.say(at("192.0.2.1:5060", "G\r\nContact: <sip:8001@h>\r\nFrom: <sip:80011@h>"))
					w.say(at("192.0.2.77:5060", "not yet his phone"))
					w.mu.Lock()
					w.phone = netip.MustParseAddrPort("192.0.2.77:5060")
					w.mu.Unlock()
					time.Sleep(1100 * time.Millisecond) // of synctest: the phone is asked for again
					w.say(at("192.0.2.77:5060", "H"))
				})))
			})
		})
	}
}

// Numbers are hidden unless they are asked for, but for open ones; bodies are told by type and length; long heads are cut.
func TestWhatIsShown(t *testing.T) {
	t.Parallel()
	for full, number := range map[bool]string{false: call.Mask("13912345678"), true: "13912345678"} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{show: make(map[int]func(call.WireMessage))}
			got := seen(t, w, "192.0.2.9", full, func() {
				w.say(at("192.0.2.9:5060", "INVITE sip:96777@h SIP/2.0\r\nFrom: <sip:13912345678@h>\r\nContent-Type: application/sdp"))
				w.say(at("192.0.2.9:5060", "X\r\nA: "+strings.Repeat("a", 9000)))
			})
			require.Len(t, got, 2)
			require.Equal(t, "INVITE sip:96777@h SIP/2.0\r\nFrom: <sip:"+number+"@h>\r\nContent-Type: application/sdp", got[0].Head)
			require.Equal(t, "application/sdp, 3 octets", got[0].Body)
			require.True(t, got[0].Received)
			require.Less(t, len(got[1].Head), 8<<10+64)
			require.Contains(t, got[1].Head, "(cut: 9006 octets in all)")
		})
	}
}

// Who reads too slowly is told how many he missed; nobody waits for him.
func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		h := observe.New(observe.Options{Observe: w.Observe, PhoneOf: w.PhoneOf})
		ctx, cancel := context.WithCancel(t.Context())
		began, reads := make(chan struct{}), make(chan struct{})
		shown, omitted := 0, 0
		done := make(chan int, 1)
		go func() {
			n, _ := h.Watch(ctx, "192.0.2.9", true, func() { close(began) }, func(m call.SIPMessage) error {
				if shown == 0 {
					<-reads
				}
				if m.Omitted == 0 {
					shown++
				}
				omitted += m.Omitted
				return nil
			})
			done <- n
		}()
		<-began
		for i := range 1000 {
			w.say(at("192.0.2.9:5060", fmt.Sprint(i)))
		}
		close(reads)
		synctest.Wait()
		cancel()
		require.Equal(t, shown, <-done)
		require.Equal(t, 1000, shown+omitted)
		require.Greater(t, omitted, 700)
	})
}

// There are bounds: of those who watch at once, and of what one is shown. An error of who is shown ends it.
func TestBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		h := observe.New(observe.Options{Observe: w.Observe, PhoneOf: w.PhoneOf})
		nothing := func(call.SIPMessage) error { return nil }
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range observe.AtOnce {
			all.Go(func() { _, _ = h.Watch(ctx, "192.0.2.9", false, func() {}, nothing) })
		}
		synctest.Wait()
		_, err := h.Watch(ctx, "192.0.2.9", false, func() {}, nothing)
		require.ErrorIs(t, err, observe.ErrBusy)
		cancel()
		all.Wait()

		errGone := errors.New("gone")
		_, err = h.Watch(t.Context(), "192.0.2.9", false, func() { w.say(at("192.0.2.9:1", "A")) }, func(call.SIPMessage) error { return errGone })
		require.ErrorIs(t, err, errGone)
		n, err := h.Watch(t.Context(), "192.0.2.9", true, func() { w.say(at("192.0.2.9:1", "A")) }, func(call.SIPMessage) error {
			w.say(at("192.0.2.9:1", "A")) // and so on for ever
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, observe.MostMessages, n)
		require.Empty(t, w.show)
	})
}

// Nobody is watched by a name that is no agent's: it may be a caller's number.
func TestNobody(t *testing.T) {
	t.Parallel()
	w := &wire{show: make(map[int]func(call.WireMessage))}
	h := observe.New(observe.Options{Observe: w.Observe, PhoneOf: w.PhoneOf})
	watch := func(who string) (began bool, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = h.Watch(ctx, who, false, func() { began = true }, func(call.SIPMessage) error { return nil })
		return began, err
	}
	h.Know([]string{"8001"}, []string{"96777", "8001"})
	for _, nobody := range []string{"", "a b", "8001@h", "192.0.2.1:x", strings.Repeat("8", 33), "8002", "80010", "13912345678", "96777", "city"} {
		began, err := watch(nobody)
		require.ErrorIs(t, err, observe.ErrPeer, nobody)
		require.False(t, began, nobody)
	}
	for _, somebody := range []string{"8001", "192.0.2.1", "192.0.2.1:5060", "2001:db8::1"} {
		began, err := watch(somebody)
		require.NoError(t, err, somebody)
		require.True(t, began, somebody)
	}
	h.Know([]string{"8002"}, nil)
	_, err := watch("8001")
	require.ErrorIs(t, err, observe.ErrPeer, "he is none any more")
	_, err = watch("8002")
	require.NoError(t, err)
}
