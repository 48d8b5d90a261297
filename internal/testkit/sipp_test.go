package testkit

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCallerReachesAPhone: sipp's tone and keys get to baresip, by both methods and over both transports.
func TestCallerReachesAPhone(t *testing.T) {
	for name, c := range map[string]SippCaller{
		"udp, keys by rtp":  {KeysBy: KeysByRTP},
		"tcp, keys by rtp":  {KeysBy: KeysByRTP, Transport: "tcp"},
		"udp, keys by info": {KeysBy: KeysByINFO},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			phone := StartBaresip(t, BaresipOptions{User: "8002", Auto: true, Tone: 1000})
			c.To, c.Number, c.From = phone.Addr(), "8002", "13900000000"
			c.Keys, c.KeyEvery, c.Tone = "11#", 300*time.Millisecond, 440
			c.HangUpAfter = 1500 * time.Millisecond
			caller := StartCaller(t, c)
			for _, key := range []string{"1", "1", "#"} {
				require.Equal(t, key, phone.Await(DTMFStart).Param)
				phone.Await(DTMFEnd)
			}
			phone.Await(CallClosed)
			require.Zero(t, caller.Wait(), caller.Messages())
			heard := ReadWAV(t, phone.Heard())
			require.True(t, HasTone(heard.Channels[0], 440, 500*time.Millisecond))
		})
	}
}

// TestCallerGivesUp: CANCEL while it rings; and a caller whose expectation is not met says so.
func TestCallerGivesUp(t *testing.T) {
	phone := StartBaresip(t, BaresipOptions{User: "8002"})
	caller := StartCaller(t, SippCaller{
		To: phone.Addr(), Number: "8002", From: "13900000000", Cancels: true, CancelAfter: 100 * time.Millisecond,
	})
	phone.Await(CallIncoming)
	phone.Await(CallClosed)
	require.Zero(t, caller.Wait(), caller.Messages())

	refused := StartCaller(t, SippCaller{To: phone.Addr(), Number: "8002", From: "13900000000", Expect: 486})
	phone.Await(CallIncoming)
	phone.Hangup()
	require.Zero(t, refused.Wait(), refused.Messages())

	disappointed := StartCaller(t, SippCaller{To: phone.Addr(), Number: "8002", From: "13900000000", Expect: 404})
	phone.Await(CallIncoming)
	phone.Hangup()
	require.NotZero(t, disappointed.Wait())
}

// TestAgents: a sipp that is called answers, refuses, or rings until the caller gives up.
func TestAgents(t *testing.T) {
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		agent := StartAgent(t, SippAgent{User: "8002", After: 50 * time.Millisecond, Tone: 1000})
		caller := StartBaresip(t, BaresipOptions{})
		caller.Dial("sip:8002@127.0.0.1:" + port(agent))
		caller.Await(CallEstablished)
		caller.Await("CALL_RTPESTAB")
		Within(t, Patience, "some audio", func() bool {
			return time.Since(caller.Events()[len(caller.Events())-1].At) > 500*time.Millisecond
		})
		caller.Hangup()
		require.Zero(t, agent.Wait(), agent.Messages())
		heard := ReadWAV(t, caller.Heard())
		require.True(t, HasTone(heard.Channels[0], 1000, 200*time.Millisecond))
	})
	for name, status := range map[string]int{"busy": 486, "declines": 603} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := StartAgent(t, SippAgent{User: "8002", Refuse: status})
			caller := StartCaller(t, SippCaller{
				To: "127.0.0.1:" + port(agent), Number: "8002", From: "13900000000", Expect: status,
			})
			require.Zero(t, caller.Wait(), caller.Messages())
			require.Zero(t, agent.Wait(), agent.Messages())
		})
	}
	t.Run("rings on", func(t *testing.T) {
		t.Parallel()
		agent := StartAgent(t, SippAgent{User: "8002", RingsOn: true})
		caller := StartCaller(t, SippCaller{
			To: "127.0.0.1:" + port(agent), Number: "8002", From: "13900000000",
			Cancels: true, CancelAfter: 50 * time.Millisecond,
		})
		require.Zero(t, caller.Wait(), caller.Messages())
		require.Zero(t, agent.Wait(), agent.Messages())
	})
}

func port(s *Sipp) string { return strconv.Itoa(s.Port) }
