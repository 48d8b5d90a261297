package testkit

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLinphonecAnswers: it can be called as soon as it is started, and both hear each other.
func TestLinphonecAnswers(t *testing.T) {
	callee := StartLinphonec(t, LinphonecOptions{User: "8003", Tone: 1000})
	caller := StartBaresip(t, BaresipOptions{Tone: 440})
	caller.Dial(fmt.Sprintf("sip:8003@127.0.0.1:%d", callee.Port))
	caller.Await(CallEstablished)
	// A key's worth of time for audio to pass.
	caller.Await("CALL_RTPESTAB")
	caller.SendDigit('1')
	callee.Await("Receiving tone 1")
	caller.Hangup()
	caller.Await(CallClosed)
	callee.Quit()
	require.NotZero(t, Tone(ReadWAV(t, caller.Heard()).Channels[0], 1000))
}
