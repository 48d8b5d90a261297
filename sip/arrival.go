package sip

import (
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
}

const arrivalHeader = "Hotline-Arrival"

// stamp notes on a message that it was read now. Only the goroutine that read it may.
func stamp(msg sipmsg.Message) {
	msg.AppendHeader(&arrival{Header: sipmsg.NewHeader(arrivalHeader, ""), at: time.Now()})
}

// arrivedAt is when a message was read; now for one that was not read from a socket of ours.
func arrivedAt(msg sipmsg.Message) time.Time {
	for _, h := range msg.GetHeaders(arrivalHeader) {
		if a, ok := h.(*arrival); ok {
			return a.at
		}
	}
	return time.Now()
}
