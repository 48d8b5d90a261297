package media

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// eventPacket is one telephone-event packet as the detector sees it.
type eventPacket struct {
	ssrc, timestamp uint32
	marker          bool
	payload         []byte
}

func (p eventPacket) to(d *keyDetector) (Key, bool) {
	return d.event(p.ssrc, p.timestamp, p.marker, p.payload)
}

// TestKeyEvents has a case for each line of the table of keyDetector.
func TestKeyEvents(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/events.txtar")
	require.NoError(t, err)
	for _, c := range archive.Files {
		t.Run(c.Name, func(t *testing.T) {
			var d keyDetector
			for line := range strings.Lines(string(c.Data)) {
				line, want, _ := strings.Cut(strings.TrimSpace(line), " => ")
				if line == "" {
					continue
				}
				p := readEvent(t, line)
				got := ""
				if k, ok := p.to(&d); ok {
					got = k.String()
				}
				require.Equal(t, want, got, line)
			}
		})
	}
}

// readEvent reads a packet as the cases write it.
func readEvent(t *testing.T, line string) eventPacket {
	t.Helper()
	var p eventPacket
	var event byte
	var duration int
	var marker, end string
	_, err := fmt.Sscan(line, &p.ssrc, &p.timestamp, &marker, &event, &end, &duration)
	require.NoError(t, err, line)
	p.marker, p.payload = marker == "M", eventBody(event, end == "E", duration)
	return p
}

func eventBody(event byte, end bool, duration int) []byte {
	b := []byte{event, 10, 0, 0}
	if end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], uint16(duration))
	return b
}

// event makes all packets of one key press, the last three times (RFC 4733 section 2.5.1.4).
func event(ssrc, timestamp uint32, key byte, updates int) (packets []eventPacket) {
	for i := range updates + 2 {
		n := min(i+1, updates)
		packets = append(packets, eventPacket{ssrc, timestamp, i == 0, eventBody(key, n == updates, n*frameSamples)})
	}
	return packets
}

// However many packets of an event are lost, as long as one comes, and however they are repeated or
// swapped with those of the events beside it: each key is told once, in order of its first packet.
func TestKeysProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d keyDetector
		var want, got []Key
		timestamp := rapid.Uint32().Draw(t, "begin")
		var stragglers []eventPacket
		for range rapid.IntRange(1, 12).Draw(t, "keys") {
			key := rapid.ByteRange(0, 15).Draw(t, "key")
			packets := event(7, timestamp, key, rapid.IntRange(1, 12).Draw(t, "updates"))
			want = append(want, Key(eventKeys[key]))
			from := rapid.IntRange(0, len(packets)-1).Draw(t, "lost at the beginning")
			to := rapid.IntRange(from, len(packets)-1).Draw(t, "lost at the end")
			arrived := append(append(packets[from:to+1:to+1], stragglers...), packets[from])
			for _, p := range arrived {
				if k, ok := p.to(&d); ok {
					got = append(got, k)
				}
			}
			stragglers = packets[to : to+1] // comes again, after the next key's first
			timestamp += uint32(rapid.IntRange(400, 80000).Draw(t, "pause"))
		}
		require.Equal(t, want, got)
	})
}

// On a network that loses, repeats and reorders packets, each press is told once, as long as one packet of it comes:
// short ones, long ones in segments, and the same key again.
func TestKeysOnBadNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type numbered struct {
			eventPacket
			number uint16
			key    int // which press it is of
		}
		var sent []numbered
		var want []Key
		number, timestamp := rapid.Uint16().Draw(t, "number"), rapid.Uint32().Draw(t, "begin")
		for key := range rapid.IntRange(1, 8).Draw(t, "keys") {
			event := rapid.ByteRange(0, 15).Draw(t, "key")
			want = append(want, Key(eventKeys[event]))
			updates := rapid.SampledFrom([]int{1, 2, 5, 12, 500, 900}).Draw(t, "updates")
			packets := longEvent(7, timestamp, event, updates)
			for _, p := range packets {
				sent = append(sent, numbered{p, number, key})
				number++
			}
			timestamp += uint32(updates*frameSamples + rapid.IntRange(320, 8000).Draw(t, "pause"))
		}
		var arrived []numbered
		came := make(map[int]bool)
		lostInARow := 0
		for i, p := range sent {
			last := i == len(sent)-1 || sent[i+1].key != p.key
			if lose := rapid.IntRange(0, 9).Draw(t, "luck") < 3; lose && lostInARow < 20 && (came[p.key] || !last) {
				lostInARow++
				continue
			}
			lostInARow, came[p.key] = 0, true
			arrived = append(arrived, p)
			if rapid.IntRange(0, 9).Draw(t, "twice") == 0 {
				arrived = append(arrived, p)
			}
			if back := len(arrived) - 1 - rapid.IntRange(0, 3).Draw(t, "late"); back >= 0 && rapid.IntRange(0, 9).Draw(t, "swap") == 0 {
				arrived[back], arrived[len(arrived)-1] = arrived[len(arrived)-1], arrived[back]
			}
		}
		var d keyDetector
		var q sequence
		var got []Key
		for _, p := range arrived {
			if q.arrive(p.ssrc, p.number) == arrivedDuplicate {
				continue
			}
			if k, ok := p.to(&d); ok {
				got = append(got, k)
			}
		}
		require.ElementsMatch(t, want, got) // in order of their first packets, which may have changed places
	})
}

// longEvent makes all packets of a key that is held for any time, in segments if need be (RFC 4733 section 2.5.1.3).
func longEvent(ssrc, timestamp uint32, key byte, updates int) (packets []eventPacket) {
	duration := 0
	for i := range updates {
		if duration += frameSamples; duration > 0xFFFF {
			duration -= 0xFFFF
			timestamp += 0xFFFF
		}
		last := i == updates-1
		packets = append(packets, eventPacket{ssrc, timestamp, i == 0, eventBody(key, last, duration)})
	}
	return append(packets, packets[updates-1], packets[updates-1])
}

// FuzzKeyEvents: whatever comes costs nothing, and one event is told at most once while it is among the last.
func FuzzKeyEvents(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 5, 10, 0, 160, 0, 0, 0, 1, 5, 0x8A, 1, 64})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var d keyDetector
		told := make(map[pressed]int)
		for i := 0; len(stream) >= 8; i++ {
			this := pressed{uint32(stream[0]), uint32(stream[1])<<16 | uint32(stream[3])}
			_, ok := d.event(this.ssrc, this.timestamp, stream[2]&1 == 1, stream[4:4+min(4, int(stream[2])%6)])
			if ok {
				before, again := told[this]
				require.False(t, again && i-before <= len(d.recent), "told twice")
				told[this] = i
			}
			stream = stream[8:]
		}
	})
}

func TestKeysRestartedTimestamps(t *testing.T) {
	var d keyDetector
	for _, timestamp := range []uint32{1000000, 5000, 9000} {
		_, ok := event(7, timestamp, 1, 3)[0].to(&d)
		require.True(t, ok, "a phone may go back in time")
	}
	_, ok := event(8, 9000, 1, 3)[0].to(&d)
	require.True(t, ok, "and another sender may be at the same")
	_, ok = event(8, 9000, 1, 3)[1].to(&d)
	require.False(t, ok)
}

// A key held for 20 s is carried in three segments (RFC 4733 section 2.5.1.3), of which the packets where
// they meet may be lost.
func TestKeysLongEvent(t *testing.T) {
	for _, lost := range []int{0, 1, 40} {
		var d keyDetector
		keys := 0
		segment, elapsed := uint32(1000), 0
		for i := 1; i <= 1000; i++ {
			if elapsed += frameSamples; elapsed > 0xFFFF {
				segment += uint32(elapsed - frameSamples)
				elapsed = frameSamples
			}
			if around := i % 409; i > 409 && around < lost {
				continue
			}
			p := eventPacket{7, segment, i == 1, eventBody(5, false, elapsed)}
			if _, ok := p.to(&d); ok {
				keys++
			}
		}
		require.Equal(t, 1, keys, "%d packets lost at each seam", lost)
		_, ok := event(7, segment+0xFFFF+400, 5, 3)[0].to(&d)
		require.True(t, ok, "the same key again is another")
	}
}

func TestKeysBadEvents(t *testing.T) {
	var d keyDetector
	for _, b := range [][]byte{nil, {1}, {1, 2, 3}, eventBody(16, false, 160), eventBody(255, true, 160)} {
		_, ok := d.event(1, 1, true, b)
		require.False(t, ok)
	}
	_, ok := d.event(0, 0, false, eventBody(0, false, 160))
	require.True(t, ok, "SSRC and timestamp 0 are numbers like others")
}
