package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// behindWall is a talk of a baresip that calls and a linphonec that answers, all audio of which passes a wall.
func behindWall(t *testing.T, timeout string, enc testkit.BaresipOptions) (h *testkit.Hotline, c *testkit.Baresip, a *testkit.Linphonec) {
	t.Helper()
	h = testkit.StartHotline(t, testkit.HotlineOptions{
		YAML: encrypted("optional", "off"), Race: true, Ping: "10m", MediaTimeout: timeout, MediaPorts: 20, Wall: true,
	})
	a = linphone(t, h, "8002", agentTone)
	c = caller(t, enc)
	return h, c, a
}

// asked is how many different requests of a method the hotline sent within a dialog to a port.
func asked(messages []testkit.SIPPacket, h *testkit.Hotline, method string, port int) int {
	var inDialog []testkit.SIPPacket
	for _, m := range messages {
		if m.ToTag != "" && int(m.Src.Port()) == h.SIPPort {
			inDialog = append(inDialog, m)
		}
	}
	return count(inDialog, method, port)
}

// requireHeardSince checks that both parties were heard from an instant until the end, by what was sent on to them.
func requireHeardSince(t *testing.T, h *testkit.Hotline, audio []testkit.RTPPacket, caller, agent testkit.PortRange, from, to time.Time) {
	t.Helper()
	require.Greater(t, testkit.Tone(sent(audio, h.MediaPorts, agent, from, to), callerTone), 0.9)
	require.Greater(t, testkit.Tone(sent(audio, h.MediaPorts, caller, from, to), agentTone), 0.9)
}

// healed is whether a call's only caller is heard again, for so long.
func healed(r testkit.Record, lasting time.Duration) bool {
	w := r.Legs[0].OneWay
	return w != nil && w.Healed != nil && time.Since(*w.Healed) >= lasting
}

// TestOneWayAudioHeals: in a talk the caller's audio is lost on its way to us, while its reports say that it speaks. That is
// noticed and counted, one re-INVITE asks for audio anew; when it comes again it is heard again, and the record has both
// times. With SRTP the re-INVITE has new keys, under which it goes on.
func TestOneWayAudioHeals(t *testing.T) {
	t.Parallel()
	for name, enc := range map[string]string{"plain": "", "encrypted": "srtp-mand"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, c, a := behindWall(t, "0s", testkit.BaresipOptions{MediaEnc: enc})
			wire := h.Capture()
			c.Dial(h.Number("96110"))
			talkWith(t, h, "8002", time.Second)
			lost := time.Now()
			h.Wall.Lose(c.RTP, testkit.ToHotline, false)
			h.AwaitCall("noticed", func(r testkit.Record) bool { return r.Legs[0].OneWay != nil })
			h.Wall.Pass()
			h.AwaitCall("heard again", func(r testkit.Record) bool { return healed(r, 2*time.Second) })
			c.Hangup()
			r := over(t, h)
			require.Equal(t, []string{"answered", "caller-hangup"}, []string{r.Result, r.Reason})
			w := r.Legs[0].OneWay
			require.False(t, w.At.Before(lost))
			require.True(t, w.Healed.After(w.At))
			require.Equal(t, enc != "", r.Legs[0].Secure)
			require.Nil(t, r.Legs[1].OneWay, "the agent's audio came and went all the time")
			require.Equal(t, 1, asked(wire.SIP(), h, "INVITE", c.Port), "one re-INVITE, in the capture")
			require.Zero(t, asked(wire.SIP(), h, "INVITE", a.Port))
			if enc == "" {
				requireHeardSince(t, h, wire.RTP(), c.RTP, a.RTP, *w.Healed, *r.Ended)
			} else {
				require.Greater(t, testkit.Tone(sent(wire.RTP(), h.MediaPorts, a.RTP, *w.Healed, *r.Ended), callerTone), 0.9)
				heard := testkit.ReadWAV(t, c.Heard()).Channels[0]
				require.Greater(t, testkit.Tone(heard[len(heard)-8000:], agentTone), 0.9, "under the new keys")
			}
			require.InDelta(t, 1, h.Metric(`hotline_leg_one_way_total{healed="true",role="caller"}`), 0)
			require.GreaterOrEqual(t, h.Metric(`hotline_rtp_faults_total{kind="one-way"}`), float64(w.Count))
		})
	}
}

// TestOneWayAudioNeverHeals: nothing of ours reaches the caller from some time on, as its reports show. It is asked anew
// once, and no more, however often that is noticed; the call goes on, and the record says that it did not help.
func TestOneWayAudioNeverHeals(t *testing.T) {
	t.Parallel()
	h, c, a := behindWall(t, "0s", testkit.BaresipOptions{})
	wire := h.Capture()
	c.Dial(h.Number("96110"))
	talkWith(t, h, "8002", time.Second)
	h.Wall.Lose(c.RTP, testkit.ToPhone, false)
	h.AwaitCall("noticed again, under what was agreed anew", func(r testkit.Record) bool {
		return r.Legs[0].OneWay != nil && r.Legs[0].OneWay.Count >= 2
	})
	c.Hangup()
	r := over(t, h)
	require.Equal(t, []string{"answered", "caller-hangup"}, []string{r.Result, r.Reason})
	require.Nil(t, r.Legs[0].OneWay.Healed)
	require.Nil(t, r.Legs[1].OneWay)
	require.Equal(t, 1, asked(wire.SIP(), h, "INVITE", c.Port))
	require.Zero(t, asked(wire.SIP(), h, "INVITE", a.Port))
	require.Greater(t, testkit.Tone(sent(wire.RTP(), h.MediaPorts, a.RTP, r.Legs[0].OneWay.At, *r.Ended), callerTone), 0.9,
		"the other direction goes on")
	require.InDelta(t, 1, h.Metric(`hotline_leg_one_way_total{healed="false",role="caller"}`), 0)
}

// TestSilentPhoneIsAskedFirst: everything of a caller's audio is lost, both ways, reports too, for longer than the
// time-out. The phone is asked within its dialog, answers, and nothing is ended; when the audio comes again the talk goes
// on as it was.
func TestSilentPhoneIsAskedFirst(t *testing.T) {
	t.Parallel()
	h, c, a := behindWall(t, "2s", testkit.BaresipOptions{})
	wire := h.Capture()
	c.Dial(h.Number("96110"))
	talkWith(t, h, "8002", time.Second)
	h.Wall.Lose(c.RTP, "", true)
	h.AwaitCall("silent", func(r testkit.Record) bool { return r.Legs[0].Silent >= 2 })
	h.Wall.Pass()
	back := time.Now()
	talk(t, h, time.Since(*h.Calls()[0].Joined)+4*time.Second)
	c.Hangup()
	r := over(t, h)
	require.Equal(t, []string{"answered", "caller-hangup"}, []string{r.Result, r.Reason})
	require.Len(t, r.Talks, 1)
	require.False(t, r.Legs[0].NoMedia)
	require.Zero(t, r.Legs[1].Silent)
	messages := wire.SIP()
	require.NotZero(t, asked(messages, h, "UPDATE", c.Port)+asked(messages, h, "INVITE", c.Port))
	require.Zero(t, asked(messages, h, "BYE", c.Port), "it was the caller who ended the call")
	requireHeardSince(t, h, wire.RTP(), c.RTP, a.RTP, back.Add(2*time.Second), *r.Ended)
	require.InDelta(t, 1, h.Metric(`hotline_leg_silent_total{outcome="lived",role="caller"}`), 0)
}
