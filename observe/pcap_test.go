package observe_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
	"hotline/media"
	"hotline/observe"
)

// leg is a stream that knows who captures it.
type leg struct {
	media.Stream

	mu sync.Mutex
	by []*media.Capture
}

func (l *leg) Capture(c *media.Capture) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.by) == media.MostCaptures || slices.Contains(l.by, c) {
		return false
	}
	l.by = append(l.by, c)
	return true
}

func (l *leg) Release(c *media.Capture) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.by = slices.DeleteFunc(l.by, func(other *media.Capture) bool { return other == c })
}

// captures is how many have it.
func (l *leg) captures() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.by)
}

// calling is a hub with one call, c1, whose legs come and go.
func calling(w *wire, legs *atomic.Pointer[[]media.Stream]) *observe.Hub {
	return observe.New(observe.Options{
		Observe: w.Observe, PhoneOf: w.PhoneOf,
		CallOf: func(id string) string { return map[string]string{"leg-a": "c1", "leg-b": "c1", "leg-c": "c2"}[id] },
		StreamsOf: func(id string) []media.Stream {
			if all := legs.Load(); all != nil && id == "c1" {
				return *all
			}
			return nil
		},
	})
}

// over is a message of a SIP Call-ID over a transport, between two addresses of IPv6.
func over(callID, transport, start string, received bool) call.WireMessage {
	return call.WireMessage{
		At: time.Now(), CallID: callID, Transport: transport, Received: received,
		Local: netip.MustParseAddrPort("[2001:db8::1]:5060"), Remote: netip.MustParseAddrPort("[2001:db8::9]:5060"),
		Data: []byte(start + " sip:x@h SIP/2.0\r\nVia: SIP/2.0/" + transport + " h\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:x@h>\r\nCall-ID: " +
			callID + "\r\nCSeq: 1 " + start + "\r\nContent-Length: 0\r\n\r\n"),
	}
}

// of is a message that is known to be of a call.
func of(id string, m call.WireMessage) call.WireMessage {
	m.Call = id
	return m
}

// A capture has what the call's legs say, those too that come meanwhile, and of no other call; it ends by itself a second
// after the last leg, and lets go of streams. tshark reads each connection as one stream of TCP without a gap.
func TestPcap(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "tshark")
	var file bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		first, second := &leg{}, &leg{}
		var legs atomic.Pointer[[]media.Stream]
		h := calling(w, &legs)
		_, err := h.Pcap(t.Context(), "c1", &file, func() {})
		require.ErrorIs(t, err, observe.ErrNoCall)
		legs.Store(&[]media.Stream{first})
		began, done := make(chan struct{}), make(chan call.Capture, 1)
		go func() {
			got, err := h.Pcap(t.Context(), "c1", &file, func() { close(began) })
			if err != nil {
				got.Packets = -1
			}
			done <- got
		}()
		<-began
		require.Equal(t, 1, first.captures())
		w.say(of("c1", over("leg-a", "TCP", "INFO", true)))
		w.say(of("c1", over("leg-a", "TCP", "OPTIONS", false)))
		w.say(of("c1", over("leg-a", "TCP", "UPDATE", true)))
		w.say(over("leg-b", "UDP", "INVITE", false)) // whose it is turns out while it waits
		w.say(of("c2", over("leg-c", "UDP", "INFO", false)))
		w.say(over("leg-c", "UDP", "INVITE", false))
		w.say(over("nobody's", "UDP", "REGISTER", true))
		legs.Store(&[]media.Stream{first, second})
		time.Sleep(100 * time.Millisecond) // of synctest
		require.Equal(t, 1, second.captures())
		legs.Store(nil)
		time.Sleep(500 * time.Millisecond) // of synctest
		w.say(of("c1", over("leg-b", "UDP", "BYE", true)))
		time.Sleep(time.Second) // of synctest
		require.Equal(t, call.Capture{Packets: 5, End: call.CaptureCallOver}, <-done)
		require.Zero(t, first.captures())
		require.Zero(t, second.captures())
		require.Empty(t, w.show)
	})
	r, err := pcapgo.NewNgReader(bytes.NewReader(file.Bytes()), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for n := 0; ; n++ {
		if _, _, err := r.ReadPacketData(); err != nil {
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, 5, n)
			break
		}
	}
	name := filepath.Join(t.TempDir(), "c1.pcapng")
	require.NoError(t, os.WriteFile(name, file.Bytes(), 0o600))
	out, err := exec.CommandContext(t.Context(), "tshark", "-n", "-r", name, "-T", "fields", "-e", "sip.Method", "-e", "ipv6.src", "-e", "tcp.analysis.flags").Output()
	require.NoError(t, err)
	require.Equal(t, []string{
		"INFO\t2001:db8::9", "OPTIONS\t2001:db8::1", "UPDATE\t2001:db8::9", "INVITE\t2001:db8::1", "BYE\t2001:db8::9",
	}, strings.Split(strings.ReplaceAll(strings.TrimSpace(string(out)), "\t\n", "\n"), "\n"))
	out, err = exec.CommandContext(t.Context(), "tshark", "-n", "-r", name, "-Y", "frame.comment", "-T", "fields", "-e", "frame.number", "-e", "frame.comment").Output()
	require.NoError(t, err)
	require.Equal(t, "5\tThe capture ends here: the call is over. Of the call 0 packets are missing.", strings.TrimSpace(string(out)))
}

// What there was no room for is told of, in the file and to who asked; and a flood of what belongs to no call takes none of the
// call's room. The largest file ends a capture, and says so.
func TestPcapMisses(t *testing.T) {
	t.Parallel()
	const room = 1024
	read := func(t *testing.T, file []byte) (lost []uint64, word string) {
		t.Helper()
		r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
		require.NoError(t, err)
		for {
			_, _, more, err := r.ReadPacketDataWithOptions()
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
			if more.DropCount != nil {
				lost = append(lost, *more.DropCount)
			}
			require.Empty(t, word, "the last has it")
			word = strings.Join(more.Comments, "")
		}
		stats, err := r.Interface(0)
		require.NoError(t, err)
		var all uint64
		for _, n := range lost {
			all += n
		}
		require.GreaterOrEqual(t, stats.Statistics.PacketsDropped, all)
		return lost, word
	}
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		var legs atomic.Pointer[[]media.Stream]
		legs.Store(&[]media.Stream{&leg{}})
		h := calling(w, &legs)
		capture := func(say func()) (call.Capture, []byte) {
			var file bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			done, err := h.Pcap(ctx, "c1", &file, say)
			require.NoError(t, err)
			return done, file.Bytes()
		}
		mine, stranger := of("c1", over("leg-a", "UDP", "INFO", true)), over("nobody's", "UDP", "INVITE", true)
		refused := over("nobody's", "UDP", "INVITE", false)
		refused.Data = append([]byte("SIP/2.0 403 Forbidden\r\n"), refused.Data[bytes.IndexByte(refused.Data, '\n')+1:]...)
		done, file := capture(func() {
			for range 2 * room {
				w.say(stranger)
				w.say(refused)
				w.say(over("nobody's", "UDP", "REGISTER", true))
				w.say(over("nobody's", "UDP", "OPTIONS", true))
			}
			for range room {
				w.say(mine)
			}
		})
		require.Equal(t, call.Capture{Packets: room, Unsure: 3 * room, End: call.CaptureTimeOver}, done)
		lost, word := read(t, file)
		require.Empty(t, lost)
		require.Equal(t, "The capture ends here: the time asked for is over. Of the call 0 packets are missing; 3072 SIP messages of no call were not looked at.", word)

		say := func(n int, m call.WireMessage) {
			for range n {
				w.say(m)
			}
		}
		later := func(f func()) {
			go func() {
				time.Sleep(125 * time.Millisecond) // of synctest: between two looks at what has come
				f()
			}()
		}
		done, file = capture(func() {
			say(room+7, mine)
			later(func() { say(1, mine) })
		})
		require.Equal(t, call.Capture{Packets: room + 1, Missed: 7, End: call.CaptureTimeOver}, done)
		lost, word = read(t, file)
		require.Equal(t, []uint64{7}, lost, "before the last")
		require.Contains(t, word, "Of the call 7 packets are missing.")

		large := mine
		large.Data = append(bytes.Clone(large.Data), make([]byte, 64_000)...)
		done, err := h.Pcap(t.Context(), "c1", io.Discard, func() {
			say(room+1, large)
			later(func() { say(room, large) })
		})
		require.NoError(t, err)
		require.Equal(t, call.Capture{Packets: 2 * room, Missed: 1, End: call.CaptureFull}, done)
	})
}

// badWriter is of a reader that is gone.
type badWriter struct{}

var errBad = errors.New("gone")

func (badWriter) Write([]byte) (int, error) { return 0, errBad }

// A reader that is gone ends a capture; so does the context's end, and there are no more at once than may watch.
func TestPcapEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{show: make(map[int]func(call.WireMessage))}
		one := &leg{}
		var legs atomic.Pointer[[]media.Stream]
		legs.Store(&[]media.Stream{one})
		h := calling(w, &legs)
		_, err := h.Pcap(t.Context(), "c1", badWriter{}, func() { w.say(over("leg-a", "UDP", "INFO", true)) })
		require.ErrorIs(t, err, errBad)
		require.Zero(t, one.captures())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error, observe.AtOnce)
		for range observe.AtOnce {
			go func() {
				_, err := h.Pcap(ctx, "c1", io.Discard, func() {})
				done <- err
			}()
		}
		synctest.Wait()
		require.Equal(t, observe.AtOnce, one.captures(), "each has the leg's audio")
		_, err = h.Pcap(ctx, "c1", io.Discard, func() {})
		require.ErrorIs(t, err, observe.ErrBusy)
		began := time.Now()
		for range observe.AtOnce {
			require.NoError(t, <-done)
		}
		require.LessOrEqual(t, time.Since(began), time.Minute)
		require.Zero(t, one.captures())
	})
}
