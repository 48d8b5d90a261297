package media

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// toldApart is a frame whose samples can be told from those of others.
func toldApart(i int) []byte {
	frame := make([]byte, frameSamples)
	for j := range frame {
		frame[j] = byte(i*7 + j)
	}
	return frame
}

// Our own audio goes out in packets of the length that the far end wants, whole and in one stream, each in the turn of
// the wheel that completes it.
func TestPack(t *testing.T) {
	const frames = 60
	for milliseconds := 10; milliseconds <= 60; milliseconds += 10 {
		t.Run(fmt.Sprint(milliseconds), func(t *testing.T) {
			size := milliseconds * SampleRate / 1000
			o, sent := captured()
			a := *o.agreed
			a.packet = time.Duration(milliseconds) * time.Millisecond
			o.agree(&a)
			var said []byte
			for i := range frames {
				o.frame(time.Unix(0, 0).Add(time.Duration(i)*FrameDuration), toldApart(i), i >= 30)
				said = append(said, toldApart(i)...)
				require.Len(t, *sent, len(said)/size)
			}
			for i, p := range *sent {
				require.Len(t, p.Payload, size)
				require.Equal(t, (*sent)[0].SequenceNumber+uint16(i), p.SequenceNumber)
				require.Equal(t, (*sent)[0].Timestamp+uint32(i*size), p.Timestamp)
				begins := 30 * frameSamples // of the talkspurt; the first packet begins the stream
				require.Equal(t, i == 0 || begins >= i*size && begins < (i+1)*size, p.Marker, "packet %d", i)
			}
			require.Equal(t, said, unpacked(*sent))
			require.Equal(t, uint64(len(*sent)), o.packets)
		})
	}
}

func unpacked(sent []rtp.Packet) []byte {
	var parts [][]byte
	for _, p := range sent {
		parts = append(parts, p.Payload)
	}
	return bytes.Join(parts, nil)
}

// What is gathered when something else comes goes before it, in a shorter packet; a pause, a key, another leg.
func TestPackFlushed(t *testing.T) {
	for name, then := range map[string]func(o *sender, now time.Time){
		"pause":      func(o *sender, now time.Time) { o.frame(now.Add(time.Second), toldApart(1), true) },
		"key":        func(o *sender, now time.Time) { o.event(now, &press{}) },
		"other leg":  func(o *sender, now time.Time) { o.forward(now, audioPacket(7, 1, 1), payloadPCMA) },
		"their key":  func(o *sender, now time.Time) { o.forward(now, audioPacket(7, 1, 1), payloadEvent) },
		"their hold": func(o *sender, now time.Time) { a := *o.agreed; o.agree(&a); o.frame(now, toldApart(1), true) },
	} {
		t.Run(name, func(t *testing.T) {
			o, sent := captured()
			a := *o.agreed
			a.packet = mostPacket
			o.agree(&a)
			now := time.Now()
			o.frame(now, toldApart(0), true)
			then(o, now.Add(FrameDuration))
			if name == "their hold" {
				require.Empty(t, *sent, "what was gathered for another agreement is gone, and the next packet not full")
				return
			}
			require.NotEmpty(t, *sent)
			first := (*sent)[0]
			require.Equal(t, toldApart(0), first.Payload)
			require.True(t, first.Marker)
			for i, p := range (*sent)[1:] {
				require.Equal(t, first.SequenceNumber+uint16(i)+1, p.SequenceNumber)
				require.GreaterOrEqual(t, int32(p.Timestamp-first.Timestamp), int32(frameSamples))
			}
		})
	}
}
