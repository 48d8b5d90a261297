package media

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// recorded is a sender and what it sends.
type recorded struct {
	out  *sender
	sent *[]rtp.Packet
}

// resumed is a sender that goes on after a restart: its offsets have been through a journal.
func resumed(t *testing.T, o Offsets, now time.Time) *recorded {
	t.Helper()
	b, err := json.Marshal(o)
	require.NoError(t, err)
	var read Offsets
	require.NoError(t, json.Unmarshal(b, &read))
	out, sent := captured()
	out.resume(read, now)
	return &recorded{out, sent}
}

// The packets of a relayed leg go on with the numbers and times they would have had, whatever was lost meanwhile.
func TestOffsetsRelayed(t *testing.T) {
	for name, away := range map[string]int{"at once": 0, "after a second": 50, "after five seconds": 250} { // in packets
		t.Run(name, func(t *testing.T) {
			o, sent := captured()
			now := time.Now()
			i := 0
			relay := func(o *sender) {
				o.forward(now, audioPacket(7, uint16(65500+i), uint32(i*frameSamples)), payloadPCMA)
				i, now = i+1, now.Add(FrameDuration)
			}
			for range 100 {
				relay(o)
			}
			kept := o.offsets(now)
			for range away { // some of them may have been sent by the process that then died
				i, now = i+1, now.Add(FrameDuration)
			}
			next := resumed(t, kept, now)
			for range 100 {
				relay(next.out)
			}
			last, first := (*sent)[99], (*next.sent)[0]
			require.Equal(t, last.SSRC, first.SSRC)
			require.Equal(t, last.SequenceNumber+1+uint16(away), first.SequenceNumber)
			require.Equal(t, last.Timestamp+uint32((1+away)*frameSamples), first.Timestamp)
			require.Len(t, *next.sent, 100)
			requireGoesOn(t, next)
		})
	}
}

// What is ours to send goes on too: no number twice, and the time that has passed is in the timestamps.
func TestOffsetsOwn(t *testing.T) {
	var frame [frameSamples]byte
	for name, away := range map[string]int{"at once": 0, "after a second": 50} {
		t.Run(name, func(t *testing.T) {
			o, sent := captured()
			now := time.Now()
			for range 100 {
				o.frame(now, frame[:], true)
				now = now.Add(FrameDuration)
			}
			kept := o.offsets(now)
			now = now.Add(time.Duration(away) * FrameDuration)
			next := resumed(t, kept, now)
			for range 10 {
				next.out.frame(now, frame[:], true)
				now = now.Add(FrameDuration)
			}
			last, first := (*sent)[99], (*next.sent)[0]
			require.Equal(t, last.SSRC, first.SSRC)
			require.Equal(t, last.SequenceNumber+1+uint16(away), first.SequenceNumber)
			require.Equal(t, last.Timestamp+uint32((1+away)*frameSamples), first.Timestamp)
			requireGoesOn(t, next)
		})
	}
}

// A stream that had sent nothing begins anew, and one resumed in the past (the clock was set back) does not go back.
func TestOffsetsOdd(t *testing.T) {
	o, _ := captured()
	now := time.Now()
	next := resumed(t, o.offsets(now), now.Add(time.Hour))
	var frame [frameSamples]byte
	next.out.frame(now.Add(time.Hour), frame[:], true)
	require.True(t, (*next.sent)[0].Marker)

	o, sent := captured()
	o.frame(now, frame[:], true)
	next = resumed(t, o.offsets(now), now.Add(-time.Hour))
	next.out.frame(now.Add(-time.Hour), frame[:], true)
	require.Equal(t, (*sent)[0].SequenceNumber+1, (*next.sent)[0].SequenceNumber)
	require.Equal(t, (*sent)[0].Timestamp+uint32(frameSamples), (*next.sent)[0].Timestamp)
}

func requireGoesOn(t *testing.T, r *recorded) {
	t.Helper()
	for i, p := range *r.sent {
		require.Equal(t, (*r.sent)[0].SequenceNumber+uint16(i), p.SequenceNumber)
		require.Equal(t, (*r.sent)[0].Timestamp+uint32(i*frameSamples), p.Timestamp)
	}
}
