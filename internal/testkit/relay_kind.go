package testkit

import (
	"strconv"

	sipmsg "github.com/emiago/sipgo/sip"
)

// Kind is what a SIP message is to a Relay: the method of a request, or the status and the method of a
// response, as in "200 INVITE". An INVITE within a dialog is a re-INVITE, in its ACK and responses too.
type Kind string

// Kinds that are named often.
const (
	KindINVITE   Kind = "INVITE"
	KindReINVITE Kind = "re-INVITE"
	KindACK      Kind = "ACK"
	// KindRTP is any packet of audio (RFC 3550), which may pass a relay of its own; its copies are those that
	// have its SSRC and number.
	KindRTP Kind = "RTP"
)

// look tells what a datagram is, and which message it is a copy of. What is no SIP is of no kind. The
// caller holds r.mu.
func (r *Relay) look(way Way, data []byte) (kind Kind, id string) {
	if len(data) >= 12 && data[0]>>6 == 2 { // which no text begins with
		return KindRTP, string(data[2:4]) + string(data[8:12])
	}
	msg, err := sipmsg.NewParser().ParseSIP(data)
	if err != nil {
		return "", ""
	}
	req, isRequest := msg.(*sipmsg.Request)
	res, _ := msg.(*sipmsg.Response)
	seq := msg.CSeq()
	if seq == nil || msg.CallID() == nil {
		return "", ""
	}
	id = msg.CallID().Value()
	method := string(seq.MethodName)
	if seq.MethodName == sipmsg.INVITE || seq.MethodName == sipmsg.ACK {
		asked := way
		if !isRequest {
			asked = opposite(way)
		}
		key := string(asked) + id + strconv.FormatUint(uint64(seq.SeqNo), 10)
		if isRequest && req.IsInvite() && req.To() != nil && req.To().Params.Has("tag") {
			r.within[key] = struct{}{}
		}
		if _, is := r.within[key]; is && seq.MethodName == sipmsg.INVITE {
			method = string(KindReINVITE)
		} else if is {
			method = "ACK re-INVITE"
		}
	}
	id += " " + strconv.FormatUint(uint64(seq.SeqNo), 10) + " " + method
	if isRequest {
		return Kind(method), id
	}
	status := strconv.Itoa(res.StatusCode)
	return Kind(status + " " + method), id + " " + status
}

func opposite(way Way) Way {
	if way == ToHotline {
		return ToPhone
	}
	return ToHotline
}
