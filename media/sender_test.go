package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var anywhere = netip.MustParseAddrPort("192.0.2.1:4000")

// captured makes a sender to a far end that wants PCMA at 8 and events at 101, and keeps what it sends.
func captured() (*sender, *[]rtp.Packet) {
	var sent []rtp.Packet
	o := newSender(func(b []byte, _ netip.AddrPort) bool {
		var p rtp.Packet
		if err := p.Unmarshal(append([]byte(nil), b...)); err != nil {
			return false
		}
		sent = append(sent, p)
		return true
	})
	o.agree(&agreement{codec: PCMA, audio: 8, event: 101, hasEvent: true, send: true})
	o.follow(anywhere)
	return o, &sent
}

func audioPacket(ssrc uint32, number uint16, timestamp uint32) *rtp.Packet {
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, PayloadType: 8, SSRC: ssrc, SequenceNumber: number, Timestamp: timestamp},
		Payload: make([]byte, frameSamples),
	}
}

// Whatever is sent in whatever order, by frames of ours and by other legs that restart and jump as they
// like, the far end sees one SSRC, numbers that go up by one, time that does not go back, and time that
// is never far from the clock.
func TestSenderProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, sent := captured()
		a := *o.agreed
		a.packet = time.Duration(rapid.IntRange(0, 6).Draw(t, "packet")) * leastPacket // 0: as usual
		a.comfort, a.hasComfort = 13, rapid.Bool().Draw(t, "takes comfort noise")
		o.agree(&a)
		began := time.Now()
		now := began
		numbers := map[uint32]uint16{} // of each sender
		var ssrc, timestamp uint32
		var frame [frameSamples]byte
		for range rapid.IntRange(1, 60).Draw(t, "acts") {
			switch rapid.IntRange(0, 8).Draw(t, "act") {
			case 0, 1:
				if o.keys.n > 0 { // as the wheel does
					o.keys.step(o, now, frame[:])
				} else {
					o.frame(now, frame[:], rapid.Bool().Draw(t, "talk"))
				}
			case 2, 3:
				o.forward(now, audioPacket(ssrc, numbers[ssrc], timestamp), payloadPCMA)
				numbers[ssrc]++
				timestamp += uint32(frameSamples)
			case 4:
				now = now.Add(rapid.Custom(func(t *rapid.T) time.Duration {
					return time.Duration(rapid.IntRange(0, 3600_000).Draw(t, "ms")) * time.Millisecond
				}).Draw(t, "pause"))
			case 6: // a pause of the other leg's, told by comfort noise or by a packet without audio
				p := audioPacket(ssrc, numbers[ssrc], timestamp)
				p.Payload = p.Payload[:rapid.IntRange(0, 11).Draw(t, "noise")]
				o.forward(now, p, payloadComfort)
				numbers[ssrc]++
				timestamp += uint32(rapid.IntRange(1, 50).Draw(t, "frames") * frameSamples)
			case 7:
				o.dial(Key(eventKeys[rapid.IntRange(0, 15).Draw(t, "key")]))
			case 8: // on hold, or no longer
				a.send = !a.send
				agreed := a
				o.agree(&agreed)
			case 5:
				ssrc, timestamp = rapid.Uint32Range(0, 2).Draw(t, "ssrc"), rapid.Uint32().Draw(t, "timestamp")
			}
			now = now.Add(FrameDuration)
		}
		for i := 1; i < len(*sent); i++ {
			a, b := (*sent)[i-1], (*sent)[i]
			require.Equal(t, a.SSRC, b.SSRC)
			require.Equal(t, a.SequenceNumber+1, b.SequenceNumber, "packet %d", i)
			require.GreaterOrEqual(t, int32(b.Timestamp-a.Timestamp), int32(0), "packet %d", i)
		}
		if o.begun {
			require.LessOrEqual(t, int32(o.next-o.due(now)), int32(maxSkew+frameSamples), "never far ahead")
		}
	})
}

// A call of an hour: the numbers wrap twice, and none is taken for one from before the bridge.
func TestSenderLongBridge(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	for i := range 180_000 {
		o.forward(now, audioPacket(1, uint16(i), uint32(i*frameSamples)), payloadPCMA)
		now = now.Add(FrameDuration)
		if len(*sent) != 1 {
			t.Fatalf("packet %d was not sent", i)
		}
		*sent = (*sent)[:0]
	}
}

func TestSenderLateAtBegin(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	for _, n := range []uint16{100, 99, 101, 98, 103, 102} {
		o.forward(now, audioPacket(1, n, uint32(n)*uint32(frameSamples)), payloadPCMA)
	}
	var numbers []uint16
	for _, p := range *sent {
		numbers = append(numbers, p.SequenceNumber-(*sent)[0].SequenceNumber)
	}
	require.Equal(t, []uint16{0, 1, 3, 2}, numbers, "what is older than the bridge has no number of its own")
}

func TestSenderFlood(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	for i := range 10_000 {
		o.forward(now, audioPacket(uint32(i), 1, 1), payloadPCMA)
	}
	require.Len(t, *sent, maxSkew/frameSamples+1, "two seconds of audio in an instant, not more")
	now = now.Add(time.Second)
	o.forward(now, audioPacket(1, 1, 1), payloadPCMA)
	require.Len(t, *sent, maxSkew/frameSamples+2, "and it heals")
}

// A flood that is cut leaves no gap in the numbers, which the far end would take for loss: not while it lasts, and not when
// it is over.
func TestSenderFloodLeavesNoGap(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	const flood = 300
	for i := range flood {
		o.forward(now, audioPacket(1, uint16(i), uint32(i*frameSamples)), payloadPCMA)
	}
	require.Less(t, len(*sent), flood)
	cut := len(*sent)
	now = now.Add(4 * time.Second)
	for i := range 10 {
		o.forward(now, audioPacket(1, uint16(flood+i), uint32((flood+i)*frameSamples)), payloadPCMA)
		now = now.Add(FrameDuration)
	}
	require.Len(t, *sent, cut+10)
	for i, p := range (*sent)[1:] {
		require.Equal(t, (*sent)[i].SequenceNumber+1, p.SequenceNumber, "packet %d", i)
	}
}

// What is said to a far end that holds us is not sent, and not counted as lost by it afterwards: the numbers go on where
// they were, and time where it is by then.
func TestSenderHoldLeavesNoGap(t *testing.T) {
	o, sent := captured()
	now, both := time.Now(), o.agreed
	say := func(from, n int) {
		for i := range n {
			o.forward(now, audioPacket(1, uint16(from+i), uint32((from+i)*frameSamples)), payloadPCMA)
			now = now.Add(FrameDuration)
		}
	}
	say(0, 10)
	o.agree(&agreement{codec: PCMA, audio: 8})
	say(10, 100)
	o.agree(both)
	say(110, 10)
	require.Len(t, *sent, 20)
	for i, p := range (*sent)[1:] {
		require.Equal(t, (*sent)[i].SequenceNumber+1, p.SequenceNumber, "packet %d", i)
	}
	require.Equal(t, (*sent)[9].Timestamp+101*uint32(frameSamples), (*sent)[10].Timestamp, "the pause is told")
	require.True(t, (*sent)[10].Marker)
}

func TestSenderClock(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	var frame [frameSamples]byte
	for _, pause := range []int{0, 20, 20, 60, 20, 500, 20} { // in ms, before each frame
		now = now.Add(time.Duration(pause) * time.Millisecond)
		o.frame(now, frame[:], true)
	}
	var steps []uint32
	var markers []bool
	for i, p := range *sent {
		markers = append(markers, p.Marker)
		if i > 0 {
			steps = append(steps, p.Timestamp-(*sent)[i-1].Timestamp)
		}
	}
	// The unevenness of 40 ms is not passed on, the pause of half a second is (with those 40 ms).
	require.Equal(t, []uint32{160, 160, 160, 160, 160 + 480*8 + 40*8, 160}, steps)
	require.Equal(t, []bool{true, false, false, false, false, true, false}, markers)
}

// A hold takes time and no numbers, so that the far end counts nothing as lost; whoever holds, and whether the other leg's
// packets go on coming or not.
func TestSenderHeld(t *testing.T) {
	for _, frames := range []int{10, 50, 5000} {
		o, sent := captured()
		now, number := time.Now(), uint16(65530)
		said := func(n int) {
			for range n {
				number++
				now = now.Add(FrameDuration)
				o.forward(now, audioPacket(1, number, uint32(number)*uint32(frameSamples)), payloadPCMA)
			}
		}
		said(3)
		talk, held := *o.agreed, *o.agreed
		held.send = false
		o.agree(&held)
		said(frames)
		o.agree(&talk)
		said(3)
		require.Len(t, *sent, 6)
		for i, p := range *sent {
			require.Equal(t, (*sent)[0].SequenceNumber+uint16(i), p.SequenceNumber)
			require.Equal(t, i == 0 || i == 3, p.Marker, "packet %d", i)
		}
		require.Equal(t, (*sent)[2].Timestamp+uint32((frames+1)*frameSamples), (*sent)[3].Timestamp)
	}
}

func TestSenderSendsNothing(t *testing.T) {
	var frame [frameSamples]byte
	for name, change := range map[string]func(*sender){
		"held":         func(o *sender) { o.agree(&agreement{codec: PCMA, audio: 8}) },
		"not agreed":   func(o *sender) { o.agree(nil) },
		"no address":   func(o *sender) { o.follow(netip.AddrPort{}) },
		"closed":       func(o *sender) { o.close() },
		"out of range": func(o *sender) { o.write = func([]byte, netip.AddrPort) bool { return false } },
	} {
		o, sent := captured()
		change(o)
		o.frame(time.Now(), frame[:], true)
		o.forward(time.Now(), audioPacket(1, 1, 1), payloadPCMA)
		require.Empty(t, *sent, name)
		require.Zero(t, o.packets+o.octets, name)
	}
}

// An event of ten seconds keeps its one timestamp, though the clock has gone on.
func TestSenderLongEvent(t *testing.T) {
	o, sent := captured()
	now := time.Now()
	o.forward(now, audioPacket(1, 1, 1000), payloadPCMA)
	for i := range 500 {
		p := audioPacket(1, uint16(2+i), 1160)
		p.Payload = eventBody(5, false, i*frameSamples)
		now = now.Add(FrameDuration)
		o.forward(now, p, payloadEvent)
	}
	for _, p := range (*sent)[1:] {
		require.Equal(t, (*sent)[0].Timestamp+160, p.Timestamp)
		require.Equal(t, uint8(101), p.PayloadType)
	}
}

func TestReel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var clips []Clip
		var want []byte
		for range rapid.IntRange(0, 5).Draw(t, "clips") {
			audio := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "audio")
			clips = append(clips, Clip{ALaw: audio})
			want = append(want, audio...)
		}
		r := newReel(clips)
		if len(want) == 0 {
			require.Nil(t, r)
			return
		}
		var got []byte
		for last := false; !last; {
			var frame [frameSamples]byte
			last = r.read(frame[:])
			got = append(got, frame[:]...)
		}
		require.Len(t, got, (len(want)+frameSamples-1)/frameSamples*frameSamples, "no frame too many")
		require.Equal(t, want, got[:len(want)])
		for _, b := range got[len(want):] {
			require.Equal(t, byte(alawSilence), b)
		}
	})
}

func TestReelLoops(t *testing.T) {
	r := newReel([]Clip{{ALaw: []byte{1}}, {ALaw: []byte{2, 3}, Loop: true}, {ALaw: []byte{4}}})
	var frame [6]byte
	require.False(t, r.read(frame[:]))
	require.Equal(t, [6]byte{1, 2, 3, 2, 3, 2}, frame)
	require.False(t, r.read(frame[:]))
	require.Equal(t, [6]byte{3, 2, 3, 2, 3, 2}, frame)
}
