package sip

import (
	"bytes"
	"net"
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

const (
	// maxDatagram is the largest message read, in octets, over UDP or TCP. Far above any request of a phone, and
	// below sipgo's read buffer, so that a datagram that was cut is never taken for a whole one.
	maxDatagram = 16 << 10
	// answerMost is how far the headers of a message above maxDatagram are looked for, to answer it; as large as a datagram may be.
	answerMost = 64 << 10
	// maxUDPMessage is the largest message written to UDP, in octets: what no longer fits the path's MTU
	// is fragmented by IP rather than not sent at all, which is what sipgo does above its UDPMTUSize
	// (RFC 3261 section 18.1.1 wants TCP instead, which most phones behind UDP cannot be reached by).
	maxUDPMessage = 8 << 10
)

// admits decides about a datagram by what it looks like and where it comes from, and returns how much of data,
// from its start, is a message that sipgo's parser reads; 0 when there is none. What is not handed on is answered
// with the status that it is owed, or counted; so is what strangers send too much of.
func (u *UA) admits(conn net.PacketConn, src netip.AddrPort, data []byte) int {
	// Line ends may stand before a message (RFC 3261 section 7.5), and alone they keep a NAT's binding alive: RFC
	// 5626 section 3.5.1 has that for streams, phones send it here too. sipgo knows neither.
	message := bytes.TrimLeft(data, "\r\n")
	if len(message) == 0 || u.deaf.Load() || u.kept(conn, src, message) {
		return 0
	}
	known := u.known(src.Addr())
	if known {
		u.sentry.load.known.Add(1)
	} else {
		u.sentry.load.cost(strangeMessage)
		if why := u.shutOut(src.Addr()); why != "" && !u.expectsStart(message) {
			u.metrics.drop(why)
			return 0
		}
	}
	look := sketchBounded
	if known {
		look = sketchLarge
	}
	o := look(message)
	o.source = src
	if why := u.unwanted(o, src, known); why != "" {
		u.metrics.drop(why)
		return 0
	}
	if o.fault == (fault{}) {
		turned, gone := false, false
		if known {
			turned, gone = u.turnedAway(o, src, time.Now())
		}
		if gone {
			return 0
		}
		if !turned {
			return copy(data, message)
		}
	}
	u.refuseDatagram(conn, src, message, o)
	return 0
}

// unwanted tells why a datagram is dropped by what it is, or by how many there were; "" when it is not.
func (u *UA) unwanted(o *outline, src netip.AddrPort, known bool) (why string) {
	now := time.Now()
	switch {
	case o.fault.code == 0 && o.fault.why != "":
		return o.fault.why
	case known && u.overruns(o, src, now):
		return dropKnown
	case known || u.sentry.expects(o):
		return ""
	}
	if why = u.gate.pass(src.Addr(), now); why == "" {
		why = u.sentry.refuses(o, src.Addr(), false)
	}
	return why
}

// refuseDatagram is refuse for a datagram, of which o is the outline.
func (u *UA) refuseDatagram(conn net.PacketConn, src netip.AddrPort, message []byte, o *outline) {
	ours, _ := addrPortOf(conn.LocalAddr())
	u.ladder.passed(crossing{data: message, at: time.Now(), received: true, transport: transportUDP, local: ours, remote: src})
	u.refuse(o, func(answer []byte) (why string) {
		to := o.answerTo(src)
		if to.Port() == 0 {
			return dropNoVia
		}
		u.ladder.passed(crossing{data: answer, at: time.Now(), transport: transportUDP, local: ours, remote: to})
		_, err := conn.WriteTo(answer, net.UDPAddrFromAddrPort(to))
		return unsent(err)
	})
}

// shutOut tells why a stranger's datagram is dropped whatever is in it; "" when it is to be looked at. A flood should cost
// little more than to take it from the socket. What is no message at all is dropped later, and takes nobody's share.
func (u *UA) shutOut(host netip.Addr) (why string) {
	now := time.Now()
	if u.sentry.shuts(host, now) {
		return dropBanned
	}
	return u.gate.spent(host, now)
}

// expectsStart is expects, by the first line of a message alone.
func (u *UA) expectsStart(message []byte) bool {
	line, _, _ := bytes.Cut(message, []byte("\n"))
	return bytes.HasPrefix(line, []byte(sipmsg.INVITE+" ")) && u.expects(&outline{start: string(line)})
}

// sketchBounded is sketch for as much of a message as is ever read.
func sketchBounded(data []byte) *outline { return sketchTo(data, maxDatagram) }

// sketchLarge is sketchBounded for what somebody sent who is known: of what is too large the headers are looked for as far as
// answerMost, so that it can be answered where a long one hides those that a response must repeat.
func sketchLarge(data []byte) *outline { return sketchTo(data, answerMost) }

func sketchTo(data []byte, most int) *outline {
	if len(data) <= maxDatagram {
		return sketch(string(data))
	}
	o := sketch(string(data[:min(len(data), most)]))
	if o.fault.why != dropNotSIP {
		o.fault = fault{sipmsg.StatusMessageTooLarge, dropTooBig}
	}
	return o
}

// addrPortOf reads a socket's address.
func addrPortOf(a net.Addr) (netip.AddrPort, bool) {
	if udp, ok := a.(*net.UDPAddr); ok {
		return unmap(udp.AddrPort()), true
	}
	ap, err := netip.ParseAddrPort(a.String())
	return unmap(ap), err == nil
}
