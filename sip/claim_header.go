package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hotline/call"
)

// Headers that only nodes of one site write to each other. From anybody else they are worth nothing: an edge takes them off
// what it passes on, in both directions.
const (
	nodeHeaders = "hotline-"
	// headerClaim is on an INVITE to another node's phone: the claim by which it is made.
	headerClaim = "Hotline-Claim"
	// headerLeg is on a request in the dialog of a leg that went through a node which has died: whose leg it is.
	headerLeg = "Hotline-Leg"
	// headerHighest is on an edge's 486: the highest token that the gate has seen.
	headerHighest = "Hotline-Highest"
	// headerRefused is on an edge's refusal of what it does not believe, or cannot bring to the phone: why.
	headerRefused = "Hotline-Refused"
	// headerSource is on responses of a phone: the address that it is at, which its audio may come from as well.
	headerSource = "Hotline-Source"
)

// withinMost is the longest that an INVITE may say to be good for.
const withinMost = 30 * time.Second

// claimHeader is the value of a Hotline-Claim header, and what it is bound to:
//
//	Hotline-Claim: 7.12;edge=A.1;owner=B.1;agent=8001;call=C;within=3000;mac=…
//
// The token first, then the nodes, the agent and the hotline's call (percent-encoded), then for how many milliseconds from
// when it was sent the INVITE may reach the phone: the nodes' clocks need not agree. The MAC, of 32 octets in hex, is
// HMAC-SHA256 by the nodes' common secret over these and over the INVITE's Call-ID, From tag, CSeq number, and the address of
// the node that sent it, so that no claim can be used for another INVITE or from elsewhere. The Request-URI is not in it: an
// edge rings nobody but the agent's phone, whatever it says.
type claimHeader struct {
	token       call.Token
	edge, owner call.NodeID
	agent, call string
	within      time.Duration // whole milliseconds, above 0, at most withinMost

	dialog, tag string // Call-ID and From tag
	seq         uint32
	sentBy      string // host:port in the owner's Via
}

func (h *claimHeader) fields() string {
	return fmt.Sprintf("%s;edge=%s;owner=%s;agent=%s;call=%s;within=%d", h.token, url.QueryEscape(string(h.edge)),
		url.QueryEscape(string(h.owner)), url.QueryEscape(h.agent), url.QueryEscape(h.call), h.within.Milliseconds())
}

func (h *claimHeader) mac(secret []byte) []byte {
	return macOf(secret, "hotline claim 2", h.fields(), h.dialog, h.tag, strconv.FormatUint(uint64(h.seq), 10), h.sentBy)
}

// String is the header's value under a secret.
func (h *claimHeader) signed(secret []byte) string {
	return h.fields() + ";mac=" + hex.EncodeToString(h.mac(secret))
}

// Errors of a claim that is not to be believed.
var (
	errClaimForm = errors.New("sip: malformed claim")
	errClaimMAC  = errors.New("sip: claim with a wrong MAC: have all nodes the same secret?")
)

// read takes a header's value, of an INVITE whose part of h is there. Nothing of it is believed before its MAC. Errors:
// errClaimForm, errClaimMAC.
func (h *claimHeader) read(value string, secret []byte) error {
	fields, sum, token, values, err := signedFields(value, "edge=", "owner=", "agent=", "call=", "within=")
	if err != nil {
		return err
	}
	ms, err := strconv.ParseInt(values[4], 10, 32)
	if err != nil || ms <= 0 || ms > withinMost.Milliseconds() {
		return errClaimForm
	}
	h.token, h.edge, h.owner, h.agent, h.call = token, call.NodeID(values[0]), call.NodeID(values[1]), values[2], values[3]
	h.within = time.Duration(ms) * time.Millisecond
	return believed(fields, h.fields(), sum, h.mac(secret))
}

// signedFields takes the value of a header of the nodes' apart: a token, values of these names in this order
// (percent-encoded), and a MAC over all of them. Errors: errClaimForm.
func signedFields(value string, names ...string) (fields string, sum []byte, token call.Token, values []string, err error) {
	fields, mac, ok := strings.Cut(value, ";mac=")
	sum, err = hex.DecodeString(mac)
	const longest = 1 << 10
	parts := strings.Split(fields, ";")
	if !ok || err != nil || len(sum) != sha256.Size || len(fields) > longest || len(parts) != len(names)+1 {
		return "", nil, call.Token{}, nil, errClaimForm
	}
	values = make([]string, len(names))
	for i, name := range names {
		escaped, named := strings.CutPrefix(parts[i+1], name)
		if values[i], err = url.QueryUnescape(escaped); !named || err != nil {
			return "", nil, call.Token{}, nil, errClaimForm
		}
	}
	if token, err = call.ParseToken(parts[0]); err != nil {
		return "", nil, call.Token{}, nil, errClaimForm
	}
	return fields, sum, token, values, nil
}

// believed compares what was read with the one way to write it, and the MAC.
func believed(fields, again string, sum, mac []byte) error {
	if fields != again {
		return errClaimForm
	}
	if !hmac.Equal(sum, mac) {
		return errClaimMAC
	}
	return nil
}

// macOf is HMAC-SHA256 over parts, none of which has a line end in it.
func macOf(secret []byte, parts ...string) []byte {
	m := hmac.New(sha256.New, secret)
	for _, s := range parts {
		m.Write([]byte(s + "\n"))
	}
	return m.Sum(nil)
}
