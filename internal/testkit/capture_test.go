package testkit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCaptureSeesACall: the messages of a whole call in order, its RTP both ways, and the key in it,
// over UDP and over TCP.
func TestCaptureSeesACall(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			callee := StartBaresip(t, BaresipOptions{User: "8002", Auto: true, Tone: 1000, Transport: transport})
			caller := StartBaresip(t, BaresipOptions{User: "13900000000", Tone: 440, Transport: transport})
			c := StartCapture(t,
				[]PortRange{{callee.Port, callee.Port}, {caller.Port, caller.Port}},
				[]PortRange{callee.RTP, caller.RTP})
			caller.Dial(callee.URI + ";transport=" + transport)
			caller.Await(CallEstablished)
			caller.SendDigit('7')
			callee.Await(DTMFEnd)
			c.AwaitRTP("audio both ways, and the key", func(packets []RTPPacket) bool {
				there, back, events := seen(t, callee, packets)
				return there > 5 && back > 5 && events >= 3
			})
			caller.Hangup()
			callee.Await(CallClosed)
			closed := time.Now()

			var way []string
			messages := c.SIP()
			for _, p := range messages {
				if p.Method != "" {
					way = append(way, p.Method)
				} else if p.Status >= 200 {
					way = append(way, "ok "+p.CSeqMethod)
				}
				require.Equal(t, messages[0].CallID, p.CallID)
				require.Equal(t, transport == "tcp", p.TCP)
				require.WithinDuration(t, closed, p.Time, Patience)
			}
			require.Equal(t, []string{"INVITE", "ok INVITE", "ACK", "BYE", "ok BYE"}, way)
			require.Equal(t, "13900000000", messages[0].From)
			require.EqualValues(t, callee.Port, messages[0].Dst.Port())
			there, back, events := seen(t, callee, c.RTP())
			require.Greater(t, min(there, back), 5)
			require.GreaterOrEqual(t, events, 3)
		})
	}
}

// seen counts the packets of audio to the callee and back, and those of the key; each packet of audio has to be 20 ms.
func seen(t *testing.T, callee *Baresip, packets []RTPPacket) (there, back, events int) {
	t.Helper()
	for _, p := range packets {
		switch {
		case p.Event == 7:
			events++
		case p.PayloadType == 8 && len(p.Payload) != 160:
			require.Fail(t, "not 20 ms", "%d octets", len(p.Payload))
		case p.PayloadType == 8 && callee.RTP.Has(p.Dst.Port()):
			there++
		case p.PayloadType == 8:
			back++
		}
	}
	return there, back, events
}
