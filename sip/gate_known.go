package sip

import (
	"net/netip"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// Who is known is not banned, and not held to what strangers may; but by UDP anybody can say that he is the trunk. What comes in
// the name of one host, is not INVITE and belongs to no call of ours has a bound far above what anybody needs who is at that host,
// so that a flood in its name does not take the processor from the calls. What is beyond is sent again by who meant it.

// knownRate is that bound. An exchange of 500 phones that come back with the power registers them all at once, by two requests
// each; a proxy of 10,000 phones that register each minute sends 170 and as many answers to challenges, and keeps a carrier
// pinged by one in ten seconds. All together: as many hosts as fill a processor's time twice.
func knownRate() rate { return rate{each: 500, eachBurst: 2000, all: 4000, allBurst: 8000} }

// overruns tells whether a datagram of somebody known is beyond what comes in the name of its host.
func (u *UA) overruns(o *outline, src netip.AddrPort, now time.Time) bool {
	m := o.method()
	if m == "" || m == sipmsg.INVITE || m == sipmsg.ACK || m == sipmsg.CANCEL && u.lives(o) {
		return false // responses, and what the admission of calls bounds
	}
	return !u.ofCall(o) && u.pace.pass(src.Addr(), now) != ""
}

// ofCall tells whether a request is of a call that is up, or that we ring. Which calls of other nodes pass by here is not looked up.
func (u *UA) ofCall(o *outline) bool {
	ours := tagIn(o.first[toKind])
	if ours == "" {
		return false
	}
	id := o.first[callIDKind]
	return u.site != nil || u.legs.has(id, ours, tagIn(o.first[fromKind]))
}

// idempotent tells whether a request that comes again may be answered anew, whoever sends it: nothing was done for it, and no call
// has it. Its transaction need not be kept for 64·T1, some kilobytes each, in a flood of such.
func (x *exchange) idempotent() bool {
	if x.req.IsInvite() || x.req.IsAck() {
		return false
	}
	code := int(x.code.Load())
	if code < statusMultipleChoices && (x.req.Method != sipmsg.OPTIONS || code < sipmsg.StatusOK) {
		return false
	}
	id, from := x.req.CallID(), x.req.From()
	return !x.inDialog || id == nil || from == nil || !x.ua.legs.has(id.Value(), x.localTag, from.Params.GetOr("tag", ""))
}
