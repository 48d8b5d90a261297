package config

import (
	"fmt"
	"slices"
)

// keySRTP is a key of trunks and of agents.
const keySRTP = "srtp"

// checkSRTP: the keys stand in the SIP messages (RFC 4568 section 8.3), which not every listener encrypts.
func (r *reader) checkSRTP() {
	open := slices.ContainsFunc(r.cfg.SIP.Listen, func(l Listener) bool { return !l.Secured() })
	warn := func(path string, way SRTP) {
		if open && way != SRTPOff {
			r.warn(path+"."+keySRTP, quote(string(way))+" with keys in SIP messages that are not encrypted (UDP, TCP)",
				"a network on the way that nobody else reads, such as a VPN; or tls")
		}
	}
	for i, t := range r.cfg.Trunks {
		warn(trunkPath(i), t.SRTP)
	}
	for i, a := range r.cfg.Agents {
		warn(fmt.Sprintf("agents[%d]", i), a.SRTP)
	}
}
