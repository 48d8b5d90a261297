package media

// attributeMux asks for RTCP on the port of RTP (RFC 5761 section 5.1.1).
//
// It is taken where it is offered, and kept in later offers of that session, but not offered at first: a far end may
// leave it out of its answer, so a port for RTCP is needed anyway, and we have the pair; and old gateways and session
// border controllers are known to refuse or lose RTCP over an attribute that they do not know.
const attributeMux = "rtcp-mux"

// writtenMux is the attribute of an m-line whose agreement has it; a is nil before there is one.
func (a *agreement) writtenMux() writtenMedia {
	if a == nil || !a.mux {
		return ""
	}
	return "a=" + attributeMux + "\r\n"
}

// mistakable reports whether packets of a payload type, if they have a marker, are like RTCP's: such must not be used
// where both share a port (RFC 5761 section 4).
func mistakable(payload uint8) bool { return payload >= 64 && payload <= 95 }
