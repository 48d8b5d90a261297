package sip

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"

	"hotline/call"
)

// legHeader is the value of a Hotline-Leg header, and what it is bound to:
//
//	Hotline-Leg: 7.12;owner=B.1;call=C;agent=8001;mac=…
//
// The claim's token, by which the leg began, and whose it is and at whose phone (percent-encoded). The MAC, of 32 octets in
// hex, is HMAC-SHA256 by the nodes' common secret over these and over the request's method, Call-ID, tags and CSeq
// number, and the address of the node that sent it, so that it is good for no other request and from nowhere else.
type legHeader struct {
	legOwner
	agent string

	method, dialog string // of the request, and its Call-ID
	from, to       string // tags
	seq            uint32
	sentBy         string // host:port in the owner's Via
}

// legOwner is whose a leg at another node's phone is.
type legOwner struct {
	Token call.Token  `json:"token"`
	Owner call.NodeID `json:"owner"`
	Call  string      `json:"call"`
}

func (h *legHeader) fields() string {
	return fmt.Sprintf("%s;owner=%s;call=%s;agent=%s", h.Token, url.QueryEscape(string(h.Owner)), url.QueryEscape(h.Call),
		url.QueryEscape(h.agent))
}

func (h *legHeader) mac(secret []byte) []byte {
	return macOf(secret, "hotline leg 1", h.fields(), h.method, h.dialog, h.from, h.to, strconv.FormatUint(uint64(h.seq), 10), h.sentBy)
}

// signed is the header's value under a secret.
func (h *legHeader) signed(secret []byte) string {
	return h.fields() + ";mac=" + hex.EncodeToString(h.mac(secret))
}

// read takes a header's value, of a request whose part of h is there. Nothing of it is believed before its MAC. Errors:
// errClaimForm, errClaimMAC.
func (h *legHeader) read(value string, secret []byte) error {
	fields, sum, token, values, err := signedFields(value, "owner=", "call=", "agent=")
	if err != nil {
		return err
	}
	h.Token, h.Owner, h.Call, h.agent = token, call.NodeID(values[0]), values[1], values[2]
	return believed(fields, h.fields(), sum, h.mac(secret))
}
