package sip

import (
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// maxParts bounds the pieces of a message of so many octets: its header lines, and the values and parameters in
// them. Each costs sipgo some hundred octets of its own, and parameters are compared with each other. A usual
// INVITE has 20 in 500 octets, one that passed a dozen proxies some 150 in 4,000.
func maxParts(size int) int {
	const least, octetsEach = 64, 32
	return least + size/octetsEach
}

// outline is what can be seen of a message before it is parsed, in one pass over its octets.
type outline struct {
	size   int
	source netip.AddrPort // where it came from, if that is known
	start  string         // the first line
	head   string         // the header lines, each with its end
	ended  bool           // an empty line follows them
	body   string
	parts  int
	length int // Content-Length; -1 without one
	first  [kinds]string
	count  [kinds]int
	fault  fault
}

// fault is what is wrong with a message: the status that a request is owed, or 0 for silence, and the reason
// it is counted under when nothing answers it.
type fault struct {
	code int
	why  string
}

// kind is a header that must be read even of a message that cannot be parsed.
type kind int

const (
	other kind = iota
	viaKind
	fromKind
	toKind
	callIDKind
	cseqKind
	lengthKind
	kinds
)

// kindOf knows a header by its name, compact or not (RFC 3261 section 7.3.3).
func kindOf(name string) kind {
	is := func(s string, k kind) kind {
		if strings.EqualFold(name, s) {
			return k
		}
		return other
	}
	switch len(name) {
	case len("v"):
		if i := strings.IndexByte("vftil", name[0]|0x20); i >= 0 {
			return [...]kind{viaKind, fromKind, toKind, callIDKind, lengthKind}[i]
		}
	case len("to"):
		return is("to", toKind)
	case len(nameVia):
		return is(nameVia, viaKind)
	case len("from"):
		return max(is(nameFrom, fromKind), is(nameCSeq, cseqKind))
	case len("call-id"):
		return is(nameCallID, callIDKind)
	case len(nameLength):
		return is(nameLength, lengthKind)
	}
	return other
}

// field is one header as it stands in a message.
type field struct {
	kind  kind
	lines string // whole, with its continuations and line ends
	value string
	ok    bool // it has a name and a colon, and its lines end as they must
}

// fields are the headers in the lines of a head, with which every line ends.
func fields(head string) iter.Seq[field] {
	return func(yield func(field) bool) {
		for head != "" {
			end := strings.IndexByte(head, '\n') + 1
			for end < len(head) && isSpace(head[end]) {
				end += strings.IndexByte(head[end:], '\n') + 1
			}
			if !yield(fieldOf(head[:end])) {
				return
			}
			head = head[end:]
		}
	}
}

func fieldOf(lines string) field {
	f := field{lines: lines}
	name, value, ok := strings.Cut(lines, ":")
	f.ok = ok && lines != "" && !isSpace(lines[0]) && isToken(trim(name))
	f.kind = kindOf(trim(name))
	f.value = trim(strings.TrimRight(value, lineEnd))
	if strings.IndexByte(lines, '\r') == len(lines)-len(lineEnd) {
		return f
	}
	folds := strings.Count(lines, "\n")
	f.ok = f.ok && strings.Count(lines, "\r") == folds && strings.Count(lines, lineEnd) == folds
	if folds > 1 {
		f.value = unfold(f.value)
	}
	return f
}

// unfold joins the lines of a value (RFC 3261 section 7.3.1).
func unfold(value string) string {
	var b strings.Builder
	for line := range strings.Lines(value) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(trim(strings.TrimRight(line, lineEnd)))
	}
	return b.String()
}

// sketch makes the outline of a message that data begins with.
func sketch(data string) *outline {
	o := &outline{size: len(data), length: -1}
	end := strings.IndexByte(data, '\n')
	if end < 0 || !strings.Contains(data[:end], "SIP/") && !strings.Contains(data[:end], "sip/") {
		o.fault.why = dropNotSIP
		return o
	}
	o.start = data[:end]
	o.head, o.body, o.ended = cutHead(data[end+1:])
	o.readFields()
	o.judge()
	o.readLength()
	return o
}

// blame notes a fault, if it is the first.
func (o *outline) blame(code int, why string) {
	if o.fault == (fault{}) {
		o.fault = fault{code, why}
	}
}

// cutHead finds the empty line. Without one the head is all whole lines.
func cutHead(s string) (head, body string, ended bool) {
	if i := strings.Index(s, "\r\n\r\n"); i >= 0 && !strings.HasPrefix(s, "\r\n") {
		return s[:i+2], s[i+4:], true
	}
	for end := 0; ; {
		i := strings.IndexByte(s[end:], '\n')
		if i < 0 {
			return s[:end], "", false
		}
		line := s[end : end+i]
		if line == "" { // kept, as a line that is none
			return s[:end+1], s[end+1:], true
		}
		if line == "\r" {
			return s[:end], s[end+i+1:], true
		}
		end += i + 1
	}
}

// readFields reads the headers that matter to all messages.
func (o *outline) readFields() {
	for _, separator := range []string{"\n", ";", ",", "&"} {
		o.parts += strings.Count(o.head, separator)
	}
	if o.parts > maxParts(o.size) {
		o.blame(sipmsg.StatusMessageTooLarge, dropTooBig)
	}
	for f := range fields(o.head) {
		if !f.ok {
			o.blame(sipmsg.StatusBadRequest, dropMalformed)
		}
		if o.count[f.kind]++; o.count[f.kind] == 1 {
			o.first[f.kind] = f.value
		}
	}
}

// judge decides whether sipgo's parser and transactions can have the message: what it lets pass they take.
func (o *outline) judge() {
	request, ok := startForm(strings.TrimSuffix(o.start, "\r"))
	switch {
	case o.count[viaKind] == 0:
		o.blame(0, dropNoVia)
	case !o.ended:
		o.blame(sipmsg.StatusBadRequest, dropNoEnd)
	case request && !ok && unreadable(o.start):
		o.blame(statusUnsupportedScheme, dropMalformed)
	case !ok || !strings.HasSuffix(o.start, "\r"), !o.matchable(), request && !o.addressed():
		o.blame(sipmsg.StatusBadRequest, dropMalformed)
	}
}

// readLength reads the Content-Length. length stays -1 when there is none to rely on.
func (o *outline) readLength() {
	if o.count[lengthKind] == 0 {
		return
	}
	length, ok := lengthForm(o.first[lengthKind])
	if !ok && o.count[lengthKind] == 1 && length != "" && strings.Trim(length, "0123456789") == "" {
		o.length = maxDatagram + 1 // or more, which is all the same: a datagram does not have it, a stream is not to bring it
		o.blame(sipmsg.StatusBadRequest, dropLength)
		return
	}
	if !ok || o.count[lengthKind] > 1 {
		o.blame(sipmsg.StatusBadRequest, dropLength)
		return
	}
	if n, err := strconv.Atoi(length); err == nil {
		o.length = n
	}
	if o.length > len(o.body) {
		o.blame(sipmsg.StatusBadRequest, dropLength)
	}
}

// startForm judges a first line (RFC 3261 sections 7.1, 7.2).
func startForm(line string) (request, ok bool) {
	first, rest, _ := strings.Cut(line, " ")
	second, third, ok := strings.Cut(rest, " ")
	if isVersion(first) {
		// sipgo takes a reason that looks like a version for a request's.
		mistaken := len(third) >= 3 && isSIP(third[:3]) && !strings.Contains(third, " ")
		return false, ok && len(second) == 3 && isNumber(second, 699) && second[0] != '0' && !mistaken
	}
	return true, ok && isToken(first) && isURI(second) && isVersion(third)
}

// unreadable tells whether the Request-URI of a first line is well-formed, but for a scheme that sipgo rejects.
func unreadable(line string) bool {
	_, rest, _ := strings.Cut(line, " ")
	uri, version, _ := strings.Cut(strings.TrimSuffix(rest, "\r"), " ")
	scheme, rest, ok := strings.Cut(uri, ":")
	return ok && !isURI(uri) && isVersion(version) && isScheme(scheme) && isURIPart(scheme, rest)
}

// isVersion takes any version of SIP.
func isVersion(s string) bool {
	name, number, _ := strings.Cut(s, "/")
	major, minor, ok := strings.Cut(number, ".")
	const most = 99
	return ok && isSIP(name) && isNumber(major, most) && isNumber(minor, most)
}

// protocolName is what messages call themselves (RFC 3261 section 7.1).
const protocolName = "SIP"

// isSIP takes the two ways to write it that sipgo knows.
func isSIP(s string) bool { return s == protocolName || s == "sip" }

// topVia is the first Via, tidied.
func (o *outline) topVia() (string, bool) {
	via := o.first[viaKind]
	if at := comma(via); at >= 0 {
		via = via[:at]
	}
	return viaForm(via)
}

// matchable tells whether a message has what its transaction is found by.
func (o *outline) matchable() bool {
	_, via := o.topVia()
	_, cseq := cseqForm(o.first[cseqKind])
	return via && cseq
}

// addressed tells whether a request has the rest of what every response to it must repeat (RFC 3261 section 8.2.6.2).
func (o *outline) addressed() bool {
	_, id := callIDForm(o.first[callIDKind])
	_, from := addressForm(o.first[fromKind])
	_, to := addressForm(o.first[toKind])
	return id && from && to
}

// answerable tells whether all has come that every response must repeat, well-formed or not.
func (o *outline) answerable() bool {
	return !slices.Contains([]int{o.count[viaKind], o.count[fromKind], o.count[toKind], o.count[callIDKind], o.count[cseqKind]}, 0)
}

// method of a request; "" of a response.
func (o *outline) method() sipmsg.RequestMethod {
	m, _, _ := strings.Cut(o.start, " ")
	if isVersion(m) {
		return ""
	}
	return sipmsg.RequestMethod(m)
}

// modern tells whether a message's transaction is of RFC 3261, by its branch (section 8.1.1.7), and not of RFC 2543.
func modern(m sipmsg.Message) bool {
	via := m.Via()
	return via != nil && len(via.Params.GetOr("branch", "")) > len(sipmsg.RFC3261BranchMagicCookie) &&
		strings.HasPrefix(via.Params.GetOr("branch", ""), sipmsg.RFC3261BranchMagicCookie)
}
