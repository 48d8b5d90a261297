package sip

import (
	"bytes"
	"fmt"
	"slices"

	sipmsg "github.com/emiago/sipgo/sip"
)

// framer cuts a stream into messages (RFC 3261 section 18.3). It keeps at most one that is not whole, and no more
// than maxDatagram octets and one read of it; answerMost where the stream is of somebody known.
type framer struct {
	buf     []byte
	scanned int      // so much of buf has no end of headers
	o       *outline // of the message that begins buf, when its headers are whole
	// whole: what is written is one message each time (RFC 7118 section 4.2), whose length is known without a header.
	whole bool
	// known tells whether the stream is of somebody known, to whom what is too large is answered (sketchLarge); nil: it is not.
	known func() bool
}

// frame is what a stream has next.
type frame struct {
	message []byte // good until the next call: to be handed on
	refused *outline
	lost    bool // where the next message begins cannot be known any more
}

const (
	lineEnd  = "\r\n"
	ping     = lineEnd + lineEnd // RFC 5626 section 3.5.1; it also ends a message's headers
	headMost = maxDatagram
)

func (f *framer) write(b []byte) { f.buf = append(f.buf, b...) }

// next returns the next message; false means that more must be read first. The answer to a ping is sipgo's: a
// ping is handed on as a message.
func (f *framer) next() (frame, bool) {
	if f.whole {
		return f.only()
	}
	if f.o == nil {
		for bytes.HasPrefix(f.buf, []byte(lineEnd)) {
			switch rest := f.buf[len(lineEnd):]; {
			case bytes.HasPrefix(rest, []byte(lineEnd)):
				return frame{message: f.take(len(ping))}, true
			case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
				return frame{}, false // half a ping perhaps
			default:
				f.take(len(lineEnd))
			}
		}
		if !f.headers() {
			return f.excess()
		}
	}
	size := f.scanned + f.o.length
	switch {
	case f.o.length < 0: // RFC 3261 section 20.14: mandatory here
		f.o.blame(sipmsg.StatusBadRequest, dropLength)
		return frame{refused: f.o, lost: true}, true
	case size > maxDatagram:
		f.o.fault = fault{sipmsg.StatusMessageTooLarge, dropTooBig}
		return frame{refused: f.o, lost: true}, true
	case len(f.buf) < size:
		return frame{}, false
	}
	o := f.o
	message := f.take(size)
	if o.fault != (fault{}) {
		o.size = size
		return frame{refused: o}, true
	}
	return frame{message: message}, true
}

// only is next where buf is one message. What it has behind its end is cut off, and a length that it does not say is added,
// since sipgo reads it as a part of a stream.
func (f *framer) only() (frame, bool) {
	message := f.take(len(f.buf))
	if string(message) == ping {
		return frame{message: message}, true
	}
	message = bytes.TrimLeft(message, lineEnd)
	if len(message) == 0 {
		return frame{}, false
	}
	o := sketchBounded(message)
	head := bytes.Index(message, []byte(ping)) + len(ping)
	switch {
	case head < len(ping):
		o.blame(sipmsg.StatusBadRequest, dropNoEnd)
	case o.fault == (fault{}) && o.length < 0:
		end := head - len(lineEnd)
		return frame{message: slices.Concat(
			message[:end], fmt.Appendf(nil, "Content-Length: %d\r\n", len(message)-head), message[end:],
		)}, true
	case o.fault == (fault{}):
		return frame{message: message[:head+o.length]}, true
	}
	return frame{refused: o}, true
}

// headers looks for the end of the headers, and makes the outline when it is there.
func (f *framer) headers() bool {
	from := max(f.scanned-len(ping), 0)
	i := bytes.Index(f.buf[from:], []byte(ping))
	if i < 0 {
		f.scanned = len(f.buf)
		return false
	}
	f.scanned = from + i + len(ping)
	f.o = f.sketch(f.buf[:f.scanned])
	if f.o.fault.why == dropLength && f.o.length > 0 {
		f.o.fault = fault{} // only that the body is not here
	}
	return true
}

// excess is the end of a stream whose headers do not: of one of somebody known once there is enough to answer by.
func (f *framer) excess() (frame, bool) {
	if len(f.buf) <= headMost {
		return frame{}, false
	}
	o := f.sketch(f.buf)
	if len(f.buf) <= answerMost && !o.answerable() && f.ofKnown() {
		return frame{}, false
	}
	return frame{refused: o, lost: true}, true
}

// sketch is the outline of a head, or of as much of it as there is.
func (f *framer) sketch(head []byte) *outline {
	if len(head) > maxDatagram && f.ofKnown() {
		return sketchLarge(head)
	}
	return sketchBounded(head)
}

func (f *framer) ofKnown() bool { return f.known != nil && f.known() }

// take takes n octets out. A buffer that is empty again is let go, so that a connection without traffic holds none.
func (f *framer) take(n int) []byte {
	out := f.buf[:n]
	f.buf, f.scanned, f.o = f.buf[n:], 0, nil
	if len(f.buf) == 0 {
		f.buf = nil
	}
	return out
}
