package media

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/pion/rtcp"
	"github.com/stretchr/testify/require"
)

const (
	ourSSRC   = 0x01020304
	theirSSRC = 0xA0B0C0D0
)

// literalReport is a sender report of theirs with one block about us and a goodbye, written by hand from RFC 3550 sections
// 6.4.1, 6.5 and 6.6.
func literalReport() []byte {
	return []byte{
		0x81, 200, 0, 12, 0xA0, 0xB0, 0xC0, 0xD0, // V=2, one block; SR; 13 words; SSRC
		0xE8, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, // NTP
		0, 0, 1, 0x40, 0, 0, 0, 100, 0, 0, 0x3E, 0x80, // RTP time, packets, octets
		1, 2, 3, 4, 64, 0xFF, 0xFF, 0xFE, // about us; a quarter lost lately; -2 in all
		0, 1, 0x10, 0x20, 0, 0, 0, 80, // highest; jitter
		0x55, 0x66, 0x77, 0x88, 0, 1, 0x80, 0, // LSR; DLSR 1.5 s
		0x81, 202, 0, 3, 0xA0, 0xB0, 0xC0, 0xD0, 1, 4, 'n', 'a', 'm', 'e', 0, 0, // SDES: CNAME
		0x81, 203, 0, 1, 0xA0, 0xB0, 0xC0, 0xD0, // BYE
	}
}

func TestReadControl(t *testing.T) {
	c, ok := readControl(literalReport(), ourSSRC)
	require.True(t, ok)
	require.Equal(t, control{
		ssrc: theirSSRC, reports: true, sends: true, ntp: 0x11223344, packets: 100,
		blocks: 1, about: true, left: true,
		block: receptionBlock{lost: -2, highest: 0x11020, jitter: 80, lsr: 0x55667788, dlsr: 0x18000},
	}, c)

	c, ok = readControl(literalReport(), 99)
	require.True(t, ok)
	require.False(t, c.about, "blocks about others are not ours")
	require.Equal(t, 1, c.blocks)
	require.Zero(t, c.block)
}

// words makes an RTCP packet: its first two octets, and what follows the length.
func words(first, kind byte, body ...uint32) []byte {
	b := []byte{first, kind, 0, byte(len(body))}
	for _, w := range body {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// RFC 3550 appendix A.2, and what stands beside it in sections 6.1 and 6.4: what is RTCP, and what of it counts.
func TestReadControlValidity(t *testing.T) {
	empty := words(0x80, 201, theirSSRC)
	for name, c := range map[string]struct {
		b    []byte
		want control // ssrc 0: it is refused
	}{
		"nothing":                        {b: nil},
		"three octets":                   {b: []byte{0x80, 201, 0}},
		"an empty report":                {b: empty, want: control{ssrc: theirSSRC, reports: true}},
		"version 1":                      {b: words(0x40, 201, theirSSRC)},
		"a second packet of version 1":   {b: slices.Concat(empty, words(0x40, 202, theirSSRC))},
		"RTP":                            {b: datagram(8, 1, 1, make([]byte, 160))},
		"longer than it says":            {b: append(words(0x80, 201, theirSSRC), 0)},
		"a word longer than it says":     {b: append(words(0x80, 201, theirSSRC), 0, 0, 0, 0)},
		"shorter than it says":           {b: words(0x80, 201, theirSSRC)[:6]},
		"no room for the SSRC":           {b: words(0x80, 201)},
		"no room for a sender's figures": {b: words(0x80, 200, theirSSRC, 1, 2, 3, 4)},
		"no room for its blocks":         {b: words(0x81, 201, theirSSRC, ourSSRC, 0, 0, 0, 0)},
		"no room for who leaves":         {b: words(0x82, 203, theirSSRC)},
		"the first padded":               {b: words(0xA0, 201, theirSSRC, 4)},
		"the last padded": {
			b:    slices.Concat(empty, words(0xA1, 203, theirSSRC, 4)),
			want: control{ssrc: theirSSRC, reports: true, left: true},
		},
		"padding of nothing":           {b: slices.Concat(empty, words(0xA0, 203, 0))},
		"padding longer than a packet": {b: slices.Concat(empty, words(0xA0, 203, 8))},
		"padding not of words":         {b: slices.Concat(empty, words(0xA0, 203, 3))},
		"padding without room":         {b: slices.Concat(empty, words(0xA0, 203))},
		"padding over its content":     {b: slices.Concat(empty, words(0xA1, 203, theirSSRC, 8))},
		"an extension after the blocks": {
			b:    words(0x81, 201, theirSSRC, ourSSRC, 0, 7, 0, 0, 0, 0xEEEEEEEE),
			want: control{ssrc: theirSSRC, reports: true, blocks: 1, about: true, block: receptionBlock{highest: 7}},
		},
		"types that are not known": {
			b:    slices.Concat(empty, words(0x80, 207, theirSSRC, 1, 2), words(0x80, 210, 5)),
			want: control{ssrc: theirSSRC, reports: true},
		},
		"reduced in size": {b: words(0x81, 205, theirSSRC, ourSSRC, 0), want: control{ssrc: theirSSRC}},
		"a goodbye alone": {b: words(0x81, 203, theirSSRC), want: control{ssrc: theirSSRC, left: true}},
		"a goodbye of another": {
			b:    slices.Concat(empty, words(0x81, 203, 77)),
			want: control{ssrc: theirSSRC, reports: true},
		},
		"a second report of another": { // by a translator: who sends is the first
			b:    slices.Concat(empty, words(0x81, 200, 77, 1, 2, 3, 4, 5, ourSSRC, 1, 9, 0, 0, 0)),
			want: control{ssrc: theirSSRC, reports: true, blocks: 1, about: true, block: receptionBlock{lost: 1, highest: 9}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := readControl(c.b, ourSSRC)
			require.Equal(t, c.want.ssrc != 0, ok)
			require.Equal(t, c.want, got)
		})
	}
}

// RFC 5761 section 4: on one port, the second octet parts RTCP from RTP.
func TestLooksLikeControl(t *testing.T) {
	for kind := range 256 {
		require.Equal(t, kind >= 192 && kind <= 223, looksLikeControl([]byte{0x80, byte(kind), 0, 0}), "%d", kind)
	}
	require.False(t, looksLikeControl([]byte{0x40, 200, 0, 0}), "version 1")
	require.False(t, looksLikeControl([]byte{0x80, 200, 0}))
}

func TestReadControlAllocatesNothing(t *testing.T) {
	b := literalReport()
	var f farEnd
	require.Zero(t, testing.AllocsPerRun(100, func() {
		c, _ := readControl(b, ourSSRC)
		f.take(c, anywhere, 1, epoch)
	}))
}

// Whatever comes is read without harm, and where pion reads it too, as it reads it.
func FuzzControl(f *testing.F) {
	f.Add(literalReport())
	f.Add(slices.Concat(words(0x80, 201, theirSSRC), words(0xA1, 203, theirSSRC, 4)))
	f.Add(words(0x82, 201, theirSSRC, ourSSRC, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, ok := readControl(b, ourSSRC)
		if !ok {
			if c.reports && c.sends && !looksLikeControl(b) {
				t.Fatal("something read from what is no RTCP")
			}
			return
		}
		var far farEnd
		far.take(c, anywhere, 1000, epoch)
		if far.roundTrip < 0 || far.jitter() < 0 {
			t.Fatalf("%+v", far)
		}
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			return
		}
		blocks := 0
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.SenderReport:
				blocks += len(p.Reports)
			case *rtcp.ReceiverReport:
				blocks += len(p.Reports)
			}
		}
		if blocks != c.blocks {
			t.Fatalf("%d blocks, pion finds %d", c.blocks, blocks)
		}
	})
}
