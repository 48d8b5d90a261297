package call

import (
	"net/netip"
	"time"
)

// WireMessage is one SIP message, head and body, as it crossed a socket, but for its secrets: the values of
// Authorization and Proxy-Authorization (RFC 3261 sections 20.7, 20.28) say "(hidden)", and keys of audio
// (RFC 4568 section 4, RFC 8866 section 5.12) are asterisks, as many as they had octets. Numbers are as they
// were, see MaskMessage.
type WireMessage struct {
	// At is when it was read, or given to the socket.
	At time.Time
	// Received: it came from Remote, and did not go there.
	Received      bool
	Transport     string // as in a Via (RFC 3261 section 20.42), such as UDP
	Local, Remote netip.AddrPort
	// CallID is the SIP Call-ID; empty where there is none to be read.
	CallID string
	// Call is the id of the call that it belongs to, as far as that was known then; an INVITE that comes in belongs
	// to none yet.
	Call string
	// Party is who is at the other end, as far as that was known then: the id of an agent if Agent says so, else a number.
	Party string
	Agent bool
	// Data is the message; whoever is given it may keep it, and must not change it.
	Data []byte
}
