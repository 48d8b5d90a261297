package mediatest

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"hotline/media"
)

func offerAnswer(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, err := e.Open(media.StreamOptions{Prefer: media.PCMU})
	require.NoError(t, err)
	b, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	require.Empty(t, a.Codec())
	require.False(t, a.Held())
	require.ErrorIs(t, a.Accept([]byte("v=0\r\n")), media.ErrBadSDP, "an answer to no offer")
	offer, err := a.Offer()
	require.NoError(t, err)
	require.Contains(t, string(offer), "RTP/AVP 0 8 101")
	require.Contains(t, string(offer), "a=sendrecv")
	require.Contains(t, string(offer), "a=ptime:20")
	answer, err := b.Answer(offer)
	require.NoError(t, err)
	require.NoError(t, a.Accept(answer))
	require.Equal(t, b.Codec(), a.Codec())
	require.NoError(t, b.Play(t.Context(), media.Tone(500, 100*time.Millisecond)))
	eventually(t, a, func(s media.Stats) bool { return s.PacketsIn >= 5 })
	again, err := a.Offer()
	require.NoError(t, err)
	require.NotEqual(t, offer, again, "the version rises")
}

func hold(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, p := stream(t, e, media.PCMA)
	playing := start(t.Context(), s, loop(1000))
	heard := p.Until(audible)
	require.Contains(t, p.Call(s, "a=sendonly"), "a=recvonly")
	require.True(t, s.Held())
	out := s.Stats().PacketsOut
	p.Send(media.Tone(500, media.FrameDuration).ALaw) // music of the one who holds
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 1 })
	require.Contains(t, p.Call(s, "a=inactive"), "a=inactive")
	require.True(t, s.Held())
	require.Contains(t, p.Call(s, "c=IN IP4 0.0.0.0"), "a=recvonly")
	require.True(t, s.Held())
	require.Equal(t, out, s.Stats().PacketsOut)
	require.Contains(t, p.Call(s, "a=recvonly"), "a=sendonly")
	require.False(t, s.Held())
	require.Contains(t, p.Call(s, "a=sendonly"), "a=recvonly")
	held := s.Stats().PacketsOut
	// Held from here on: what another stream plays meanwhile is the clock.
	other, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	require.NoError(t, other.Play(t.Context(), media.Tone(500, 100*time.Millisecond)))
	require.Equal(t, held, s.Stats().PacketsOut, "nothing is sent to who wants nothing")
	require.Contains(t, p.Call(s), "a=sendrecv")
	require.False(t, s.Held())
	off, err := s.Answer([]byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n"))
	require.NoError(t, err)
	require.Contains(t, string(off), "m=audio 0 RTP/AVP")
	require.True(t, s.Held())
	require.Contains(t, p.Call(s), "a=sendrecv")
	require.False(t, s.Held())
	p.Send(media.Tone(500, media.FrameDuration).ALaw)
	heard = append(heard, p.Take(10)...)
	requireOneStream(t, heard)
	require.NoError(t, s.Close())
	require.ErrorIs(t, wait(t, playing), media.ErrClosed, "it went on all the time")
}

// What the far end was told last can be offered again, to the letter; its answer is believed.
func current(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMU)
	told, err := s.Answer(p.Describe())
	require.NoError(t, err)
	require.Error(t, s.Accept(p.Describe()), "nothing was offered")
	for range 2 {
		again, err := s.Current()
		require.NoError(t, err)
		require.Equal(t, string(told), string(again))
	}
	require.NoError(t, s.Accept(p.Describe()))
	require.False(t, s.Held())
	require.Equal(t, media.PCMU, s.Codec())
	require.NoError(t, s.Play(t.Context(), media.Tone(500, 40*time.Millisecond)))
	reached(t, s, p)
	_, err = s.Current()
	require.NoError(t, err)
	require.NoError(t, s.Accept(p.Describe("a=inactive")))
	require.True(t, s.Held())
}

// What was proposed and not committed changes nothing, not even the version of our description.
func proposals(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	onHold := p.Describe("a=sendonly")
	first, _, err := s.Propose(onHold)
	require.NoError(t, err)
	require.Contains(t, string(first), "a=recvonly")
	require.False(t, s.Held())
	require.NoError(t, s.Play(t.Context(), media.Tone(500, 40*time.Millisecond)))
	reached(t, s, p)
	second, commit, err := s.Propose(onHold)
	require.NoError(t, err)
	require.Equal(t, first, second, "as if the first had never been")
	commit()
	require.True(t, s.Held())
	_, stale, err := s.Propose(p.Describe())
	require.NoError(t, err)
	_, err = s.Answer(onHold)
	require.NoError(t, err)
	stale()
	require.True(t, s.Held(), "a commit that was overtaken does nothing")
	_, _, err = s.Propose([]byte("hello"))
	require.ErrorIs(t, err, media.ErrBadSDP)
	require.True(t, s.Held())
}

func badDescriptions(t *testing.T, newEngine Make) {
	t.Helper()
	s, p := stream(t, open(t, newEngine), media.PCMA)
	for _, bad := range []string{"", "hello", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio\r\n"} {
		_, err := s.Answer([]byte(bad))
		require.ErrorIs(t, err, media.ErrBadSDP)
	}
	const head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	for _, other := range []string{
		head, head + "m=audio 4000 RTP/SAVP 8\r\n", head + "m=audio 4000 RTP/AVP 18\r\n",
		head + "m=video 4000 RTP/AVP 8\r\n", head + "m=audio 0 RTP/SAVP 8\r\n",
	} {
		_, err := s.Answer([]byte(other))
		require.ErrorIs(t, err, media.ErrNotAcceptable)
	}
	require.Equal(t, media.PCMA, s.Codec())
	require.NoError(t, s.Play(t.Context(), media.Tone(500, 40*time.Millisecond)))
	reached(t, s, p)
}

// resting leaves an engine some ports, which rest for so long.
func resting(ports media.PortRange, rest time.Duration) func(*media.Options) {
	return func(o *media.Options) { o.Ports, o.Rest = ports, rest }
}

func portsRest(t *testing.T, newEngine Make) {
	t.Helper()
	pair := freePorts(t, 2)
	e := open(t, newEngine, resting(pair, time.Hour))
	s, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	require.Equal(t, pair.Lo, s.Local().Port())
	_, err = e.Open(media.StreamOptions{})
	require.ErrorIs(t, err, media.ErrNoPorts)
	require.NoError(t, s.Close())
	_, err = e.Open(media.StreamOptions{})
	require.ErrorIs(t, err, media.ErrNoPorts, "it rests")

	e = open(t, newEngine, resting(freePorts(t, 2), 50*time.Millisecond))
	s, err = e.Open(media.StreamOptions{})
	require.NoError(t, err)
	closed := time.Now()
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool {
		s, err = e.Open(media.StreamOptions{})
		return err == nil
	}, patience, time.Millisecond)
	require.GreaterOrEqual(t, time.Since(closed), 50*time.Millisecond)
}

func portsTaken(t *testing.T, newEngine Make) {
	t.Helper()
	pairs := freePorts(t, 4)
	for _, port := range []uint16{pairs.Lo, pairs.Lo + 1} { // the RTP port, the RTCP port
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
		require.NoError(t, err)
		e := open(t, newEngine, resting(pairs, time.Millisecond))
		s, err := e.Open(media.StreamOptions{})
		require.NoError(t, err)
		require.Equal(t, pairs.Lo+2, s.Local().Port())
		_, err = e.Open(media.StreamOptions{})
		require.ErrorIs(t, err, media.ErrNoPorts)
		_, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(pairs.Hi)})
		require.Error(t, err, "the RTCP port is ours too")
		require.NoError(t, conn.Close())
		require.NoError(t, s.Close())
		require.NoError(t, e.Close())
	}
}

func closeAnyTime(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	var group sync.WaitGroup
	for range 10 {
		a, p := stream(t, e, media.PCMA)
		b, _ := stream(t, e, media.PCMU)
		p.Say(media.Tone(500, 100*time.Millisecond))
		for _, act := range []func(){
			func() { _ = a.Close() }, func() { _ = a.Close() }, func() { _ = b.Close() },
			func() { _ = b.Play(t.Context(), loop(500)) }, func() { _, _ = a.Answer(p.Describe()) },
			func() {
				if unbridge, err := e.Bridge(a, b, &ear{}); err == nil {
					unbridge()
				}
			},
			func() { _ = a.Stats() },
		} {
			group.Go(act)
		}
	}
	group.Wait()
	s, _ := stream(t, e, media.PCMA)
	playing := start(t.Context(), s, loop(500))
	for range 3 {
		group.Go(func() { _ = e.Close() })
	}
	group.Wait()
	require.ErrorIs(t, wait(t, playing), media.ErrClosed)
	_, err := e.Open(media.StreamOptions{})
	require.ErrorIs(t, err, media.ErrClosed)
	require.NoError(t, s.Close())
}

func reports(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, media.PCMA)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	p.Call(s, fmt.Sprintf("a=rtcp:%d", conn.LocalAddr().(*net.UDPAddr).Port))
	tone := media.Tone(700, media.FrameDuration).ALaw
	p.Send(tone)
	p.Sequence++ // one lost of three
	p.Send(tone)
	voice := p.Next()
	b := make([]byte, 1500)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*patience))) // one comes after some seconds of frames
	n, from, err := conn.ReadFromUDPAddrPort(b)
	require.NoError(t, err)
	require.Equal(t, s.Local().Port()+1, from.Port(), "from the port above RTP's")
	require.Greater(t, n, 52)
	// RFC 3550 section 6.4.1: version 2 with one report block, type 200.
	require.Equal(t, []byte{0x81, 200, 0, 12}, b[:4])
	require.Equal(t, voice.SSRC, binary.BigEndian.Uint32(b[4:]))
	require.InDelta(t, time.Now().Unix(), int64(binary.BigEndian.Uint32(b[8:]))-2_208_988_800, time.Minute.Seconds())
	require.NotZero(t, binary.BigEndian.Uint32(b[20:]), "packets sent")
	require.Equal(t, p.SSRC, binary.BigEndian.Uint32(b[28:]))
	require.Equal(t, byte(256/3), b[32], "the fraction lost")
	require.Equal(t, uint32(1), binary.BigEndian.Uint32(b[32:])&0xFFFFFF, "and how many")
	require.Equal(t, p.Sequence-1, uint16(binary.BigEndian.Uint32(b[36:])))
	require.Equal(t, byte(202), b[53], "and who we are (RFC 3550 section 6.5)")
}

func metrics(t *testing.T, newEngine Make) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	s, p := stream(t, open(t, newEngine, func(o *media.Options) { o.Registry = registry }), media.PCMA)
	tone := media.Tone(700, media.FrameDuration).ALaw
	p.Send(tone)
	p.Sequence += 2
	p.Send(tone)
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 2 })
	require.NoError(t, s.Close())
	found := map[string]float64{}
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetCounter() == nil {
				continue // histograms of quality: too little came to judge
			}
			name := []string{family.GetName()}
			for _, label := range m.GetLabel() {
				name = append(name, label.GetName()+"="+label.GetValue())
			}
			found[strings.Join(name, " ")] = m.GetCounter().GetValue()
		}
	}
	require.Equal(t, map[string]float64{
		"hotline_rtp_packets_total direction=in":  2,
		"hotline_rtp_packets_total direction=out": float64(s.Stats().PacketsOut),
		"hotline_rtp_lost_total":                  2,
		"hotline_rtp_faults_total kind=silent":    0,
		"hotline_rtp_faults_total kind=one-way":   0,
	}, found)
}
