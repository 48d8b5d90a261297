package mediatest

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// These tests wait for seconds, so they do it together, once the others are over.

// told opens a stream whose facts come by a channel.
func told(t *testing.T, e media.Engine) (media.Stream, <-chan media.Fact) {
	t.Helper()
	facts := make(chan media.Fact, 64)
	s, err := e.Open(media.StreamOptions{OnFact: func(f media.Fact) { facts <- f }})
	require.NoError(t, err)
	return s, facts
}

// within is an engine that calls a stream silent after a while.
func within(t *testing.T, newEngine Make, timeout time.Duration) media.Engine {
	t.Helper()
	return open(t, newEngine, func(o *media.Options) { o.Timeout = timeout })
}

// untilFact has something done every 20 ms until a fact is told, and returns those before.
func untilFact(t *testing.T, facts <-chan media.Fact, wanted media.Fact, do func()) (before []media.Fact) {
	t.Helper()
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	late := time.After(3 * patience)
	for {
		select {
		case f := <-facts:
			if f == wanted {
				return before
			}
			before = append(before, f)
		case <-tick.C:
			do()
		case <-late:
			require.FailNow(t, "a fact was not told", "%v; before: %v", wanted, before)
		}
	}
}

var frame = media.Tone(700, media.FrameDuration).ALaw

// reportsRead: the far end's reports are answered with when they came, and measure the round trip and what it hears.
func reportsRead(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	s, err := open(t, newEngine).Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	c := newControl(t, p)
	p.Call(s, c.line())
	c.aim(s)
	p.Say(media.Tone(700, 1200*time.Millisecond))
	c.say(rtcp(0, senderReport, p.SSRC, 0x1111ABCD, 0xEF012222, p.Timestamp, 60, 9600))
	ours := c.until(func(packets map[byte][]byte) bool {
		lsr, _, ok := c.reportsOn(packets)
		return ok && lsr == 0xABCDEF01 && packets[senderReport] != nil
	})[senderReport]
	ssrc, sent := binary.BigEndian.Uint32(ours[4:]), binary.BigEndian.Uint32(ours[10:])
	c.say(c.report(block{ssrc: ssrc + 1, lost: 77, highest: 5}, block{ssrc: ssrc, lost: 0x80000003, highest: 9, jitter: 80, lsr: sent}))
	eventually(t, s, func(st media.Stats) bool { return st.FarLost == 3 })
	st := s.Stats()
	require.Positive(t, st.RoundTrip)
	require.Less(t, st.RoundTrip, 4*patience)
	require.Equal(t, 10*time.Millisecond, st.FarJitter)
	require.Positive(t, st.MOSIn)
	require.Positive(t, st.MOSOut)
	require.InDelta(t, min(st.MOSIn, st.MOSOut), st.MOS, 0)
	c.say([]byte{0x81, receiverReport, 0, 1, 0, 0, 0, 0}) // too short for what it says
	c.say(c.report(block{ssrc: ssrc, lost: 4, highest: 10}))
	eventually(t, s, func(st media.Stats) bool { return st.FarLost == 4 })
}

// reportsMuxed: where the far end offers it, reports go to and come from the port of RTP (RFC 5761), and are no RTP.
func reportsMuxed(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	s, err := open(t, newEngine).Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	require.Contains(t, p.Call(s, "a=rtcp-mux"), "a=rtcp-mux\r\n")
	p.Send(frame)
	c := &control{t: t, phone: p}
	ours := c.until(func(packets map[byte][]byte) bool { return packets[senderReport] != nil })[senderReport]
	require.Equal(t, p.Next().SSRC, binary.BigEndian.Uint32(ours[4:]))
	c.say(c.report(block{ssrc: binary.BigEndian.Uint32(ours[4:]), lost: 5, highest: 9, lsr: binary.BigEndian.Uint32(ours[10:])}))
	eventually(t, s, func(st media.Stats) bool { return st.FarLost == 5 && st.RoundTrip > 0 })
	require.Zero(t, s.Stats().Dropped)
	require.Equal(t, uint64(1), s.Stats().PacketsIn)
}

// silentTold: nothing is heard for the time-out; then something is.
func silentTold(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	s, facts := told(t, within(t, newEngine, time.Second))
	p := NewPhone(t, media.PCMA)
	p.Call(s)
	p.Send(frame)
	require.Empty(t, untilFact(t, facts, media.FactSilent, func() {}))
	for _, f := range untilFact(t, facts, media.FactHeard, func() { p.Send(frame) }) {
		require.Equal(t, media.FactSilent, f, "again, after another time-out")
	}
}

// oneWayIn: we send, and nothing ever comes: the far end's address, or a firewall, is wrong. Then it is put right.
func oneWayIn(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	s, facts := told(t, within(t, newEngine, time.Second))
	p := NewPhone(t, media.PCMA)
	_, err := s.Offer()
	require.NoError(t, err)
	require.NoError(t, s.Accept(p.Describe()))
	require.Empty(t, untilFact(t, facts, media.FactOneWay, func() {}), "sooner than silence, which is true of it too")
	p.Next()
	p.Aim(s)
	for _, f := range untilFact(t, facts, media.FactHeard, func() { p.Send(frame) }) {
		require.Equal(t, media.FactSilent, f)
	}
}

// oneWayOut: the phone is heard, and reports that it hears nothing; then that it does.
func oneWayOut(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	s, facts := told(t, within(t, newEngine, time.Minute))
	p := NewPhone(t, media.PCMA)
	c := newControl(t, p)
	p.Call(s, c.line())
	c.aim(s)
	require.Empty(t, untilFact(t, facts, media.FactOneWay, func() {
		p.Send(frame)
		c.say(c.report())
	}))
	heard := block{ssrc: p.Next().SSRC}
	require.Empty(t, untilFact(t, facts, media.FactHeard, func() {
		p.Send(frame)
		heard.highest++
		c.say(c.report(heard))
	}))
}

// heldNotTold: of a stream that is held, either way, nothing is told; nor of one that nothing is sent on yet.
func heldNotTold(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	e := within(t, newEngine, time.Second)
	var quiet []<-chan media.Fact
	for _, direction := range []string{"a=sendonly", "a=recvonly", "a=inactive"} {
		s, facts := told(t, e)
		p := NewPhone(t, media.PCMA)
		p.Call(s, direction)
		playing := start(t.Context(), s, loop(500))
		t.Cleanup(func() { require.ErrorIs(t, wait(t, playing), context.Canceled) }) // with the test's context
		quiet = append(quiet, facts)
	}
	ringing, facts := told(t, e)
	NewPhone(t, media.PCMA).Call(ringing)
	quiet = append(quiet, facts)

	s, facts := told(t, e) // begun after them: it is told of twice, so they would have been once
	p := NewPhone(t, media.PCMA)
	p.Call(s)
	p.Send(frame)
	for range 2 {
		untilFact(t, facts, media.FactSilent, func() {})
	}
	for i, facts := range quiet {
		require.Empty(t, facts, "%d", i)
	}
}

// goodbye: a stream that closes says so (RFC 3550 section 6.6).
func goodbye(t *testing.T, newEngine Make) {
	t.Helper()
	t.Parallel()
	s, err := open(t, newEngine).Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	c := newControl(t, p)
	p.Call(s, c.line())
	p.Send(frame)
	ssrc := p.Next().SSRC
	require.NoError(t, s.Close())
	packets := c.until(func(packets map[byte][]byte) bool { return packets[farewell] != nil })
	require.Equal(t, rtcp(1, farewell, ssrc), packets[farewell])
	require.Equal(t, ssrc, binary.BigEndian.Uint32(packets[senderReport][4:]), "behind a report (section 6.1)")
}
