package sip

import (
	"slices"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// packet is a message as a proxy sees it: its headers in order, of which it changes few, and all else as it came (RFC
// 3261 section 16.6). It is made of what [sketch] found nothing wrong with.
type packet struct {
	start   string
	headers []packetHeader
	body    string
}

// packetHeader is one value of a header; the values of Via, Route and Record-Route stand each in one of their own.
type packetHeader struct {
	key   string // the name in lower case, and long for those of compactNames
	name  string // as it came
	value string
}

// compactNames are those of the headers that a proxy reads (RFC 3261 section 7.3.3).
var compactNames = map[string]string{
	"v": nameVia, "f": nameFrom, "t": "to", "i": nameCallID, "m": nameContact, "l": nameLength,
}

// hopLists are the headers of which a proxy needs the single values.
var hopLists = map[string]bool{nameVia: true, nameRoute: true, nameRecord: true}

// packetOf reads a message; false when something is wrong with it, which others answer.
func packetOf(data string) (*packet, bool) {
	o := sketch(data)
	if o.fault != (fault{}) {
		return nil, false
	}
	p := &packet{start: strings.TrimRight(o.start, "\r\n"), body: o.body}
	if o.length >= 0 {
		p.body = o.body[:o.length] // RFC 3261 section 18.3
	}
	for f := range fields(o.head) {
		name, _, _ := strings.Cut(f.lines, ":")
		name = trim(name)
		key := strings.ToLower(name)
		if long, ok := compactNames[key]; ok {
			key = long
		}
		value := f.value
		for hopLists[key] {
			at := comma(value)
			if at < 0 {
				break
			}
			p.headers = append(p.headers, packetHeader{key, name, trim(value[:at])})
			value = trim(value[at+1:])
		}
		p.headers = append(p.headers, packetHeader{key, name, value})
	}
	return p, true
}

// clone is a copy, of which nothing changes the original.
func (p *packet) clone() *packet {
	c := *p
	c.headers = slices.Clone(p.headers)
	return &c
}

// bytes are the message as it goes on.
func (p *packet) bytes() []byte {
	var b strings.Builder
	b.WriteString(p.start + lineEnd)
	for _, h := range p.headers {
		b.WriteString(h.name + ": " + h.value + lineEnd)
	}
	b.WriteString(lineEnd + p.body)
	return []byte(b.String())
}

// method of a request; of a response that of its request. status is 0 for a request.
func (p *packet) method() (method string, status int) {
	first, rest, _ := strings.Cut(p.start, " ")
	if !isVersion(first) {
		return first, 0
	}
	code, _, _ := strings.Cut(rest, " ")
	status, _ = strconv.Atoi(code)
	_, method = p.cseq()
	return method, status
}

// target is the Request-URI.
func (p *packet) target() string {
	_, rest, _ := strings.Cut(p.start, " ")
	uri, _, _ := strings.Cut(rest, " ")
	return uri
}

func (p *packet) retarget(uri string) {
	method, _, _ := strings.Cut(p.start, " ")
	p.start = method + " " + uri + " " + version
}

func (p *packet) cseq() (seq uint32, method string) {
	parts := strings.Fields(p.get(nameCSeq))
	if len(parts) < 2 { //nolint:mnd // sketch has judged it
		return 0, ""
	}
	n, _ := strconv.ParseUint(parts[0], 10, 32)
	return uint32(n), parts[1]
}

// get is the first value of a header, "" without one.
func (p *packet) get(key string) string {
	if i := p.index(key); i >= 0 {
		return p.headers[i].value
	}
	return ""
}

func (p *packet) index(key string) int {
	return slices.IndexFunc(p.headers, func(h packetHeader) bool { return h.key == key })
}

// all are the values of a header, in order.
func (p *packet) all(key string) []string {
	var out []string
	for _, h := range p.headers {
		if h.key == key {
			out = append(out, h.value)
		}
	}
	return out
}

// pop takes the first value of a header off.
func (p *packet) pop(key string) {
	if i := p.index(key); i >= 0 {
		p.headers = slices.Delete(p.headers, i, i+1)
	}
}

// push puts a value before those of its header that are there.
func (p *packet) push(name, value string) {
	key := strings.ToLower(name)
	p.headers = slices.Insert(p.headers, max(p.index(key), 0), packetHeader{key, name, value})
}

// add puts a header at the end.
func (p *packet) add(name, value string) {
	p.headers = append(p.headers, packetHeader{strings.ToLower(name), name, value})
}

// strip takes the headers off that only nodes write to each other.
func (p *packet) strip() {
	p.headers = slices.DeleteFunc(p.headers, func(h packetHeader) bool { return strings.HasPrefix(h.key, nodeHeaders) })
}

// tagIn is the tag of a From or To.
func tagIn(value string) string {
	return paramIn(value[strings.LastIndexByte(value, '>')+1:], "tag")
}

// paramIn is a parameter behind an address, a Via or a value; "" without one.
func paramIn(value, name string) string {
	_, params, _ := strings.Cut(value, ";")
	for params != "" {
		var p string
		p, params, _ = strings.Cut(params, ";")
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(trim(k), name) {
			return trim(v)
		}
	}
	return ""
}

// uriIn is the URI of a name-addr or an addr-spec (RFC 3261 section 20.10).
func uriIn(value string) string {
	if open, ok := bracket(value); ok && open >= 0 {
		if end := strings.IndexByte(value[open:], '>'); end >= 0 {
			return value[open+1 : open+end]
		}
	}
	uri, _, _ := strings.Cut(value, ";")
	return trim(uri)
}

// userIn is the user of a sip URI, "" without one.
func userIn(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	user, _, ok := strings.Cut(rest, "@")
	if !ok {
		return ""
	}
	return user
}

// hop counts Max-Forwards down (RFC 3261 section 16.6, step 3); false when the message may go no further.
func (p *packet) hop() bool {
	i := p.index(nameHops)
	if i < 0 {
		p.add("Max-Forwards", strconv.Itoa(maxForwards))
		return true
	}
	n, err := strconv.ParseUint(p.headers[i].value, 10, 32)
	if err != nil || n == 0 {
		return false
	}
	p.headers[i].value = strconv.FormatUint(min(n-1, maxForwards), 10)
	return true
}

// answered makes a response of ours to a request (RFC 3261 section 8.2.6).
func (p *packet) answered(code int, tag string, more ...packetHeader) *packet {
	res := &packet{start: version + " " + strconv.Itoa(code) + " " + reason(code)}
	for _, h := range p.headers {
		switch h.key {
		case nameVia, nameFrom, nameCallID, nameCSeq:
		case "to":
			if tag != "" && tagIn(h.value) == "" {
				h.value += ";tag=" + tag
			}
		default:
			continue
		}
		res.headers = append(res.headers, h)
	}
	res.headers = append(res.headers, more...)
	if code > sipmsg.StatusTrying {
		res.add("Server", serverName)
	}
	res.add("Content-Length", "0")
	return res
}
