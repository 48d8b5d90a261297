package media

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// listening makes a receiver that has agreed on PCMA at 8, PCMU at 0 and events at 101 with anywhere.
func listening() *receiver {
	r := newReceiver(netip.Addr{}, func(netip.AddrPort) {})
	a := &agreement{codec: PCMA, remote: anywhere}
	a.receive[8], a.receive[0], a.receive[101] = payloadPCMA, payloadPCMU, payloadEvent
	r.agree(a)
	return r
}

func datagram(payload uint8, number uint16, timestamp uint32, body []byte) []byte {
	b := make([]byte, rtpHeaderSize, rtpHeaderSize+len(body))
	b[0], b[1] = 0x80, payload
	binary.BigEndian.PutUint16(b[2:], number)
	binary.BigEndian.PutUint32(b[4:], timestamp)
	return append(b, body...)
}

// Before anything is agreed nobody is heard.
func TestReceiverBeforeAgreement(t *testing.T) {
	r := newReceiver(netip.MustParseAddr("192.0.2.1"), func(netip.AddrPort) { require.Fail(t, "nobody to follow") })
	var p rtp.Packet
	require.Zero(t, r.datagram(&p, datagram(8, 1, 1, nil), anywhere, time.Now()))
	require.Equal(t, uint64(1), r.snapshot().Dropped)
}

// A payload type that was never agreed does not lock the source, nor try to; from the locked source it
// is no loss.
func TestReceiverUnknownPayload(t *testing.T) {
	r := listening()
	var p rtp.Packet
	now := time.Now()
	r.datagram(&p, datagram(50, 1, 1, nil), anywhere, now)
	require.False(t, r.source.locked.IsValid())
	for i, payload := range []uint8{8, 50, 8} {
		r.datagram(&p, datagram(payload, uint16(i), uint32(i), nil), anywhere, now)
	}
	s := r.snapshot()
	require.Equal(t, []uint64{2, 2, 0}, []uint64{s.PacketsIn, s.Dropped, s.Lost})
}

// A packet costs no allocation, whatever it is.
func TestReceiveAndForwardAllocateNothing(t *testing.T) {
	r := listening()
	o := newSender(func([]byte, netip.AddrPort) bool { return true })
	o.agree(&agreement{codec: PCMU, audio: 0, event: 101, hasEvent: true, send: true})
	o.follow(anywhere)
	stranger := netip.MustParseAddrPort("203.0.113.1:9")
	audio := datagram(8, 0, 0, make([]byte, frameSamples))
	key := datagram(101, 0, 0, eventBody(1, false, 160))
	rubbish := make([]byte, 200)
	var p rtp.Packet
	var number uint16
	now := time.Now()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		for _, b := range [][]byte{audio, key, rubbish, rubbish[:3]} {
			if len(b) > 3 && b[0] != 0 {
				number++
				binary.BigEndian.PutUint16(b[2:], number)
				binary.BigEndian.PutUint32(b[4:], uint32(number)*160)
			}
			if h := r.datagram(&p, b, anywhere, now); h.kind != payloadNone {
				o.forward(now, &p, h.kind)
			}
			r.datagram(&p, b, stranger, now)
		}
	}))
	require.NotZero(t, o.packets)
}

// FuzzRTP feeds datagrams, cut out of the input by their lengths, through receiver and sender.
func FuzzRTP(f *testing.F) {
	frame := func(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }
	f.Add(append(frame(datagram(8, 1, 160, make([]byte, 160))), frame(datagram(101, 2, 320, eventBody(1, true, 160)))...))
	f.Add(frame([]byte{0xB1, 8, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0, 9, 9, 2, 2}))
	f.Fuzz(func(t *testing.T, input []byte) {
		r := listening()
		o, sent := captured()
		var p rtp.Packet
		var scratch [maxDatagram]byte
		now := time.Now()
		datagrams := uint64(0)
		for len(input) > 0 {
			n := min(int(input[0]), len(input)-1)
			b := input[1 : 1+n]
			input = input[1+n:]
			now = now.Add(FrameDuration)
			datagrams++
			h := r.datagram(&p, b, anywhere, now)
			if h.kind == payloadNone {
				continue
			}
			if h.key != 0 && !h.key.Valid() {
				t.Fatalf("key %q", h.key)
			}
			translate(scratch[:], p.Payload, h.kind.codec(), PCMU)
			o.forward(now, &p, h.kind)
		}
		s := r.snapshot()
		if s.PacketsIn+s.Dropped+s.Duplicate+s.Strangers < datagrams {
			t.Fatalf("%d datagrams, counted %+v", datagrams, s)
		}
		if len(*sent) > int(s.PacketsIn) {
			t.Fatal("more sent than came")
		}
	})
}

func FuzzDTMF(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 1, 10, 0, 160, 0, 0, 0, 1, 1, 0x8A, 1, 64})
	f.Fuzz(func(t *testing.T, input []byte) {
		var d keyDetector
		told := map[uint32]int{}
		for ; len(input) >= 8; input = input[8:] {
			timestamp := binary.BigEndian.Uint32(input)
			key, ok := d.event(1, timestamp, input[4]&0x40 != 0, input[4:8])
			if !ok {
				continue
			}
			if !key.Valid() {
				t.Fatalf("key %q", key)
			}
			// Told again only when the detector has since forgotten it.
			if n, before := told[timestamp]; before && d.n-n < len(d.recent) {
				t.Fatal("one event told twice")
			}
			told[timestamp] = d.n
		}
	})
}
