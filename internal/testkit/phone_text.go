package testkit

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
)

// newToken makes a Call-ID, a tag or the end of a branch.
func newToken() string { return rand.Text() }

// outgoing is a request of the phone's, to be written.
type outgoing struct {
	method   sipmsg.RequestMethod
	uri      string
	from, to string // with tags
	callID   string
	seq      uint32
	branch   string
	headers  []string // whole lines, without their ends
	body     string   // SDP, unless kind says otherwise
	kind     string   // the body's Content-Type
}

// text writes a request (RFC 3261 section 8.1.1).
func (p *Phone) text(r outgoing) []byte {
	lines := []string{
		fmt.Sprintf("%s %s SIP/2.0", r.method, r.uri),
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=%s;rport", p.self, r.branch),
		"Max-Forwards: 70",
		"From: " + r.from, "To: " + r.to, "Call-ID: " + r.callID,
		fmt.Sprintf("CSeq: %d %s", r.seq, r.method),
	}
	if r.method != sipmsg.ACK && r.method != sipmsg.CANCEL {
		lines = append(lines, p.contact())
	}
	if r.kind != "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(r.body)), "Content-Type: "+r.kind)
		return []byte(strings.Join(append(lines, r.headers...), "\r\n") + "\r\n\r\n" + r.body)
	}
	return withBody(append(lines, r.headers...), r.body)
}

// response writes a response to a request (RFC 3261 section 8.2.6). tag is ours.
func (p *Phone) response(req *sipmsg.Request, code int, tag, body string, headers ...string) []byte {
	lines := []string{fmt.Sprintf("SIP/2.0 %d %s", code, "Test")}
	for _, h := range req.GetHeaders("via") {
		lines = append(lines, "Via: "+h.Value())
	}
	to := req.To().Value()
	if !req.To().Params.Has("tag") && code > 100 {
		to += ";tag=" + tag
	}
	lines = append(lines, "From: "+req.From().Value(), "To: "+to, "Call-ID: "+req.CallID().Value(),
		"CSeq: "+req.CSeq().Value())
	for _, h := range req.GetHeaders("record-route") {
		lines = append(lines, "Record-Route: "+h.Value())
	}
	if code > 100 && code < 300 {
		lines = append(lines, p.contact())
	}
	return withBody(append(lines, headers...), body)
}

// allow is what the phone serves.
func (p *Phone) allow() string {
	const always = "Allow: INVITE, ACK, CANCEL, BYE, PRACK, NOTIFY, OPTIONS"
	if p.o.Updates {
		return always + ", UPDATE"
	}
	return always
}

// session is the session timer, refreshed by the hotline, which is the UAC or the UAS (RFC 4028 section 4).
func (p *Phone) session(refresher string) string {
	return fmt.Sprintf("Session-Expires: %d;refresher=%s", p.o.Session/time.Second, refresher)
}

// timed are the headers of a 2xx to an INVITE or UPDATE of the hotline's: what the phone serves, and the
// session timer if both know of one.
func (p *Phone) timed(req *sipmsg.Request) []string {
	headers := []string{p.allow()}
	if p.o.Session > 0 && requires(req, "supported", "timer") {
		headers = append(headers, "Require: timer", p.session("uac"))
	}
	return headers
}

// contact is where the phone is reached.
func (p *Phone) contact() string { return fmt.Sprintf("Contact: <sip:%s@%s>", p.o.User, p.self) }

// withBody ends a message; a body is SDP.
func withBody(lines []string, body string) []byte {
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n" + body)
}

// The directions of a stream (RFC 3264 section 5.1).
const (
	sendRecv = "sendrecv"
	sendOnly = "sendonly"
	recvOnly = "recvonly"
	inactive = "inactive"
)

// sdp is an offer or answer of G.711 A-law. version grows with each of a call.
func (p *Phone) sdp(version int, direction string) string {
	return strings.Join([]string{
		"v=0", fmt.Sprintf("o=- 1 %d IN IP4 %s", version, p.o.Host), "s=-", "c=IN IP4 " + p.o.Host, "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %d", addrOf(p.audio[0]).Port(), payloadALaw),
		"a=rtpmap:8 PCMA/8000", "a=ptime:20", "a=" + direction, "",
	}, "\r\n")
}

// directionOf reads the direction that a body offers.
func directionOf(body []byte) string {
	for line := range strings.Lines(string(body)) {
		switch d := strings.TrimPrefix(strings.TrimSpace(line), "a="); d {
		case sendOnly, recvOnly, inactive:
			return d
		}
	}
	return sendRecv
}

// mirrored is the direction of the answer to an offer (RFC 3264 section 6.1).
func mirrored(offered string) string {
	switch offered {
	case sendOnly:
		return recvOnly
	case recvOnly:
		return sendOnly
	default:
		return offered
	}
}
