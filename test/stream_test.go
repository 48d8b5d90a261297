package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestOneStream: a caller goes through all there is: menu, a queue with a phone that refuses, a talk with a key in it, a hold,
// a transfer to another queue, and a talk with the agent there. From the wire, the caller's phone is sent one RTP stream from
// the first packet to the last, and so is each agent's; by the caller's law that passes packets as they are, and by the
// other.
func TestOneStream(t *testing.T) {
	t.Parallel()
	for _, law := range []string{"PCMA", "PCMU"} {
		t.Run(law, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
			first := agent(t, h, "8002", testkit.BaresipOptions{})
			second := agent(t, h, "8004", testkit.BaresipOptions{Tone: thirdTone})
			wire := h.Capture()
			c := caller(t, testkit.BaresipOptions{Codecs: law})

			c.Dial(h.Number("96777"))
			c.Await(testkit.CallEstablished)
			c.SendDigit('2')
			first.Await(testkit.CallIncoming)
			first.Hangup()
			first.Await(testkit.CallIncoming) // the caller has kept the place
			first.Accept()
			talkWith(t, h, "8002", time.Second)
			first.SendDigit('7')
			talkWith(t, h, "8002", 2500*time.Millisecond)
			holdFor(t, h, first.Hold, first.Resume, 2*time.Second, time.Second)
			first.Transfer(h.Number("96119"))
			second.Await(testkit.CallIncoming)
			second.Accept()
			talkWith(t, h, "8004", 2*time.Second)
			c.Hangup()
			second.Await(testkit.CallClosed)
			r := over(t, h)
			require.Equal(t, "main/2", r.MenuPath)
			require.Len(t, r.Visits, 2)
			require.Len(t, r.Offers, 3)
			require.Len(t, r.Talks, 2)

			audio := wire.RTP()
			toCaller := requireOneStream(t, h, audio, c.RTP, r.Started, *r.Ended)
			for _, talk := range r.Talks {
				phone := map[string]*testkit.Baresip{"8002": first, "8004": second}[talk.Agent]
				requireOneStream(t, h, audio, phone.RTP, talk.Answered, *talk.Ended)
			}
			requireKey(t, toCaller, 7)
			for _, talk := range []struct {
				from time.Time
				tone float64
			}{{*r.Talks[0].Joined, agentTone}, {*r.Talks[0].Holds[0].To, agentTone}, {*r.Talks[1].Joined, thirdTone}} {
				from := talk.from.Add(300 * time.Millisecond)
				heard := sent(audio, h.MediaPorts, c.RTP, from, from.Add(600*time.Millisecond))
				require.Greater(t, testkit.Tone(heard, talk.tone), 0.9, "heard at %s", from)
			}
		})
	}
}

// requireOneStream checks that what was sent to a phone between two instants is one RTP stream (RFC 3550 section 5.1): one
// SSRC; numbers that go up by one; time that never goes back, passes as the clock does, and leaves nothing out but where a
// marker says that something begins (RFC 3551 section 4.1). It returns the packets.
func requireOneStream(
	t *testing.T, h *testkit.Hotline, audio []testkit.RTPPacket, phone testkit.PortRange, from, to time.Time,
) (packets []testkit.RTPPacket) {
	t.Helper()
	const (
		rate  = 8000
		apart = time.Second // how far time stamped and time passed may be, on a machine that does much else
	)
	for _, p := range audio {
		if h.MediaPorts.Has(p.Src.Port()) && phone.Has(p.Dst.Port()) {
			packets = append(packets, p)
		}
	}
	require.NotEmpty(t, packets)
	require.WithinDuration(t, from, packets[0].Time, 2*time.Second, "from the beginning")
	require.WithinDuration(t, to, packets[len(packets)-1].Time, 2*time.Second, "to the end")
	require.True(t, packets[0].Marker, "it begins")
	next := packets[0].Timestamp // that follows without a pause
	for i, p := range packets {
		if i > 0 {
			require.Equal(t, packets[0].SSRC, p.SSRC, "SSRC of packet %d", i)
			require.Equal(t, packets[i-1].Sequence+1, p.Sequence, "number of packet %d, %s after the last", i, p.Time.Sub(packets[i-1].Time))
		}
		if p.Event >= 0 { // stamped with its key's beginning, and followed by what was said meanwhile
			continue
		}
		ahead := int32(p.Timestamp - next)
		require.GreaterOrEqual(t, ahead, int32(0), "time of packet %d", i)
		pressed := i > 0 && packets[i-1].Event >= 0
		require.True(t, ahead == 0 || p.Marker || pressed, "packet %d leaves out %d samples, and has no marker", i, ahead)
		stamped := time.Duration(p.Timestamp-packets[0].Timestamp) * time.Second / rate
		require.InDelta(t, p.Time.Sub(packets[0].Time).Seconds(), stamped.Seconds(), apart.Seconds(), "clock of packet %d", i)
		next = p.Timestamp + uint32(len(p.Payload))
	}
	return packets
}

// requireKey checks that a key is in a stream as RFC 4733 has it: one event with one timestamp (section 2.2.1), the marker
// with its first packet alone (section 2.5.1.1), its end said thrice (section 2.5.1.4), and not also its audio.
func requireKey(t *testing.T, packets []testkit.RTPPacket, key int) {
	t.Helper()
	var events []testkit.RTPPacket
	for _, p := range packets {
		if p.Event >= 0 {
			events = append(events, p)
		}
	}
	require.NotEmpty(t, events)
	ends := 0
	for i, p := range events {
		require.Equal(t, key, p.Event)
		require.Equal(t, events[0].Timestamp, p.Timestamp)
		require.Equal(t, i == 0, p.Marker, "packet %d of the key", i)
		if p.EventEnd {
			ends++
		}
	}
	require.Equal(t, 3, ends)
}
