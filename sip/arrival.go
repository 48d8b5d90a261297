package sip

import (
	"net/netip"
	"slices"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// arrival is when a message was read. sipgo handles each message on a goroutine of its own, in any order
// and with any delay, so the instant is taken on the read loop and travels with the message, as a header:
// sipgo's messages have no other place for it. No peer can write one (it is known by its type), and nothing
// copies it into what is sent.
type arrival struct {
	sipmsg.Header // for the methods that sipgo keeps to itself
	at            time.Time
	// queued is how long it had waited in its socket by then, of a datagram; see UA.queued.
	queued time.Duration
	// tag is the one that our responses to a request outside any dialog bear, see UA.tagFor; else empty.
	tag string
	// transport is what it came by, as in source: sipgo knows of what carried it only.
	transport string
	// takes is as in source.
	takes netip.AddrPort
}

// arrivalName is in lower case, as sipgo compares names: another would be made so each time a header is looked for.
const arrivalName = "hotline-arrival"

// stamp notes on a message that it was read now. Only the goroutine that read it may.
func stamp(msg sipmsg.Message) *arrival {
	a := &arrival{Header: sipmsg.NewHeader(arrivalName, ""), at: time.Now()}
	msg.AppendHeader(a)
	return a
}

// arrivalOf is what was noted on a message; nil for one that was not read from a socket of ours.
func arrivalOf(msg withHeaders) *arrival {
	for _, h := range slices.Backward(headersOf(msg)) { // it is among the last
		if a, ok := h.(*arrival); ok {
			return a
		}
	}
	return nil
}

// cameAt is when a message came to us, read or not; now for one that was not read from a socket of ours. It is for measuring the
// load alone.
func cameAt(msg withHeaders) time.Time {
	if a := arrivalOf(msg); a != nil {
		return a.at.Add(-a.queued)
	}
	return time.Now()
}

// arrivedAt is when a message was read; now for one that was not read from a socket of ours.
func arrivedAt(msg withHeaders) time.Time {
	if a := arrivalOf(msg); a != nil {
		return a.at
	}
	return time.Now()
}
