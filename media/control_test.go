package media

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// wire is a line's sockets, that keep what is sent.
type wire struct {
	voice, reports []message
}

type message struct {
	b  []byte
	to netip.AddrPort
}

func (w *wire) send(b []byte, to netip.AddrPort) bool {
	w.voice = append(w.voice, message{append([]byte(nil), b...), to})
	return true
}

func (w *wire) report(b []byte, to netip.AddrPort) {
	w.reports = append(w.reports, message{append([]byte(nil), b...), to})
}

func (w *wire) close() error { return nil }

// lined makes a line that has agreed on PCMA with anywhere.
func lined(a agreement) (*line, *wire) {
	w := &wire{}
	l := newLine(&stream{core: &core{}}, StreamOptions{})
	l.sockets, l.tally, l.name = w, &tally{}, "us"
	a.codec, a.audio, a.remote, a.send, a.sends = PCMA, 8, anywhere, true, true
	a.receive[8] = payloadPCMA
	l.agree(&a, epoch)
	return l, w
}

var theirControl = netip.AddrPortFrom(anywhere.Addr(), anywhere.Port()+1)

func (l *line) heardOf(t *testing.T, number uint16, from netip.AddrPort) {
	t.Helper()
	l.datagram(&workbench{}, datagram(8, number, 160*uint32(number), make([]byte, frameSamples)), from, epoch)
	require.Equal(t, from, l.in.source.locked)
}

// RFC 3550 sections 6.1 and 6.4: each is a compound packet of a report, a sender's while we send, and of our name.
func TestReportsOfBothKinds(t *testing.T) {
	l, w := lined(agreement{rtcp: theirControl})
	l.report(epoch)
	require.Empty(t, w.reports, "nothing has come, and nothing gone")

	frame := make([]byte, frameSamples)
	kinds := func() (kinds []rtcp.PacketType) {
		require.NotEmpty(t, w.reports)
		last := w.reports[len(w.reports)-1]
		require.Equal(t, theirControl, last.to)
		packets, err := rtcp.Unmarshal(last.b)
		require.NoError(t, err)
		require.NoError(t, rtcp.CompoundPacket(packets).Validate())
		for b := last.b; len(b) > 0; b = b[4+4*(int(b[2])<<8|int(b[3])):] {
			kinds = append(kinds, rtcp.PacketType(b[1]))
		}
		return kinds
	}
	l.out.frame(epoch, frame, true)
	l.report(epoch)
	require.Equal(t, []rtcp.PacketType{rtcp.TypeSenderReport, rtcp.TypeSourceDescription}, kinds())
	l.report(epoch)
	require.Equal(t, rtcp.TypeSenderReport, kinds()[0], "sent since the last report but one")
	l.report(epoch)
	require.Equal(t, []rtcp.PacketType{rtcp.TypeReceiverReport, rtcp.TypeSourceDescription}, kinds())
	l.out.frame(epoch, frame, true)
	l.report(epoch)
	require.Equal(t, rtcp.TypeSenderReport, kinds()[0])

	require.NoError(t, l.shut())
	require.Equal(t, []rtcp.PacketType{rtcp.TypeSenderReport, rtcp.TypeSourceDescription, rtcp.TypeGoodbye}, kinds(),
		"section 6.6")
	require.Len(t, w.reports, 5)
}

// One that only receives reports so, with when it was last reported to (RFC 3550 section 6.4.2).
func TestReceiverReport(t *testing.T) {
	l, w := lined(agreement{rtcp: theirControl})
	l.heardOf(t, 1, anywhere)
	ssrc := l.in.sequence.ssrc
	l.control(words(0x80, 200, ssrc, 0x1111ABCD, 0xEF012222, 0, 1, 160), theirControl, epoch)
	l.report(epoch.Add(time.Second))
	require.Len(t, w.reports, 1)
	packets, err := rtcp.Unmarshal(w.reports[0].b)
	require.NoError(t, err)
	require.Equal(t, []rtcp.ReceptionReport{{
		SSRC: ssrc, LastSequenceNumber: 1, LastSenderReport: 0xABCDEF01, Delay: 65536,
	}}, packets[0].(*rtcp.ReceiverReport).Reports)
}

// RFC 3550 section 6.3.7: who has sent neither RTP nor RTCP does not say goodbye.
func TestNoGoodbyeFromTheSilent(t *testing.T) {
	l, w := lined(agreement{rtcp: theirControl})
	l.heardOf(t, 1, anywhere)
	require.NoError(t, l.shut())
	require.Empty(t, w.reports)
}

// Where reports go: to the address in the SDP; to RTP's, if they share it; behind NAT, to where the far end's come from.
func TestReportTo(t *testing.T) {
	nat := netip.MustParseAddrPort("203.0.113.5:61000")
	natControl := netip.AddrPortFrom(nat.Addr(), 62000)
	empty := words(0x80, 201, theirSSRC)

	l, _ := lined(agreement{rtcp: theirControl})
	to, ok := l.reportTo()
	require.True(t, ok)
	require.Equal(t, theirControl, to)
	l.heardOf(t, 1, anywhere)
	l.control(empty, netip.AddrPortFrom(anywhere.Addr(), 9), epoch)
	to, _ = l.reportTo()
	require.Equal(t, theirControl, to, "RTP comes from the address in the SDP, which is good")

	l, _ = lined(agreement{rtcp: theirControl})
	l.in.source.signalling = nat.Addr()
	l.heardOf(t, 1, nat)
	to, _ = l.reportTo()
	require.Equal(t, theirControl, to, "none came yet")
	l.control(empty, natControl, epoch)
	to, _ = l.reportTo()
	require.Equal(t, natControl, to)

	l, w := lined(agreement{rtcp: anywhere, mux: true})
	l.in.source.signalling = nat.Addr()
	l.heardOf(t, 1, nat)
	l.report(epoch)
	require.Empty(t, w.reports)
	require.Len(t, w.voice, 1)
	require.Equal(t, nat, w.voice[0].to)

	for _, none := range []agreement{{}, {rtcp: netip.MustParseAddrPort("0.0.0.0:4001")}} {
		l, _ = lined(none)
		_, ok = l.reportTo()
		require.False(t, ok)
	}
	l.out.agreed = nil
	_, ok = l.reportTo()
	require.False(t, ok)
}

// Whose reports count, before and after RTP has locked its source.
func TestControlIsVouchedFor(t *testing.T) {
	stranger := netip.MustParseAddrPort("203.0.113.9:4001")
	signalling := netip.MustParseAddr("203.0.113.77")
	named := netip.MustParseAddrPort("198.51.100.9:5000")
	for _, c := range []struct {
		name         string
		locked, from netip.AddrPort
		counts       bool
	}{
		{"named in the SDP", netip.AddrPort{}, named, true},
		{"named in the SDP, RTP locked", anywhere, named, true},
		{"of the SDP's host", netip.AddrPort{}, theirControl, true},
		{"of the host of the signalling", netip.AddrPort{}, netip.AddrPortFrom(signalling, 9), true},
		{"of nobody's", netip.AddrPort{}, stranger, false},
		{"of the locked host", netip.AddrPortFrom(signalling, 7), netip.AddrPortFrom(signalling, 8), true},
		{"of the SDP's host, which is not the locked one", netip.AddrPortFrom(signalling, 7), theirControl, false},
		{"of nobody's, RTP locked", anywhere, stranger, false},
	} {
		l, _ := lined(agreement{rtcp: named})
		l.in.source.signalling = signalling
		if c.locked.IsValid() {
			l.heardOf(t, 1, c.locked)
		}
		before := l.monitor
		l.control(words(0x81, 201, theirSSRC, l.out.ssrc, 5, 1, 0, 0, 0), c.from, epoch)
		require.Equal(t, c.counts, l.monitor.far.known, c.name)
		if !c.counts {
			require.Equal(t, before, l.monitor, c.name)
		}
	}
	l := newLine(&stream{core: &core{}}, StreamOptions{})
	l.control(words(0x80, 201, theirSSRC), anywhere, epoch)
	require.False(t, l.monitor.far.from.IsValid(), "nothing is agreed")
}

// RTCP on the port of RTP is taken for what it is if that was agreed, and for rubbish else.
func TestControlOnTheVoicePort(t *testing.T) {
	for _, mux := range []bool{true, false} {
		l, _ := lined(agreement{rtcp: anywhere, mux: mux})
		l.datagram(&workbench{}, words(0x81, 201, theirSSRC, l.out.ssrc, 5, 1, 0, 0, 0), anywhere, epoch)
		require.Equal(t, mux, l.monitor.far.known)
		require.Equal(t, map[bool]uint64{true: 0, false: 1}[mux], l.snapshot().Dropped)
	}
}

// What Stats say of quality: both directions by the E-model, and the worse of them.
func TestVerdict(t *testing.T) {
	l, _ := lined(agreement{rtcp: theirControl})
	require.Zero(t, l.snapshot().MOS)
	for number := range uint16(leastJudged - 1) {
		l.heardOf(t, number, anywhere)
	}
	require.Zero(t, l.snapshot().MOS, "less than a second")
	l.heardOf(t, leastJudged, anywhere) // one is lost
	s := l.snapshot()
	require.InDelta(t, opinion(1./51, 0, s.Jitter), s.MOSIn, 1e-9)
	require.InDelta(t, s.MOSIn, s.MOS, 0)
	require.Zero(t, s.MOSOut)

	for range 100 {
		l.out.frame(epoch, make([]byte, frameSamples), true)
	}
	l.control(words(0x81, 201, theirSSRC, l.out.ssrc, 10, 1, 160, 0, 0), theirControl, epoch)
	l.control(words(0x81, 201, theirSSRC, l.out.ssrc, 10, 2, 480, 0, 0), theirControl, epoch)
	s = l.snapshot()
	require.Equal(t, uint64(10), s.FarLost)
	require.Equal(t, 60*time.Millisecond, s.FarJitter)
	require.InDelta(t, opinion(0.1, 0, 40*time.Millisecond), s.MOSOut, 1e-9, "the mean of the jitter reported")
	require.InDelta(t, min(s.MOSIn, s.MOSOut), s.MOS, 0)

	l.control(words(0x81, 201, theirSSRC, l.out.ssrc, 0x7FFFFF, 3, 480, 0, 0), theirControl, epoch)
	require.InDelta(t, opinion(1, 0, 46666666*time.Nanosecond), l.snapshot().MOSOut, 1e-6, "it cannot lose more than all")
}

// Facts are told in order, and counted: silence when it begins, not each time it is told again.
func TestFactsAreToldAndCounted(t *testing.T) {
	m := newMetrics()
	facts := make(chan Fact, 8)
	teller := newTeller()
	l, _ := lined(agreement{rtcp: theirControl})
	l.stream.core.metrics, l.stream.core.teller = m, teller
	l.stream.onFact = func(f Fact) { facts <- f }
	l.monitor.watch = newWatch(2 * time.Second)
	l.monitor.watch.agree(true, time.Time{}, epoch)
	now := epoch
	look := func(seconds int, heard bool) {
		for range seconds {
			now = now.Add(time.Second)
			l.out.frame(now, make([]byte, frameSamples), true)
			if heard {
				l.in.source.heard = now
			}
			for range judgeEvery {
				l.judge(now, 1)
			}
		}
	}
	look(8, false)
	look(3, true)
	teller.end()
	close(facts)
	var told []Fact
	for f := range facts {
		told = append(told, f)
	}
	require.Equal(t, []Fact{FactOneWay, FactSilent, FactSilent, FactSilent, FactHeard}, told)
	for kind, n := range map[Fact]float64{FactOneWay: 1, FactSilent: 1} {
		require.InDelta(t, n, testutil.ToFloat64(m.quality.faults.WithLabelValues(kind.String())), 0, kind)
	}
}

// What a stream was like is observed when it closes, as far as it is known.
func TestQualityIsObserved(t *testing.T) {
	m := newQualityMetrics()
	m.observe(verdict{})
	require.Zero(t, testutil.CollectAndCount(m.score))
	m.observe(verdict{in: hearing{known: true, loss: 0.02, jitter: time.Millisecond, score: 4.2}})
	require.Equal(t, 1, testutil.CollectAndCount(m.score))
	m.observe(verdict{
		in: hearing{known: true, score: 4.4}, out: hearing{known: true, loss: 0.1, score: 3},
		roundTrip: 30 * time.Millisecond, timed: true,
	})
	require.NoError(t, testutil.CollectAndCompare(m.lossRatio, strings.NewReader(`
# HELP hotline_rtp_loss_ratio Share of the packets of streams that never came.
# TYPE hotline_rtp_loss_ratio histogram
hotline_rtp_loss_ratio_bucket{direction="in",le="0"} 1
hotline_rtp_loss_ratio_bucket{direction="in",le="0.001"} 1
hotline_rtp_loss_ratio_bucket{direction="in",le="0.005"} 1
hotline_rtp_loss_ratio_bucket{direction="in",le="0.01"} 1
hotline_rtp_loss_ratio_bucket{direction="in",le="0.02"} 2
hotline_rtp_loss_ratio_bucket{direction="in",le="0.05"} 2
hotline_rtp_loss_ratio_bucket{direction="in",le="0.1"} 2
hotline_rtp_loss_ratio_bucket{direction="in",le="0.2"} 2
hotline_rtp_loss_ratio_bucket{direction="in",le="+Inf"} 2
hotline_rtp_loss_ratio_sum{direction="in"} 0.02
hotline_rtp_loss_ratio_count{direction="in"} 2
hotline_rtp_loss_ratio_bucket{direction="out",le="0"} 0
hotline_rtp_loss_ratio_bucket{direction="out",le="0.001"} 0
hotline_rtp_loss_ratio_bucket{direction="out",le="0.005"} 0
hotline_rtp_loss_ratio_bucket{direction="out",le="0.01"} 0
hotline_rtp_loss_ratio_bucket{direction="out",le="0.02"} 0
hotline_rtp_loss_ratio_bucket{direction="out",le="0.05"} 0
hotline_rtp_loss_ratio_bucket{direction="out",le="0.1"} 1
hotline_rtp_loss_ratio_bucket{direction="out",le="0.2"} 1
hotline_rtp_loss_ratio_bucket{direction="out",le="+Inf"} 1
hotline_rtp_loss_ratio_sum{direction="out"} 0.1
hotline_rtp_loss_ratio_count{direction="out"} 1
`)))
	require.Equal(t, 1, testutil.CollectAndCount(m.roundTrip))
}
