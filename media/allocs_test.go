package media

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bench is two lines in a bridge without an engine: what is sent goes nowhere.
type bench struct {
	workbench
	near, far *line
	packet    []byte
	now       time.Time
	number    uint16
}

// nowhereSockets take everything.
type nowhereSockets struct{}

func (nowhereSockets) send([]byte, netip.AddrPort) bool { return true }
func (nowhereSockets) report([]byte, netip.AddrPort)    {}
func (nowhereSockets) close() error                     { return nil }

// countingTap counts what it hears.
type countingTap struct{ octets int }

func (c *countingTap) Frame(f Frame) { c.octets += len(f.ALaw) }

func newBench(tb testing.TB, near, far Codec, tap Tap) *bench {
	tb.Helper()
	b := &bench{now: time.Now(), packet: datagram(staticPayloads[near], 0, 0, make([]byte, frameSamples))}
	var lines [2]*line
	for i, c := range []Codec{near, far} {
		l := newLine(&stream{core: &core{}}, StreamOptions{})
		l.sockets, l.tally = nowhereSockets{}, &tally{}
		a := &agreement{codec: c, audio: staticPayloads[c], send: true, remote: anywhere}
		a.receive[a.audio] = codecKinds[c]
		l.agree(a, b.now)
		lines[i] = l
	}
	b.near, b.far = lines[0], lines[1]
	ends := [2]*bridgeEnd{{tap: tap, side: SideA, line: b.near}, {tap: tap, side: SideB, line: b.far}}
	for _, e := range ends {
		require.NoError(tb, e.line.claim(e))
	}
	require.NoError(tb, join(ends))
	return b
}

// pass takes the next packet from one socket to the other.
func (b *bench) pass() {
	b.number++
	b.now = b.now.Add(FrameDuration)
	binary.BigEndian.PutUint16(b.packet[2:], b.number)
	binary.BigEndian.PutUint32(b.packet[4:], uint32(b.number)*uint32(frameSamples))
	b.near.datagram(&b.workbench, b.packet, anywhere, b.now)
}

// ways are those of a packet through a bridge.
var ways = map[string][2]Codec{"passed": {PCMA, PCMA}, "translated": {PCMU, PCMA}}

// A packet costs no allocation on its way through a bridge, passed or translated, heard by a tap and with a tone over it.
func TestBridgedAllocatesNothing(t *testing.T) {
	for name, codecs := range ways {
		t.Run(name, func(t *testing.T) {
			tap := &countingTap{}
			b := newBench(t, codecs[0], codecs[1], tap)
			b.far.out.overlay(b.now, make([]byte, 100*frameSamples))
			b.pass()
			require.Zero(t, testing.AllocsPerRun(1000, b.pass))
			require.Equal(t, b.far.out.packets, uint64(b.number), "all were sent on")
			require.Equal(t, int(b.number)*frameSamples, tap.octets)
		})
	}
}

// BenchmarkBridged is a packet's way from the socket's octets to the other socket's, without the system calls.
func BenchmarkBridged(b *testing.B) {
	for name, codecs := range ways {
		b.Run(name, func(b *testing.B) {
			w := newBench(b, codecs[0], codecs[1], &countingTap{})
			b.ReportAllocs()
			for b.Loop() {
				w.pass()
			}
		})
	}
}
