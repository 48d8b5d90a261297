package config

import "fmt"

// keySRTP is a key of trunks and of agents.
const keySRTP = "srtp"

// checkSRTP: the keys stand in the SIP messages (RFC 4568 section 8.3), and there is no listener yet that encrypts
// those.
func (r *reader) checkSRTP() {
	warn := func(path string, way SRTP) {
		if way != SRTPOff {
			r.warn(path+"."+keySRTP, quote(string(way))+" with keys in SIP messages that are not encrypted (UDP, TCP)",
				"a network on the way that nobody else reads, such as a VPN")
		}
	}
	for i, t := range r.cfg.Trunks {
		warn(trunkPath(i), t.SRTP)
	}
	for i, a := range r.cfg.Agents {
		warn(fmt.Sprintf("agents[%d]", i), a.SRTP)
	}
}
