package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestHoldByBothMakes: an agent with either make of phone, encrypted or not, puts the caller on hold and takes them back:
// afterwards both hear each other as before, on the wire, in the recording, and at the agent's ear; and nothing of the hold counts as lost.
func TestHoldByBothMakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		linphone bool
		srtp     string
	}{
		"baresip":        {false, "off"},
		"baresip, SRTP":  {false, "required"},
		"linphone":       {true, "off"},
		"linphone, SRTP": {true, "required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: encrypted("off", c.srtp), Race: true, Ping: "10m"})
			hold, resume, heard := holder(t, h, c.linphone, c.srtp == "required")
			wire := h.Capture()
			from := caller(t, testkit.BaresipOptions{})
			from.Dial(h.Number("96110"))
			bothSpeak(t, h, 1500*time.Millisecond)
			holdFor(t, h, hold, resume, 3*time.Second, 8*time.Second) // each phone reports every 5
			from.Hangup()
			r := over(t, h)
			require.Len(t, r.Talks[0].Holds, 1)

			on, off := r.Talks[0].Holds[0].From, *r.Talks[0].Holds[0].To
			const settle = 400 * time.Millisecond
			const starved = 1500 * time.Millisecond // what a phone that got no processor still sends once it holds
			audio, recording := wire.RTP(), h.Recording(r.ID).Channels
			for _, s := range []struct {
				what       string
				begin, end time.Time
				joined     bool
			}{
				{"before", r.Joined.Add(settle), on, true},
				{"on hold", on.Add(starved), off, false},
				{"after", off.Add(settle), *r.Ended, true},
			} {
				spoken := spokenTo(h, audio, s.begin, s.end, func(port uint16) bool { return !from.RTP.Has(port) })
				for where, samples := range map[string][]float64{
					"the caller": sent(audio, h.MediaPorts, from.RTP, s.begin, s.end),
					"the record": recordedFrom(recording[1], *r.Joined, s.begin, s.end),
				} {
					if s.joined { // of what the agent's phone said, which is less than it should be while it gets no processor
						require.Positive(t, spoken)
						require.True(t, testkit.HasTone(samples, agentTone, min(spoken, lasting(samples))*8/10), "%s: %s hears the agent", s.what, where)
					} else {
						require.Less(t, testkit.Tone(samples, agentTone), 0.05, "%s: %s hears the agent", s.what, where)
					}
				}
			}
			// By the phone's own reports it was sent all, and could read it: of a hold of three seconds it missed nothing.
			require.Equal(t, "8002", r.Legs[1].Agent)
			require.Less(t, r.Legs[1].FarLost, uint64(50))
			if heard != nil { // it has no clock that is ours: as much as it must have heard before and after
				spoken := spokenTo(h, audio, *r.Joined, on, from.RTP.Has) + spokenTo(h, audio, off, *r.Ended, from.RTP.Has)
				joined := min(on.Sub(*r.Joined)+r.Ended.Sub(off), spoken)
				require.Positive(t, joined)
				require.True(t, testkit.HasTone(heard(), callerTone, joined*8/10), "the agent hears the caller again")
			}
		})
	}
}

// holder is a ready agent 8002 of one make: how it holds, takes back, and what it heard in all, once the call is over; nil
// of baresip, whose file ends with the first hold.
func holder(t *testing.T, h *testkit.Hotline, isLinphone, srtp bool) (hold, resume func(), heard func() []float64) {
	t.Helper()
	if isLinphone {
		l := testkit.StartLinphonec(t, testkit.LinphonecOptions{
			User: "8002", Password: passwords["8002"], Registrar: h.SIP, Tone: agentTone, SRTP: srtp, SRTPOnly: srtp,
		})
		h.AwaitAgent("8002", "ready")
		return l.Pause, func() { l.Resume(1) }, func() []float64 {
			l.Quit()
			return testkit.ReadWAV(t, l.Heard()).Channels[0]
		}
	}
	o := testkit.BaresipOptions{Auto: true}
	if srtp {
		o.MediaEnc = "srtp-mand"
	}
	b := agent(t, h, "8002", o)
	return b.Hold, b.Resume, nil
}

// spokenTo is how much audio came to the hotline from some ports between two instants.
func spokenTo(h *testkit.Hotline, audio []testkit.RTPPacket, begin, end time.Time, ports func(port uint16) bool) (all time.Duration) {
	for _, p := range audio {
		if ports(p.Src.Port()) && h.MediaPorts.Has(p.Dst.Port()) && !p.Time.Before(begin) && p.Time.Before(end) {
			all += 20 * time.Millisecond
		}
	}
	return all
}

// lasting is how long samples last.
func lasting(samples []float64) time.Duration {
	return time.Duration(len(samples)) * time.Second / 8000
}

// recordedFrom is what a recording that begins when the parties were joined has between two instants.
func recordedFrom(channel []float64, joined, from, to time.Time) []float64 {
	at := func(t time.Time) int { return min(max(0, int(t.Sub(joined).Seconds()*8000)), len(channel)) }
	return channel[at(from):at(to)]
}
