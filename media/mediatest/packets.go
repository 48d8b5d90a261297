package mediatest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// lengths: packets of any length up to the 200 ms of RFC 3551 section 4.2 pass a bridge and reach a tap as they came.
func lengths(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	tap := &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	defer unbridge()
	var said []byte
	var sizes []int
	for _, milliseconds := range []int{10, 20, 30, 40, 60, 200, 20} {
		tone := media.Tone(700, time.Duration(milliseconds)*time.Millisecond).ALaw
		for range 3 {
			p.Send(tone)
			said, sizes = append(said, tone...), append(sizes, len(tone))
		}
	}
	heard := q.Take(len(sizes))
	requireOneStream(t, heard)
	frames := tap.side(t, media.SideA, len(sizes))
	for i, size := range sizes {
		require.Len(t, heard[i].Audio, size)
		require.Len(t, frames[i].ALaw, size)
		if i > 0 {
			require.Equal(t, heard[i-1].Timestamp+uint32(sizes[i-1]), heard[i].Timestamp)
			require.Equal(t, frames[i-1].Timestamp+uint32(sizes[i-1]), frames[i].Timestamp)
		}
	}
	require.True(t, bytes.Equal(said, joined(heard)), "bit by bit")
	eventually(t, a, func(st media.Stats) bool { return st.OctetsIn == uint64(len(said)) && st.Lost == 0 })
}

// lengthAsked: what is played comes in packets of the length that the phone asked for, and whole.
func lengthAsked(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	for _, milliseconds := range []int{10, 20, 30, 40, 60} {
		t.Run(fmt.Sprint(milliseconds), func(t *testing.T) {
			s, err := e.Open(media.StreamOptions{})
			require.NoError(t, err)
			p := NewPhone(t, media.PCMA)
			require.Contains(t, p.Call(s, fmt.Sprintf("a=ptime:%d", milliseconds)), "a=ptime:20", "ours is our own wish")
			clip := media.Tone(700, 300*time.Millisecond)
			require.NoError(t, s.Play(t.Context(), clip))
			var packets []Packet
			for len(joined(packets)) < len(clip.ALaw) {
				packets = append(packets, p.Next())
			}
			requireOneStream(t, packets)
			for i, packet := range packets[:len(packets)-1] {
				// An engine that was held up says so by the time, and sends what it has before.
				if packets[i+1].Timestamp == packet.Timestamp+uint32(len(packet.Audio)) {
					require.Len(t, packet.Audio, milliseconds*8, "packet %d", i)
				}
			}
			require.True(t, bytes.Equal(clip.ALaw, joined(packets)[:len(clip.ALaw)]), "bit by bit")
		})
	}
}

// wrappings: contributing sources, header extensions and padding are left behind, whatever is in them.
func wrappings(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	tap := &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	defer unbridge()
	audio := media.Tone(700, media.FrameDuration).ALaw
	const (
		padded   = 0x20
		extended = 0x10
	)
	wraps := []struct {
		first         byte
		before, after []byte
	}{
		{0, nil, nil},
		{2, []byte{1, 1, 1, 1, 2, 2, 2, 2}, nil},
		{15, make([]byte, 60), nil},
		{extended, []byte{0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0}, nil}, // the loudness of RFC 6464, in one byte
		{extended, []byte{0x10, 0, 0, 1, 1, 1, 0xFF, 0}, nil},       // in two
		{extended, []byte{0xBE, 0xDE, 0, 1, 0x1F, 1, 2, 3}, nil},    // longer than it is
		{extended, []byte{0xAB, 0xCD, 0, 0}, nil},
		{padded, nil, []byte{0, 0, 0, 4}},
		{padded | extended | 1, []byte{1, 1, 1, 1, 0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0}, []byte{1}},
	}
	for _, w := range wraps {
		head := []byte{0x80 | w.first, p.Number}
		head = binary.BigEndian.AppendUint16(head, p.Sequence)
		head = binary.BigEndian.AppendUint32(head, p.Timestamp)
		head = binary.BigEndian.AppendUint32(head, p.SSRC)
		p.Raw(bytes.Join([][]byte{head, w.before, audio, w.after}, nil))
		p.Sequence++
		p.Timestamp += uint32(len(audio))
	}
	heard := q.Take(len(wraps))
	requireOneStream(t, heard)
	for i, f := range tap.side(t, media.SideA, len(wraps)) {
		require.Equal(t, audio, heard[i].Audio, "packet %d", i)
		require.Equal(t, audio, f.ALaw)
	}
	eventually(t, a, func(st media.Stats) bool { return st.OctetsIn == uint64(len(wraps)*len(audio)) && st.Dropped == 0 })
}

// pauses: a phone that is silent says so by comfort noise (RFC 3389), agreed or not, or keeps the way open (RFC 6263). The
// time that passed stays, nothing counts as lost, taps hear audio only, and noise is passed on to who takes it.
func pauses(t *testing.T, newEngine Make) {
	t.Helper()
	for _, takes := range []bool{true, false} {
		t.Run(fmt.Sprintf("takes comfort noise: %t", takes), func(t *testing.T) {
			e := open(t, newEngine)
			a, p := stream(t, e, media.PCMA)
			b, err := e.Open(media.StreamOptions{})
			require.NoError(t, err)
			q := NewPhone(t, media.PCMU)
			if takes {
				q.Formats = []string{"118 CN"}
			}
			answer := q.Call(b)
			require.Equal(t, takes, bytes.Contains([]byte(answer), []byte("a=rtpmap:118 CN/8000")))
			tap := &ear{}
			unbridge, err := e.Bridge(a, b, tap)
			require.NoError(t, err)
			defer unbridge()
			p.Say(media.Tone(700, 100*time.Millisecond))
			p.packet(13, false, p.Timestamp, []byte{40, 100})
			p.Sequence++
			p.packet(p.Number, false, p.Timestamp, nil)
			p.Sequence++
			p.Timestamp += 4000 // half a second of silence
			p.packet(p.Number, true, p.Timestamp, media.Tone(700, media.FrameDuration).ALaw)
			heard := q.Take(5)
			heard = append(heard, q.Until(func(packet Packet) bool { return packet.Marker })...)
			if takes {
				require.Len(t, heard, 7)
				require.Equal(t, []byte{40, 100}, heard[5].Audio)
				require.Equal(t, uint8(118), heard[5].Payload)
				require.Equal(t, heard[4].Timestamp+160, heard[5].Timestamp)
			} else {
				require.Len(t, heard, 6)
			}
			for i := range heard {
				require.Equal(t, heard[0].Sequence+uint16(i), heard[i].Sequence)
			}
			require.Equal(t, heard[4].Timestamp+160+4000, heard[len(heard)-1].Timestamp)
			frames := tap.side(t, media.SideA, 6)
			require.Len(t, frames, 6)
			eventually(t, a, func(st media.Stats) bool { return st.PacketsIn == 8 })
			st := a.Stats()
			require.Equal(t, []uint64{2, 0, 0}, []uint64{st.Comfort, st.Lost, st.Dropped})
		})
	}
}

// codecChanges: a phone that answered our offer of both may send either, and change in the middle of a sentence.
func codecChanges(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	_, err = a.Offer()
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	p.Aim(a)
	require.NoError(t, a.Accept(p.Describe()))
	b, q := stream(t, e, media.PCMA)
	tap := &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	defer unbridge()
	const packets = 20
	for i := range packets {
		p.Codec, p.Number = media.PCMA, 8
		if i%2 == 1 {
			p.Codec, p.Number = media.PCMU, 0
		}
		p.Say(media.Tone(700, media.FrameDuration))
	}
	heard := q.Take(packets)
	requireOneStream(t, heard)
	for _, packet := range heard {
		require.Equal(t, uint8(8), packet.Payload)
	}
	for _, audio := range [][]byte{q.Heard(heard), tapped(t, tap.side(t, media.SideA, packets), packets, p)} {
		require.True(t, Has(audio, 700))
	}
}
