package mediatest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// secureTests are the suite's part about SRTP.
func secureTests() map[string]func(*testing.T, Make) {
	return map[string]func(*testing.T, Make){
		"audio is encrypted":              secureAudio,
		"encrypted and plain are bridged": secureBridge,
		"only what is authentic is heard": secureStrangers,
		"keys stay, and change":           secureRekeyed,
		"another phone answers":           secureAnother,
		"our keys are taken":              secureOffered,
		"encryption is required":          secureRequired,
		"reports are encrypted":           secureReports,
	}
}

// bothSuites runs a test with each suite.
func bothSuites(t *testing.T, test func(t *testing.T, suite string)) {
	t.Helper()
	for _, suite := range []string{SuiteGCM, SuiteCM} {
		t.Run(suite, func(t *testing.T) { test(t, suite) })
	}
}

// secureStream opens a stream that encrypts, and calls it from a new phone.
func secureStream(t *testing.T, e media.Engine, suite string, codec media.Codec) (media.Stream, *Phone, Key) {
	t.Helper()
	s, err := e.Open(media.StreamOptions{Secure: media.SecurityRequired})
	require.NoError(t, err)
	p, k := NewPhone(t, codec), NewKey("1", suite)
	p.CallSecure(s, k)
	return s, p, k
}

// secureAudio: what is played arrives, what is said is heard, keys are found, and all of it is encrypted, over the
// roll-over of the phone's numbers.
func secureAudio(t *testing.T, newEngine Make) {
	t.Helper()
	bothSuites(t, func(t *testing.T, suite string) {
		t.Helper()
		e := open(t, newEngine)
		s, p, _ := secureStream(t, e, suite, media.PCMA)
		require.NoError(t, s.Play(t.Context(), media.Tone(700, 20*media.FrameDuration)))
		packets := p.Take(20)
		requireOneStream(t, packets)
		require.True(t, Has(p.Heard(packets), 700))
		require.Less(t, packets[0].Sequence, uint16(1<<15), "RFC 4568 section 6.4: no roll-over before anything is heard")
		require.Zero(t, p.Unread())

		tap, keys := &ear{}, make(chan media.Key, 10)
		stop, err := e.Listen(s, tap)
		require.NoError(t, err)
		defer stop()
		s.OnKey(func(k media.Key) { keys <- k })
		const said = 20
		p.Say(media.Tone(1300, said*media.FrameDuration))
		frames := tap.side(t, media.SideA, said)
		var heard []byte
		for _, f := range frames {
			heard = append(heard, f.ALaw...)
		}
		require.True(t, Has(heard, 1300))
		require.Less(t, p.Sequence, uint16(said), "the numbers have rolled over")
		p.Press(5, 6, nil)
		require.Equal(t, media.Key('5'), wait(t, keys))
		st := s.Stats()
		require.True(t, st.Secure)
		require.Zero(t, st.Unauthentic)
		require.Zero(t, st.Lost)
		require.GreaterOrEqual(t, st.OctetsIn, uint64(said*160))
	})
}

// secureBridge: each leg has its own keys, or none.
func secureBridge(t *testing.T, newEngine Make) {
	t.Helper()
	bothSuites(t, func(t *testing.T, suite string) {
		t.Helper()
		for _, far := range []string{"", SuiteGCM, SuiteCM} {
			t.Run("with "+far, func(t *testing.T) {
				e := open(t, newEngine)
				a, p, _ := secureStream(t, e, suite, media.PCMA)
				b, q := stream(t, e, media.PCMU) // plain
				if far != "" {
					b, q, _ = secureStream(t, e, far, media.PCMU)
				}
				require.Equal(t, far != "", b.Stats().Secure)
				tap := &ear{}
				unbridge, err := e.Bridge(a, b, tap)
				require.NoError(t, err)
				defer unbridge()
				const packets = 30
				p.Say(media.Tone(700, packets*media.FrameDuration))
				q.Say(media.Tone(1300, packets*media.FrameDuration))
				require.True(t, Has(q.Heard(q.Take(packets)), 700))
				require.True(t, Has(p.Heard(p.Take(packets)), 1300))
				tap.side(t, media.SideA, packets)
				tap.side(t, media.SideB, packets)
				p.Press(7, 6, nil)
				events := q.Until(func(k Packet) bool { return k.Payload == q.Event && k.Audio[1]&0x80 != 0 })
				require.Equal(t, byte(7), events[len(events)-1].Audio[0])
				require.Zero(t, p.Unread()+q.Unread())
			})
		}
	})
}

// secureStrangers: packets that are not of the far end's key are counted and change nothing, be they from its own
// address: no tap hears them, and they take no lock. What is sent again is heard once.
func secureStrangers(t *testing.T, newEngine Make) {
	t.Helper()
	bothSuites(t, func(t *testing.T, suite string) {
		t.Helper()
		e := open(t, newEngine)
		s, p, _ := secureStream(t, e, suite, media.PCMA)
		tap := &ear{}
		stop, err := e.Listen(s, tap)
		require.NoError(t, err)
		defer stop()
		tone := media.Tone(700, media.FrameDuration).ALaw

		stranger := NewPhone(t, media.PCMA)
		stranger.Aim(s)
		wrong := NewKey("1", suite)
		stranger.Secure(wrong, wrong)
		const strange = 10
		for range strange {
			stranger.Send(tone)
		}
		plain := append(p.header(p.Number, false, p.Timestamp), tone...)
		p.Raw(plain)
		eventually(t, s, func(st media.Stats) bool { return st.Unauthentic == strange+1 })
		require.Zero(t, s.Stats().Strangers+s.Stats().PacketsIn)

		p.Send(tone)
		p.Raw(p.secure.out.srtp.Seal(plain, 0)) // the same again
		p.Send(tone)
		require.Len(t, tap.side(t, media.SideA, 2), 2)
		st := s.Stats()
		require.Equal(t, uint64(1), st.Duplicate)
		require.Equal(t, uint64(2), st.PacketsIn)
		require.Equal(t, uint64(strange+1), st.Unauthentic)
		require.NoError(t, s.Play(t.Context(), media.Tone(500, 4*media.FrameDuration)))
		p.Until(audible)
	})
}

// secureRekeyed: a re-INVITE with the same key goes on where it was, over roll-overs; with another both directions begin
// anew, and what was on its way under the old one is heard still.
func secureRekeyed(t *testing.T, newEngine Make) {
	t.Helper()
	bothSuites(t, func(t *testing.T, suite string) {
		t.Helper()
		e := open(t, newEngine)
		s, p, k := secureStream(t, e, suite, media.PCMA)
		tone := media.Tone(700, media.FrameDuration).ALaw
		for range 10 {
			p.Send(tone) // past the roll-over
		}
		eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 10 })
		require.NoError(t, s.Play(t.Context(), media.Tone(500, 4*media.FrameDuration)))
		p.Until(audible)
		before, counted := p.secure.in.Load().srtp, p.secure.out

		answer, err := s.Answer(p.DescribeSecure(k, "a=sendonly"))
		require.NoError(t, err)
		require.Equal(t, before, NewSRTP(suite, KeysOf(string(answer))[0].Material), "the key stays")
		require.True(t, s.Held())
		p.Send(tone)
		eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 11 })

		p.CallSecure(s, NewKey("3", suite))
		require.NotEqual(t, before, p.secure.in.Load().srtp, "another key is answered by another")
		counted.roll.index(p.Sequence - 1)
		newer := p.secure.out
		p.secure.out = counted
		p.Send(tone) // under the old key
		eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 12 })
		p.secure.out = newer
		p.Send(tone)
		eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 13 })
		p.secure.out = counted
		p.Send(tone) // and never again
		eventually(t, s, func(st media.Stats) bool { return st.Unauthentic == 1 })
		require.NoError(t, s.Play(t.Context(), media.Tone(500, 4*media.FrameDuration)))
		p.Until(audible)
	})
}

// secureOffered: of the keys that we offer the phone takes one, and gives its own.
func secureOffered(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	for _, c := range []struct {
		security media.Security
		profile  string
	}{{media.SecurityOptional, "RTP/AVP"}, {media.SecurityRequired, "RTP/SAVP"}} {
		for chosen := range 2 {
			t.Run(fmt.Sprint(c.security, " ", chosen), func(t *testing.T) {
				s, err := e.Open(media.StreamOptions{Secure: c.security})
				require.NoError(t, err)
				offer, err := s.Offer()
				require.NoError(t, err)
				require.Contains(t, string(offer), " "+c.profile+" ")
				keys := KeysOf(string(offer))
				require.Len(t, keys, 2)
				require.NotEqual(t, keys[0].Suite, keys[1].Suite)
				p, k := NewPhone(t, media.PCMA), NewKey(keys[chosen].Tag, keys[chosen].Suite)
				answer := strings.Replace(string(p.DescribeSecure(k)), "RTP/SAVP", c.profile, 1)
				p.Secure(k, keys[chosen])
				require.NoError(t, s.Accept([]byte(answer)))
				require.True(t, s.Stats().Secure)
				p.Aim(s)
				p.Send(media.Tone(700, media.FrameDuration).ALaw)
				eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 1 })
				require.NoError(t, s.Play(t.Context(), media.Tone(500, 4*media.FrameDuration)))
				p.Until(audible)
				require.Zero(t, p.Unread())
			})
		}
	}
}

// secureRequired: a stream that requires SRTP takes no plain audio, and one that has it off none that is encrypted.
func secureRequired(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, err := e.Open(media.StreamOptions{Secure: media.SecurityRequired})
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	_, err = s.Answer(p.Describe())
	require.ErrorIs(t, err, media.ErrNotSecure)
	require.ErrorIs(t, err, media.ErrNotAcceptable)
	_, err = s.Offer()
	require.NoError(t, err)
	require.ErrorIs(t, s.Accept(p.Describe()), media.ErrNotSecure)
	require.False(t, s.Stats().Secure)

	off, err := e.Open(media.StreamOptions{Secure: media.SecurityOff})
	require.NoError(t, err)
	_, err = off.Answer(p.DescribeSecure(NewKey("1", SuiteCM)))
	require.ErrorIs(t, err, media.ErrNotAcceptable)
	require.NotErrorIs(t, err, media.ErrNotSecure)
}

// secureReports: RTCP is encrypted under the keys of RTP, both ways (RFC 3711 section 3.4); a report that is not changes
// nothing.
func secureReports(t *testing.T, newEngine Make) {
	t.Helper()
	bothSuites(t, func(t *testing.T, suite string) {
		t.Helper()
		t.Parallel() // a report comes after some seconds
		s, err := open(t, newEngine).Open(media.StreamOptions{Secure: media.SecurityRequired})
		require.NoError(t, err)
		p := NewPhone(t, media.PCMA)
		c := newControl(t, p)
		p.CallSecure(s, NewKey("1", suite), c.line())
		c.aim(s)
		p.Send(media.Tone(700, media.FrameDuration).ALaw)
		voice := p.Next()

		b := make([]byte, 1500)
		require.NoError(t, c.conn.SetReadDeadline(time.Now().Add(3*patience)))
		n, _, err := c.conn.ReadFromUDPAddrPort(b)
		require.NoError(t, err)
		report, index, ok := p.secure.in.Load().srtp.OpenReport(b[:n])
		require.True(t, ok)
		require.Equal(t, uint32(1), index)
		require.Equal(t, []byte{0x81, senderReport, 0, 12}, report[:4], "with one block (RFC 3550 section 6.4.1)")
		require.Equal(t, voice.SSRC, binary.BigEndian.Uint32(report[4:]))
		require.Equal(t, p.SSRC, binary.BigEndian.Uint32(report[28:]))

		c.say(c.report(block{ssrc: voice.SSRC, lost: 9, highest: 9}))
		c.say(p.secure.out.srtp.SealReport(c.report(block{ssrc: voice.SSRC, lost: 3, highest: 9}), 1))
		eventually(t, s, func(st media.Stats) bool { return st.FarLost == 3 })
		require.Equal(t, uint64(1), s.Stats().Unauthentic)
	})
}

// secureAnother: a fresh offer of ours that is answered by another phone than before is under keys that begin with it: what
// has rolled over under those before, which it cannot know, does not matter (RFC 3711 section 3.3.1).
func secureAnother(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, err := e.Open(media.StreamOptions{
		Secure: media.SecurityRequired, Resume: &media.Offsets{At: time.Now(), SSRC: 7, Number: 65530},
	})
	require.NoError(t, err)
	answers := func() *Phone {
		offer, err := s.Offer()
		require.NoError(t, err)
		ours := KeysOf(string(offer))[0]
		p, k := NewPhone(t, media.PCMA), NewKey(ours.Tag, ours.Suite)
		p.Secure(k, ours)
		require.NoError(t, s.Accept(p.DescribeSecure(k)))
		p.Aim(s)
		require.NoError(t, s.Play(t.Context(), media.Tone(500, 20*media.FrameDuration)))
		return p
	}
	p := answers()
	p.Until(func(packet Packet) bool { return packet.Sequence < 100 && audible(packet) }) // they have rolled over
	require.Zero(t, p.Unread())
	q := answers()
	q.Until(audible)
	q.Send(media.Tone(700, media.FrameDuration).ALaw)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 1 })
	require.Zero(t, q.Unread())
}
