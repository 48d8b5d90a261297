package sip

import (
	"reflect"

	sipmsg "github.com/emiago/sipgo/sip"
)

// malformed stands in a message for a header, or a body, that is not what its name promises. sipgo's parser
// would reject the whole message for it, without an answer; so check can give one. It is known by its type, and
// keeps the name and the value as they came.
type malformed struct {
	sipmsg.Header
	code int // owed to a request
}

// faultOf is the status owed for what in a message is malformed, 0 when nothing is.
func faultOf(m sipmsg.Message) int {
	var headers []sipmsg.Header
	switch m := m.(type) {
	case *sipmsg.Request:
		headers = m.Headers()
	case *sipmsg.Response:
		headers = m.Headers()
	}
	for _, h := range headers {
		if bad, ok := h.(*malformed); ok {
			return bad.code
		}
	}
	return 0
}

// form judges one value of a header, and returns it as sipgo reads it.
type form func(value string) (tidy string, ok bool)

// Names of headers as sipgo's parser knows them.
const (
	nameFrom   = "from"
	nameCallID = "call-id"
	nameRoute  = "route"
	nameHops   = "max-forwards"

	nameVia     = "via"
	nameContact = "contact"
	nameRecord  = "record-route"
	nameCSeq    = "cseq"
	nameLength  = "content-length"
)

// forms of the headers that sipgo's parser reads itself. All others are text to it, and judged where they are used.
var forms = map[string]form{
	nameVia: viaForm, "v": viaForm, nameFrom: addressForm, "f": addressForm, "to": addressForm, "t": addressForm,
	nameContact: contactForm, "m": contactForm, nameRoute: addressForm, nameRecord: addressForm,
	"refer-to": addressForm, "referred-by": addressForm, nameCSeq: cseqForm, nameCallID: callIDForm, "i": callIDForm,
	nameLength: lengthForm, "l": lengthForm, nameHops: hopsForm, "content-type": typeForm, "c": typeForm,
}

// lists are the headers whose values may stand in one line (RFC 3261 section 7.3.1).
var lists = map[string]bool{nameVia: true, "v": true, nameContact: true, "m": true, nameRoute: true, nameRecord: true}

// newParser makes sipgo's parser with header parsers that never fail: what they cannot read is malformed.
func newParser() *sipmsg.Parser {
	parsers := make(map[string]sipmsg.HeaderParser)
	defaults := sipmsg.DefaultHeadersParser()
	// How a header parser tells sipgo's that there is more behind a comma: an error, an integer of a type that
	// is not exported.
	_, more := defaults[nameRoute](nil, "<sip:a>,<sip:b>")
	for name, parse := range defaults {
		parsers[name] = tolerant(parse, forms[name], lists[name], reflect.TypeOf(more))
	}
	return sipmsg.NewParser(sipmsg.WithHeadersParsers(parsers))
}

// tolerant puts a form before a header parser of sipgo's.
func tolerant(parse sipmsg.HeaderParser, judge form, list bool, more reflect.Type) sipmsg.HeaderParser {
	return func(name []byte, text string) (sipmsg.Header, error) {
		at := -1
		if list {
			at = comma(text)
		}
		element := text
		if at >= 0 {
			element = text[:at]
		}
		var h sipmsg.Header
		tidy, ok := judge(element)
		if ok {
			var err error
			h, err = parse(name, tidy)
			ok = err == nil
		}
		if !ok {
			h = &malformed{Header: sipmsg.NewHeader(string(name), element), code: sipmsg.StatusBadRequest}
		}
		if at < 0 {
			return h, nil
		}
		err, _ := reflect.TypeAssert[error](reflect.ValueOf(at).Convert(more))
		return h, err
	}
}

// overwrite writes with at a place of a copy of s, which is made once.
func overwrite(tidy []byte, s string, at int, with string) []byte {
	if tidy == nil {
		tidy = []byte(s)
	}
	copy(tidy[at:], with)
	return tidy
}

// joined is s with another end from at on. It is s itself where that is nothing new, as nearly always.
func joined(s string, at int, end string) string {
	if s[at:] == end {
		return s
	}
	return s[:at] + end
}
