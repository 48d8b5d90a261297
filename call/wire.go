package call

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// WireMessage is one SIP message, head and body, as it crossed a socket, but for its secrets: the values of
// Authorization and Proxy-Authorization (RFC 3261 sections 20.7, 20.28) say "(hidden)", and keys of audio
// (RFC 4568 section 4, RFC 8866 section 5.12) are as many asterisks as they had octets, or letters A where base64
// is to stand. Numbers are as they were, see MaskMessage.
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

// Summary is the message as a ladder has it: its head, of no more than that many octets, and of its body the type and the
// length.
func (m *WireMessage) Summary(most int) SIPMessage {
	s := SIPMessage{
		At: m.At, Party: m.Party, Agent: m.Agent, Received: m.Received, Transport: m.Transport, Local: m.Local, Remote: m.Remote,
	}
	head, body, _ := bytes.Cut(m.Data, []byte("\r\n\r\n"))
	kind := ""
	if found := contentType.FindSubmatch(head); found != nil {
		kind = string(found[1])
	}
	if len(body) > 0 {
		s.Body = strings.ToValidUTF8(kind, "\uFFFD") + ", " + strconv.Itoa(len(body)) + " octets"
	}
	if len(head) > most {
		head = fmt.Appendf(head[:most:most], "(cut: %d octets in all)", len(head))
	}
	s.Head = strings.ToValidUTF8(strings.TrimRight(string(head), "\r\n"), "\uFFFD")
	return s
}

var contentType = regexp.MustCompile(`(?im)^(?:content-type|c)[ \t]*:[ \t]*([^\r\n]*)`)
