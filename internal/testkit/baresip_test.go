package testkit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTwoPhones: what one phone says, the other hears, and keys get through, by both methods.
func TestTwoPhones(t *testing.T) {
	for _, mode := range []string{"rtpevent", "info"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			callee := StartBaresip(t, BaresipOptions{User: "8002", Auto: true, Tone: 1000})
			caller := StartBaresip(t, BaresipOptions{User: "13900000000", Tone: 440, DTMFMode: mode})
			caller.Dial(callee.URI)
			caller.Await(CallEstablished)
			callee.Await(CallEstablished)
			caller.SendDigit('2')
			require.Equal(t, "2", callee.Await(DTMFStart).Param)
			callee.Await(DTMFEnd)
			caller.SendDigit('#')
			require.Equal(t, "#", callee.Await(DTMFStart).Param)
			callee.Await(DTMFEnd)
			caller.Hangup()
			callee.Await(CallClosed)

			for _, heard := range []struct {
				file         string
				tone, absent float64
			}{
				{caller.Heard(), 1000, 440},
				{callee.Heard(), 440, 1000},
				{caller.Said(), 440, 1000},
			} {
				w := ReadWAV(t, heard.file)
				require.True(t, HasTone(w.Channels[0], heard.tone, 100*time.Millisecond), "%v Hz in %s", heard.tone, heard.file)
				require.Zero(t, Tone(w.Channels[0], heard.absent))
			}
		})
	}
}

// TestPhoneRefuses: a phone that does not answer by itself can accept or refuse.
func TestPhoneRefuses(t *testing.T) {
	callee := StartBaresip(t, BaresipOptions{User: "8002"})
	caller := StartBaresip(t, BaresipOptions{})
	caller.Dial(callee.URI)
	callee.Await(CallIncoming)
	caller.Await(CallRinging)
	callee.Hangup()
	require.Contains(t, caller.Await(CallClosed).Param, "486")

	caller.Dial(callee.URI)
	callee.Await(CallIncoming)
	callee.Accept()
	caller.Await(CallEstablished)
	callee.Vanish()
	caller.Hangup()
	caller.Await(CallClosed)
}
