package media_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
	"hotline/media"
	"hotline/media/mediatest"
)

// network is a bridge of two phones, of which one speaks through a bad network, and what is heard and recorded of it.
type network struct {
	from   media.Stream
	said   []byte
	first  uint32 // its timestamp
	frames []media.Frame
	heard  []mediatest.Packet
}

// tap keeps what it hears; the channel has room for all.
type tap chan media.Frame

func (t tap) Frame(f media.Frame) {
	f.ALaw = bytes.Clone(f.ALaw)
	t <- f
}

// networkPackets is how many packets are said in one go: fewer than a late one may be late by.
const networkPackets = 60

// speak has a phone say something by a relay under a rule, after a word that came through as it was, and waits until so
// many packets have been heard and recorded.
func speak(t *testing.T, newEngine func(media.Options) (media.Engine, error), rule testkit.Rule, come int) *network {
	t.Helper()
	loopback := netip.MustParseAddr("127.0.0.1")
	lo := uint16(testkit.FreePorts(t, 100))
	e, err := newEngine(media.Options{
		Address: loopback, Ports: media.PortRange{Lo: lo, Hi: lo + 99}, Rest: time.Millisecond,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	open := func() media.Stream {
		s, err := e.Open(media.StreamOptions{})
		require.NoError(t, err)
		return s
	}
	n := &network{from: open()}
	to := open()
	relay := testkit.StartRelay(t, n.from.Local().String(), "127.0.0.1:0")
	p, q := mediatest.NewPhone(t, media.PCMA), mediatest.NewPhone(t, media.PCMA)
	_, err = n.from.Answer(mediatest.Describe(relay.Outer()))
	require.NoError(t, err)
	p.AimAt(relay.Inner())
	q.Call(to)
	recorded := make(tap, 3*networkPackets)
	unbridge, err := e.Bridge(n.from, to, recorded)
	require.NoError(t, err)
	t.Cleanup(unbridge)

	n.first = p.Timestamp
	clip := media.Tone(700, (networkPackets+1)*media.FrameDuration)
	n.said = clip.ALaw
	take := func(packets int) {
		n.heard = append(n.heard, q.Take(packets)...)
		for range packets {
			n.frames = append(n.frames, <-recorded)
		}
	}
	p.Say(media.Clip{ALaw: clip.ALaw[:len(clip.ALaw)/(networkPackets+1)]})
	take(1)
	rule.Way, rule.Kind = testkit.ToHotline, testkit.KindRTP
	relay.Obey(rule)
	p.Say(media.Clip{ALaw: clip.ALaw[len(clip.ALaw)/(networkPackets+1):]})
	take(come)
	return n
}

// requireInPlace checks that what was recorded is what was said, each packet in the place that its timestamp gives it, and
// that the far end was sent the same packets, in the order they came, at the same places of its own.
func (n *network) requireInPlace(t *testing.T) {
	t.Helper()
	seen := map[uint32]bool{}
	for i, f := range n.frames {
		at := int(f.Timestamp - n.first)
		require.True(t, bytes.Equal(n.said[at:at+len(f.ALaw)], f.ALaw), "packet %d", i)
		require.False(t, seen[f.Timestamp], "packet %d is there once", i)
		seen[f.Timestamp] = true
		require.True(t, bytes.Equal(f.ALaw, n.heard[i].Audio))
		require.Equal(t, f.Timestamp-n.frames[0].Timestamp, n.heard[i].Timestamp-n.heard[0].Timestamp)
		require.Equal(t, f.Sequence-n.frames[0].Sequence, n.heard[i].Sequence-n.heard[0].Sequence)
	}
}

// What a network does to packets costs those that it loses, and no other; by either engine.
func TestNetwork(t *testing.T) {
	for name, newEngine := range engines {
		t.Run(name, func(t *testing.T) { badNetwork(t, newEngine) })
	}
}

func badNetwork(t *testing.T, newEngine func(media.Options) (media.Engine, error)) {
	t.Helper()
	every := func(n int) func(int) bool {
		count := 0
		return func(int) bool { count++; return count%n == n/2 }
	}
	t.Run("loss", func(t *testing.T) {
		n := speak(t, newEngine, testkit.Rule{Drop: every(10)}, networkPackets-6)
		n.requireInPlace(t)
		require.Equal(t, uint64(6), n.from.Stats().Lost)
	})
	t.Run("duplication", func(t *testing.T) {
		n := speak(t, newEngine, testkit.Rule{Twice: true}, networkPackets)
		n.requireInPlace(t)
		require.Eventually(t, func() bool { return n.from.Stats().Duplicate == networkPackets }, testkit.Patience, time.Millisecond)
		require.Zero(t, n.from.Stats().Late)
	})
	t.Run("reordering", func(t *testing.T) {
		n := speak(t, newEngine, testkit.Rule{Swap: true, Hold: testkit.Patience}, networkPackets)
		n.requireInPlace(t)
		st := n.from.Stats()
		require.Equal(t, []uint64{networkPackets / 2, 0, 0}, []uint64{st.Late, st.Lost, st.Duplicate})
	})
	t.Run("jitter", func(t *testing.T) {
		turn := 0
		delay := func() time.Duration { turn++; return time.Duration(turn%4) * 10 * time.Millisecond }
		n := speak(t, newEngine, testkit.Rule{Delay: delay}, networkPackets)
		n.requireInPlace(t)
		st := n.from.Stats()
		require.Equal(t, []uint64{networkPackets + 1, 0, 0}, []uint64{st.PacketsIn, st.Lost, st.Duplicate})
		require.NotZero(t, st.Jitter)
	})
}
