package call

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// SIPMessage is one SIP message of a call as it was on the wire, without its body: who repairs a call from
// afar needs the headers, and the body may hold keys. Its secrets (credentials) are hidden before it is
// made; its numbers are not, see MaskLadder.
type SIPMessage struct {
	// At is when it was read, or given to the socket.
	At time.Time `json:"at"`
	// Party is who is at the other end: the id of an agent if Agent says so, else a number.
	Party string `json:"party"`
	Agent bool   `json:"agent,omitempty"`
	// Received: it came from the party, and did not go there.
	Received  bool           `json:"received"`
	Transport string         `json:"transport,omitempty"` // UDP or TCP
	Local     netip.AddrPort `json:"local,omitzero"`
	Remote    netip.AddrPort `json:"remote,omitzero"`
	// Head is the start line and the headers, each line ended by CRLF but the last.
	Head string `json:"head,omitempty"`
	// Body says what the body was, such as "application/sdp, 214 octets"; empty when there was none.
	Body string `json:"body,omitempty"`
	// Omitted is how many messages came after the last one that was kept; Head is then empty.
	Omitted int `json:"omitted,omitempty"`
}

// Ladders keeps the SIP messages of calls for a while. Package store.
type Ladders interface {
	// Trace queues messages of a call, to be kept beside those it has; it does not wait for the disk. The
	// slice is the keeper's from then on. They may come after the call's end.
	Trace(callID string, messages []SIPMessage)
}

// SortLadder puts messages into the order of the wire.
func SortLadder(messages []SIPMessage) {
	slices.SortStableFunc(messages, func(a, b SIPMessage) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Omitted, b.Omitted))
	})
}
