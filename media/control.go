package media

import (
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// muxed reports whether a datagram of the RTP port is RTCP.
func (l *line) muxed(b []byte) bool {
	return l.in.agreed != nil && l.in.agreed.mux && looksLikeControl(b)
}

// control takes one datagram of RTCP, of its own port or of RTP's. From whom nothing vouches for, or if it is no RTCP,
// it changes nothing.
func (l *line) control(b []byte, from netip.AddrPort, now time.Time) {
	if !l.in.vouches(from) {
		return
	}
	b, what := l.in.secure.rtcp(b)
	if what != authentic {
		l.in.stats.refused(what)
		return
	}
	if c, ok := readControl(b, l.out.ssrc); ok {
		l.monitor.control(c, from, l.out.packets, now)
	}
}

// vouches reports whether RTCP from an address is the far end's: it is the one in the SDP, or of the host that RTP is
// locked to, whose NAT may give RTCP any port; before RTP came, of a host that RTP would be taken from at once.
func (r *receiver) vouches(from netip.AddrPort) bool {
	switch {
	case r.agreed == nil:
		return false
	case from == r.agreed.rtcp:
		return true
	case r.source.locked.IsValid():
		return from.Addr() == r.source.locked.Addr()
	}
	return from.Addr() == r.source.described.Addr() || r.source.trust(from) > 0
}

// report sends a report, if there is anything to say and somebody to say it to.
func (l *line) report(now time.Time) { l.speak(now, nil) }

// goodbye tells the far end that we leave (RFC 3550 section 6.6), at once, as few as are in a call may (section
// 6.3.7). Who has sent neither RTP nor RTCP must not.
func (l *line) goodbye() {
	if l.out.packets > 0 || l.monitor.reports > 0 {
		l.speak(time.Now(), &rtcp.Goodbye{Sources: []uint32{l.out.ssrc}})
	}
}

// speak sends a compound packet (RFC 3550 section 6.1): a report, who we are, and last, if at all, that we leave.
func (l *line) speak(now time.Time, bye *rtcp.Goodbye) {
	to, ok := l.reportTo()
	if !ok {
		return
	}
	var blocks []rtcp.ReceptionReport
	if received, ok := l.in.report(); ok {
		received.LastSenderReport, received.Delay = l.monitor.far.since(received.SSRC, now)
		blocks = append(blocks, received)
	}
	sends := l.monitor.sends(l.out.packets)
	if !sends && blocks == nil && l.monitor.reports == 0 {
		return // nothing has come, and nothing gone
	}
	// A name that says nothing of us (RFC 7022 section 4.2), as every report must have one.
	packets := []rtcp.Packet{nil, rtcp.NewCNAMESourceDescription(l.out.ssrc, l.name)}
	if sends {
		r := l.out.report(now)
		r.Reports, packets[0] = blocks, &r
		l.monitor.far.reported(r.NTPTime, now)
	} else {
		packets[0] = &rtcp.ReceiverReport{SSRC: l.out.ssrc, Reports: blocks}
	}
	if bye != nil {
		packets = append(packets, bye)
	}
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return // a report less; the next has other figures
	}
	if b, ok = l.out.agreed.secure.sealReport(b); !ok {
		return
	}
	l.monitor.spoke(l.out.packets)
	if len(l.captured) > 0 {
		l.said(b, to, !l.out.agreed.mux)
	}
	if l.out.agreed.mux {
		l.sockets.send(b, to)
	} else {
		l.sockets.report(b, to)
	}
}

// reportTo is where the far end's RTCP is to be sent: where RTP goes, if they share a port; else where the SDP says
// (RFC 3605). A far end behind NAT has an address in its SDP that leads nowhere: its RTP then comes from another, and
// RTCP goes to where its own comes from (RFC 4961).
func (l *line) reportTo() (to netip.AddrPort, ok bool) {
	a := l.out.agreed
	if a == nil {
		return to, false
	}
	to = a.rtcp
	if locked := l.in.source.locked; locked.IsValid() && locked != a.remote && l.monitor.far.from.IsValid() {
		to = l.monitor.far.from
	}
	if a.mux {
		to = l.out.target
	}
	return to, to.Port() != 0 && !to.Addr().IsUnspecified()
}

// judge looks once a second at whether the line is heard as it should be, and has told what it finds. passed is how many
// turns of the wheel there were since it was called last, this one included.
func (l *line) judge(now time.Time, passed int) {
	if l.monitor.untilJudged -= passed; l.monitor.untilJudged > 0 {
		return
	}
	l.monitor.untilJudged = judgeEvery
	silent := l.monitor.watch.isSilent()
	fact := l.monitor.look(l.in, l.out.packets, now)
	if fact == 0 {
		return
	}
	s := l.stream
	if fact == FactOneWay || fact == FactSilent && !silent {
		s.core.metrics.quality.faults.WithLabelValues(fact.String()).Inc()
	}
	if s.onFact != nil {
		s.core.teller.tell(s, func() { s.tellFact(fact) })
	}
}

// tellFact tells of a fact, unless the stream was closed meanwhile. Called by the teller.
func (s *stream) tellFact(f Fact) {
	defer s.contain("media: fact")
	if !s.hungUp.Load() {
		s.onFact(f)
	}
}

// verdict on what came and went until now.
func (l *line) verdict() verdict { return l.monitor.verdict(&l.in.sequence) }
