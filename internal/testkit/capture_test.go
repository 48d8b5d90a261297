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

			there, back, events := 0, 0, 0
			for _, p := range c.RTP() {
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
			require.Greater(t, there, 5)
			require.Greater(t, back, 5)
			require.GreaterOrEqual(t, events, 3)
		})
	}
}
