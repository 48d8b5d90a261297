package chaos

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The methods.
const (
	invite   = "INVITE"
	ack      = "ACK"
	bye      = "BYE"
	cancel   = "CANCEL"
	register = "REGISTER"
)

// message is a SIP message (RFC 3261 section 7), as far as a telephone must know it.
type message struct {
	method, uri string // of a request, and the method of a response's CSeq
	status      int    // of a response; 0 for a request
	headers     []header
	body        string
}

type header struct{ name, value string }

// compact are the short names of headers (RFC 3261 section 7.3.3).
var compact = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type"}

var errGarbage = errors.New("no SIP message")

// parse reads one datagram.
func parse(data []byte) (*message, error) {
	head, body, ok := strings.Cut(string(data), "\r\n\r\n")
	if !ok {
		return nil, errGarbage
	}
	lines := strings.Split(head, "\r\n")
	m := &message{body: body}
	first := strings.SplitN(lines[0], " ", 3)
	if len(first) < 3 {
		return nil, errGarbage
	}
	if first[0] == "SIP/2.0" {
		status, err := strconv.Atoi(first[1])
		if err != nil {
			return nil, errGarbage
		}
		m.status = status
	} else {
		m.method, m.uri = first[0], first[1]
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, errGarbage
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if long := compact[name]; long != "" {
			name = long
		}
		m.headers = append(m.headers, header{name, strings.TrimSpace(value)})
	}
	if m.status > 0 {
		_, m.method, _ = strings.Cut(m.get("cseq"), " ")
	}
	if m.get("call-id") == "" || m.get("cseq") == "" || m.get("via") == "" || m.method == "" {
		return nil, errGarbage
	}
	return m, nil
}

// get is a header's first value.
func (m *message) get(name string) string {
	for _, h := range m.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// all are a header's values, in their order, each by itself.
func (m *message) all(name string) (values []string) {
	for _, h := range m.headers {
		if h.name == name {
			values = append(values, splitList(h.value)...)
		}
	}
	return values
}

// splitList splits at commas that are within neither <> nor quotes.
func splitList(s string) (parts []string) {
	begun, angle, quoted := 0, false, false
	for i, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			angle = c == '<'
		case c == ',' && !angle:
			parts = append(parts, strings.TrimSpace(s[begun:i]))
			begun = i + 1
		}
	}
	return append(parts, strings.TrimSpace(s[begun:]))
}

// seq is the CSeq's number.
func (m *message) seq() int {
	n, _, _ := strings.Cut(m.get("cseq"), " ")
	seq, _ := strconv.Atoi(n)
	return seq
}

// branch is that of the topmost Via.
func (m *message) branch() string {
	vias := m.all("via")
	if len(vias) == 0 {
		return ""
	}
	return param(vias[0], "branch")
}

// param is a parameter that stands after the address, such as a tag.
func param(value, name string) string {
	if i := strings.LastIndexByte(value, '>'); i >= 0 {
		value = value[i+1:]
	}
	for _, p := range strings.Split(value, ";")[1:] {
		if k, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(k), name) {
			return v
		}
	}
	return ""
}

// uriOf is the URI of a From, To, Contact, Route or Record-Route.
func uriOf(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}

// userOf is the part of a URI before the @.
func userOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	user, _, ok := strings.Cut(rest, "@")
	if !ok {
		return ""
	}
	return user
}

// hostOf is where a URI leads.
func hostOf(uri string) (netip.AddrPort, error) {
	_, rest, _ := strings.Cut(uri, ":")
	if _, after, ok := strings.Cut(rest, "@"); ok {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, ";")
	if !strings.Contains(rest, ":") {
		rest += ":5060"
	}
	return netip.ParseAddrPort(rest)
}

// text is the message as it is sent.
func (m *message) text() []byte {
	var b strings.Builder
	if m.status > 0 {
		fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", m.status, reasons[m.status])
	} else {
		fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", m.method, m.uri)
	}
	for _, h := range m.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	if m.body != "" {
		b.WriteString("content-type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "content-length: %d\r\n\r\n%s", len(m.body), m.body)
	return []byte(b.String())
}

var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 200: "OK", 405: "Method Not Allowed", 480: "Temporarily Unavailable", 481: "Call Does Not Exist",
	486: "Busy Here", 487: "Request Terminated", 603: "Decline",
}

// response is an answer to a request (RFC 3261 section 8.2.6), with a tag of ours.
func (m *message) response(status int, tag string, more ...header) *message {
	r := &message{status: status, method: m.method}
	for _, h := range m.headers {
		switch h.name {
		case "via", "from", "call-id", "cseq":
			r.headers = append(r.headers, h)
		case "record-route":
			if m.method == invite && status > 100 && status < 300 {
				r.headers = append(r.headers, h)
			}
		case "to":
			if status > 100 && param(h.value, "tag") == "" {
				h.value += ";tag=" + tag
			}
			r.headers = append(r.headers, h)
		}
	}
	r.headers = append(r.headers, more...)
	return r
}

// token is a new word for a tag, branch or Call-ID.
func token() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// credentials answers a challenge (RFC 2617 section 3.2.2, MD5, with qop auth where it is offered).
func credentials(challenge, user, password, method, uri string) string {
	fields := make(map[string]string)
	for _, part := range splitList(strings.TrimPrefix(challenge, "Digest ")) {
		k, v, _ := strings.Cut(part, "=")
		fields[strings.ToLower(strings.TrimSpace(k))] = strings.Trim(v, `"`)
	}
	hash := func(parts ...string) string {
		sum := md5.Sum([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(sum[:])
	}
	ha1, ha2 := hash(user, fields["realm"], password), hash(method, uri)
	said := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", algorithm=MD5`, user, fields["realm"], fields["nonce"], uri)
	if o := fields["opaque"]; o != "" {
		said += fmt.Sprintf(`, opaque="%s"`, o)
	}
	if fields["qop"] == "" {
		return said + fmt.Sprintf(`, response="%s"`, hash(ha1, fields["nonce"], ha2))
	}
	c := token()
	return said + fmt.Sprintf(`, qop=auth, nc=00000001, cnonce="%s", response="%s"`, c, hash(ha1, fields["nonce"], "00000001", c, "auth", ha2))
}

// sdp is an offer or answer of G.711 A-law and keys (RFC 4566, RFC 4733).
func sdp(at netip.AddrPort) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 8 101\r\n"+
		"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n", at.Addr(), at.Addr(), at.Port())
}

// audioOf is where a body wants audio; not valid when it says nothing of that.
func audioOf(body string) netip.AddrPort {
	var addr netip.Addr
	var port uint16
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			addr, _ = netip.ParseAddr(rest)
		}
		if rest, ok := strings.CutPrefix(line, "m=audio "); ok {
			n, _, _ := strings.Cut(rest, " ")
			p, _ := strconv.ParseUint(n, 10, 16)
			port = uint16(p)
		}
	}
	return netip.AddrPortFrom(addr, port)
}

func TestParse(t *testing.T) {
	m, err := parse([]byte("INVITE sip:8001@127.0.0.1:5062 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa, SIP/2.0/UDP 127.0.0.2;branch=b\r\n" +
		"f: \"Li, Hua\" <sip:13900000001@127.0.0.1;x=y>;tag=one\r\nTo: <sip:8001@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 7 INVITE\r\n" +
		"Record-Route: <sip:127.0.0.2:5070;lr>,<sip:127.0.0.3:5071;lr;m=a>\r\n\r\nv=0\r\nc=IN IP4 127.0.0.3\r\nm=audio 4242 RTP/AVP 8\r\n"))
	require.NoError(t, err)
	require.Equal(t, invite, m.method)
	require.Equal(t, 7, m.seq())
	require.Equal(t, "z9hG4bKa", m.branch())
	require.Len(t, m.all("via"), 2)
	require.Equal(t, "one", param(m.get("from"), "tag"))
	require.Equal(t, "13900000001", userOf(uriOf(m.get("from"))))
	routes := m.all("record-route")
	require.Equal(t, []string{"<sip:127.0.0.2:5070;lr>", "<sip:127.0.0.3:5071;lr;m=a>"}, routes)
	at, err := hostOf(uriOf(routes[1]))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.3:5071", at.String())
	require.Equal(t, "127.0.0.3:4242", audioOf(m.body).String())

	r, err := parse(m.response(180, "two", header{"contact", "<sip:8001@127.0.0.1:1>"}).text())
	require.NoError(t, err)
	require.Equal(t, 180, r.status)
	require.Equal(t, invite, r.method)
	require.Equal(t, "two", param(r.get("to"), "tag"))
	require.Len(t, r.all("via"), 2)
	require.Len(t, r.all("record-route"), 2)

	for _, garbage := range []string{"", "\r\n\r\n", "INVITE\r\n\r\n", "SIP/2.0 abc x\r\n\r\n", "INVITE a SIP/2.0\r\nno header\r\n\r\n"} {
		_, err := parse([]byte(garbage))
		require.Error(t, err, garbage)
	}
}

// TestCredentials: the example of RFC 2617 section 3.5, but for its own cnonce, so without qop.
func TestCredentials(t *testing.T) {
	said := credentials(`Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`,
		"Mufasa", "Circle Of Life", "GET", "/dir/index.html")
	require.Contains(t, said, `response="670fd8c2df070c60b045671b8b24ff02"`)
	require.Contains(t, said, `opaque="5ccc069c403ebaf9f0171e9517f40e41"`)
	require.Contains(t, credentials(`Digest realm="r", nonce="n", qop="auth"`, "u", "p", register, "sip:r"), "qop=auth, nc=00000001")
}
