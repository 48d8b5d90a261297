package media

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// Packets as RFC 3550 section 5.1 and RFC 8285 have them, and what there is to hear in them.
func TestUnpack(t *testing.T) {
	const audio = "audio"
	fixed := func(first byte) []byte { return []byte{first, 0x88, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8} }
	with := func(first byte, rest ...byte) []byte { return append(fixed(first), rest...) }
	sources := make([]byte, 15*4)
	for name, c := range map[string]struct {
		datagram []byte
		payload  string
		refused  bool
	}{
		"plain":                   {with(0x80, []byte(audio)...), audio, false},
		"without audio":           {fixed(0x80), "", false},
		"padded":                  {append(with(0xA0, []byte(audio)...), 0, 0, 3), audio, false},
		"padded by one":           {append(with(0xA0, []byte(audio)...), 1), audio, false},
		"nothing but padding":     {with(0xA0, 0, 0, 0, 4), "", false},
		"padding that is none":    {append(with(0xA0, []byte(audio)...), 0), "", true},
		"padding beyond payload":  {with(0xA0, 0, 0, 4), "", true},
		"padding without a byte":  {[]byte{0xA0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "", true},
		"one source":              {append(with(0x81, 9, 9, 9, 9), audio...), audio, false},
		"fifteen sources":         {append(with(0x8F, sources...), audio...), audio, false},
		"fifteen, and not there":  {with(0x8F, sources[1:]...), "", true},
		"extension":               {append(with(0x90, 0x12, 0x34, 0, 1, 1, 2, 3, 4), audio...), audio, false},
		"extension, empty":        {append(with(0x90, 0x12, 0x34, 0, 0), audio...), audio, false},
		"extension, one-byte":     {append(with(0x90, 0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0), audio...), audio, false},
		"extension, two-byte":     {append(with(0x90, 0x10, 0x00, 0, 1, 1, 1, 0xFF, 0), audio...), audio, false},
		"extension, broken":       {append(with(0x90, 0xBE, 0xDE, 0, 1, 0x1F, 0xFF, 0, 0), audio...), audio, false},
		"extension, no head":      {with(0x90, 0xBE, 0xDE, 0), "", true},
		"extension, not there":    {with(0x90, 0xBE, 0xDE, 0, 2, 1, 2, 3, 4), "", true},
		"extension, far too long": {with(0x90, 0xBE, 0xDE, 0xFF, 0xFF, 1, 2, 3, 4), "", true},
		"all of them":             {append(append(with(0xB1, 9, 9, 9, 9, 0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0), audio...), 0, 2), audio, false},
		"too short":               {fixed(0x80)[:11], "", true},
		"nothing":                 {nil, "", true},
		"another version":         {with(0x40, []byte(audio)...), "", true},
		"200 ms":                  {with(0x80, make([]byte, 1600)...), string(make([]byte, 1600)), false},
		"longer than any":         {make([]byte, maxDatagram), "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var p rtp.Packet
			require.Equal(t, !c.refused, unpack(&p, c.datagram))
			if c.refused {
				return
			}
			require.Equal(t, c.payload, string(p.Payload))
			require.Equal(t, rtp.Header{
				Version: 2, Marker: true, PayloadType: 8, SequenceNumber: 0x1234, Timestamp: 0x01020304, SSRC: 0x05060708,
			}, p.Header)
		})
	}
}

// FuzzUnpack: what pion can read, we read the same.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte{0xB1, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0, 9, 9, 2, 2})
	f.Add([]byte{0x80, 0x80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var ours, theirs rtp.Packet
		read := unpack(&ours, b)
		if read && len(ours.Payload) > len(b)-rtpHeaderSize {
			t.Fatalf("%d of %d bytes", len(ours.Payload), len(b))
		}
		if theirs.Unmarshal(b) != nil || theirs.Version != 2 || len(b) < rtpHeaderSize || len(b) >= maxDatagram {
			return
		}
		if !read || !bytes.Equal(ours.Payload, theirs.Payload) || ours.SSRC != theirs.SSRC || ours.Marker != theirs.Marker ||
			ours.PayloadType != theirs.PayloadType || ours.SequenceNumber != theirs.SequenceNumber || ours.Timestamp != theirs.Timestamp {
			t.Fatalf("%v %+v, %+v", read, ours, theirs)
		}
	})
}

// Comfort noise, agreed or not, and packets that only keep the way open are signs of life: counted as received, no loss,
// and nothing to hear, nor to measure time by.
func TestReceiverComfort(t *testing.T) {
	r := listening()
	var p rtp.Packet
	now := time.Now()
	for i, b := range [][]byte{
		datagram(13, 0, 0, []byte{40}), datagram(8, 1, 0, make([]byte, frameSamples)), datagram(13, 2, 160, []byte{40, 1, 2}),
		datagram(8, 3, 1<<31, nil), datagram(101, 4, 320, nil), datagram(8, 5, 320, make([]byte, frameSamples)),
	} {
		h := r.datagram(&p, b, anywhere, now.Add(time.Duration(i)*FrameDuration))
		require.Zero(t, h.key)
		if i == 1 || i == 5 {
			require.Equal(t, payloadPCMA, h.kind)
		} else {
			require.Equal(t, payloadComfort, h.kind)
		}
	}
	s := r.snapshot()
	require.Equal(t, []uint64{6, 4, 0, 0}, []uint64{s.PacketsIn, s.Comfort, s.Lost, s.Dropped})
	require.Equal(t, now.Add(5*FrameDuration), s.LastPacket)
	require.Equal(t, 40*time.Millisecond/16, s.Jitter, "of the two that carry audio: 40 ms apart by their time, 80 in truth")

	r = listening()
	a := agreement{remote: anywhere}
	a.receive[13] = payloadPCMU // whatever an rtpmap line makes of it
	r.agree(&a)
	require.Equal(t, payloadPCMU, r.datagram(&p, datagram(13, 0, 0, []byte{40}), anywhere, now).kind)
}

// Comfort noise is passed on under the far end's number to who takes it; for others the gap is closed, and time goes on.
func TestSenderComfort(t *testing.T) {
	for _, takes := range []bool{true, false} {
		o, sent := captured()
		a := *o.agreed
		a.comfort, a.hasComfort = 118, takes
		o.agree(&a)
		now := time.Now()
		number := uint16(65534)
		say := func(timestamp uint32, kind payloadKind, body []byte) {
			p := audioPacket(7, number, timestamp)
			p.Payload = body
			o.forward(now, p, kind)
			number++
			now = now.Add(FrameDuration)
		}
		audio := make([]byte, frameSamples)
		say(0, payloadPCMA, audio)
		say(160, payloadComfort, []byte{40, 1})
		say(320, payloadComfort, nil) // keeps the way open, and says nothing
		now = now.Add(time.Second)    // of silence
		say(8320, payloadPCMA, audio)
		var payloads []uint8
		for i, p := range *sent {
			payloads = append(payloads, p.PayloadType)
			require.Equal(t, (*sent)[0].SequenceNumber+uint16(i), p.SequenceNumber)
		}
		last := (*sent)[len(*sent)-1]
		require.Equal(t, uint32(8320), last.Timestamp-(*sent)[0].Timestamp)
		if !takes {
			require.Equal(t, []uint8{8, 8}, payloads)
			continue
		}
		require.Equal(t, []uint8{8, 118, 8}, payloads)
		require.Equal(t, []byte{40, 1}, (*sent)[1].Payload)
		require.Equal(t, uint32(160), (*sent)[1].Timestamp-(*sent)[0].Timestamp)
	}
}

// A packet costs no allocation, however it is wrapped.
func TestUnpackAllocatesNothing(t *testing.T) {
	r := listening()
	wrapped := []byte{0xB1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0, 9, 9, 0, 2}
	broken := append([]byte(nil), wrapped[:20]...)
	noise := datagram(13, 0, 0, []byte{40})
	stranger := netip.MustParseAddrPort("203.0.113.1:9")
	var number uint16
	now := time.Now()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		var p rtp.Packet
		for _, b := range [][]byte{wrapped, broken, noise} {
			number++
			binary.BigEndian.PutUint16(b[2:], number)
			r.datagram(&p, b, anywhere, now)
			r.datagram(&p, b, stranger, now)
		}
	}))
	require.NotZero(t, r.snapshot().PacketsIn)
}
