package config

import "net/netip"

// checkAudio: where RTP is of both families, each listener of SIP has callers whose audio is of its family, and they have to be
// told an address of it: media.advertise, or that of a listener (sip.AudioOptions). Calls without one are refused 488. A listener
// on loopback lends none of its own, as there is a proxy behind it.
func (r *reader) checkAudio() {
	m := r.cfg.Media
	if m.Address != netip.IPv6Unspecified() || r.broken["media"] || !m.Advertise.IsValid() || m.Advertise.IsUnspecified() {
		return
	}
	told := map[bool]bool{m.Advertise.Is4(): true}
	for _, l := range r.cfg.SIP.Listen {
		if at := l.tells(); at.IsValid() && !l.webSocket() {
			told[at.Is4()] = true
		}
	}
	for i, l := range r.cfg.SIP.Listen {
		if a := l.Address.Addr(); !l.webSocket() && !told[a.Is4()] {
			family := map[bool]string{true: "IPv4", false: "IPv6"}[a.Is4()]
			r.warn(r.listenPath(i), "no "+family+" address for audio: a call whose audio is "+family+" is refused 488",
				"advertise: the "+family+" address that peers send audio to, here or at another listener")
			told[a.Is4()] = true // once is enough
		}
	}
}

// tells is the address that a listener says audio is at; the zero value if it says none.
func (l Listener) tells() netip.Addr {
	switch a := l.Address.Addr(); {
	case l.Advertise.IsValid():
		return l.Advertise.Addr()
	case l.AdvertiseName != "", a.IsLoopback(), a.IsUnspecified(), a.Zone() != "":
		return netip.Addr{}
	default:
		return a
	}
}
