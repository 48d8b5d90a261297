package sip

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// editable is a received message that nobody else has yet.
type editable interface {
	sipmsg.Message
	ReplaceHeader(h sipmsg.Header)
	RemoveHeader(name string) bool
}

// unwrap makes the session description of a body with several parts the body (RFC 5621 section 3.2), and takes out
// one that nobody need understand (RFC 3261 section 20.11): a caller who sends his place beside his offer, and a
// gateway that sends ISUP, are to get through. What is owed for a part that must be understood and is not, check
// finds.
func unwrap(m editable) {
	kind := mediaType(m)
	switch {
	case kind == "" || kind == sdpType || undecipherable(kind):
	case strings.HasPrefix(kind, "multipart/"):
		session, code := sessionIn(m)
		if code != 0 {
			m.AppendHeader(&malformed{Header: sipmsg.NewHeader("Content", kind), code: code})
		}
		if session != nil {
			t := sipmsg.ContentTypeHeader(sdpType)
			m.ReplaceHeader(&t)
			m.SetBody(session)
		}
	case handling(firstValue(m, "content-disposition")) == "optional":
		m.RemoveHeader("Content-Type")
		m.SetBody(nil)
	}
}

// bodyParts bounds the parts of a body that are looked at.
const bodyParts = 16

// maxLines bounds the lines of a body of so many octets that has parts: each may be a header of one, which costs some
// hundred octets. Those of session descriptions and of XML have more than twenty on average.
func maxLines(size int) int {
	const least, octetsEach = 64, 12
	return least + size/octetsEach
}

// sessionIn finds the first session description among the parts of a body, nil when there is none. code is owed to
// a request whose parts cannot be read, or that has one beside it which says that it must be understood.
func sessionIn(m sipmsg.Message) (session []byte, code int) {
	_, params, err := mime.ParseMediaType(firstValue(m, "content-type"))
	if err != nil || params["boundary"] == "" {
		return nil, sipmsg.StatusBadRequest
	}
	if bytes.Count(m.Body(), []byte("\n")) > maxLines(len(m.Body())) {
		return nil, sipmsg.StatusMessageTooLarge
	}
	parts := multipart.NewReader(bytes.NewReader(m.Body()), params["boundary"])
	for range bodyParts {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) || err != nil && session != nil {
			return session, 0 // an end that is missing does no harm to what is there
		}
		if err != nil {
			return nil, sipmsg.StatusBadRequest
		}
		kind := typeOf(part.Header.Get("Content-Type"))
		switch {
		case kind == sdpType && session == nil && unencoded(part.Header.Get("Content-Transfer-Encoding")):
			if session, err = io.ReadAll(part); err != nil {
				return nil, sipmsg.StatusBadRequest
			}
		case kind != sdpType && handling(part.Header.Get("Content-Disposition")) == "required":
			return nil, sipmsg.StatusUnsupportedMediaType
		}
	}
	return session, 0
}

// unencoded takes the transfer encodings that leave octets as they are (RFC 2045 section 6.2).
func unencoded(encoding string) bool {
	switch strings.ToLower(encoding) {
	case "", "7bit", "8bit", "binary":
		return true
	}
	return false
}

// handling is the parameter of a Content-Disposition, "" where it says nothing. RFC 3261 section 20.11 would have
// that mean required, which no sender that leaves it out has in mind.
func handling(disposition string) string {
	_, params, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	return strings.ToLower(params["handling"])
}

// firstValue is the value of a header, "" without it.
func firstValue(m withHeaders, name string) string {
	for h := range named(m, name) {
		return h.Value()
	}
	return ""
}

// typeOf is a media type without its parameters, in lower case.
func typeOf(value string) string {
	t, _, _ := strings.Cut(value, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// mediaType is the type of a message's body; "" without a body.
func mediaType(m sipmsg.Message) string {
	if len(m.Body()) == 0 {
		return ""
	}
	value := firstValue(m, "content-type")
	if value == "" {
		return "unknown"
	}
	return typeOf(value)
}

// encoded reports whether a body is compressed or otherwise encoded, which we do not undo.
func encoded(req *sipmsg.Request) bool {
	for _, name := range []string{"content-encoding", "e"} {
		for _, coding := range elements(req, name) {
			if !strings.EqualFold(coding, identity) {
				return true
			}
		}
	}
	return false
}

// identity is the content coding that is none.
const identity = "identity"

// undecipherable reports whether a body is S/MIME's (RFC 3261 section 23), for which we have no keys.
func undecipherable(kind string) bool {
	switch kind {
	case "application/pkcs7-mime", "application/x-pkcs7-mime", "multipart/signed", "multipart/encrypted":
		return true
	}
	return false
}

// describes reports whether a request's body is a session description, if it has one.
func describes(m sipmsg.RequestMethod) bool {
	return m == sipmsg.INVITE || m == sipmsg.UPDATE || m == sipmsg.PRACK
}

// checkContent refuses bodies that would have to be understood (RFC 3261 section 8.2.3). Where none is asked for it
// is not looked at: a BYE that bears the charge of the call still ends it.
func checkContent(x *exchange) (int, []sipmsg.Header) {
	kind := mediaType(x.req)
	switch {
	case kind == "" || x.req.Method == sipmsg.BYE:
	case undecipherable(kind):
		return statusUndecipherable, nil
	case !describes(x.req.Method):
	case encoded(x.req):
		return sipmsg.StatusUnsupportedMediaType, []sipmsg.Header{sipmsg.NewHeader("Accept-Encoding", identity)}
	case kind != sdpType:
		return sipmsg.StatusUnsupportedMediaType, []sipmsg.Header{sipmsg.NewHeader("Accept", sdpType)}
	}
	return 0, nil
}

// checkAccept refuses a call whose answer could not be described (RFC 3261 section 20.1). OPTIONS is answered without
// a body, whatever it would accept.
func checkAccept(x *exchange) (int, []sipmsg.Header) {
	if !x.req.IsInvite() || count(x.req, "accept") == 0 {
		return 0, nil
	}
	for _, one := range elements(x.req, "accept") {
		switch typeOf(one) {
		case sdpType, "application/*", "*/*":
			return 0, nil
		}
	}
	return sipmsg.StatusNotAcceptable, nil
}
