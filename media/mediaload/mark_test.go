package mediaload

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMark: what was put is read; a frame that differs in any octet but those of the mark's own figures is none, and
// neither are frames of another length.
func TestMark(t *testing.T) {
	t.Parallel()
	frame := make([]byte, frameBytes)
	for _, m := range []mark{{}, {call: 799, side: 1, number: 1 << 20, sent: 1<<62 + 3}, {call: 256, side: sideServer}} {
		m.put(frame)
		got, ok := readMark(frame)
		require.True(t, ok)
		require.Equal(t, m, got)
		for i := range frame {
			if i >= markCall && i < markFiller {
				continue
			}
			frame[i] ^= 0x10
			_, ok := readMark(frame)
			require.False(t, ok, i)
			frame[i] ^= 0x10
		}
		_, ok = readMark(frame[:frameBytes-1])
		require.False(t, ok)
		require.False(t, silent(frame))
	}
	one, other := make([]byte, frameBytes), make([]byte, frameBytes)
	mark{call: 1}.put(one)
	mark{call: 2}.put(other)
	_, ok := readMark(append(one[:80:80], other[80:]...))
	require.False(t, ok, "half of one call and half of another")
	require.True(t, silent(bytes.Repeat([]byte{0xD5}, frameBytes)))
	require.False(t, silent(nil))
}

func TestClip(t *testing.T) {
	t.Parallel()
	c := Clip(7)
	require.True(t, c.Loop)
	require.Len(t, c.ALaw, clipFrames*frameBytes)
	for i := range clipFrames {
		m, ok := readMark(c.ALaw[i*frameBytes:][:frameBytes])
		require.True(t, ok)
		require.Equal(t, mark{call: 7, side: sideServer, number: i}, m)
	}
}

func FuzzReadMark(f *testing.F) {
	frame := make([]byte, frameBytes)
	mark{call: 3, side: 1, number: 9, sent: 12345}.put(frame)
	f.Add(frame)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := readMark(b)
		if !ok {
			return
		}
		again := make([]byte, frameBytes)
		m.put(again)
		require.Equal(t, b, again, "a mark says all of its frame")
	})
}
