package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The transports of SIP that are served.
const (
	udp = "udp"
	tcp = "tcp"
	tls = "tls"
	ws  = "ws"
	wss = "wss"
)

const (
	wantListen = "TRANSPORT://ADDRESS:PORT, such as udp://192.0.2.10:5060"
	wantRange  = "a range LOW-HIGH of UDP ports, such as 20000-24999"
)

func (r *reader) sip(v value) {
	s := &r.cfg.SIP
	v.fields(
		field{keyListen, r.listeners},
		field{"realm", func(v value) { v.text(&s.Realm, realmShape) }},
		field{"digest", func(v value) { listOf(v, &s.Digest, MD5, SHA256, SHA512256) }},
		field{"max_calls", func(v value) { v.integer(&s.MaxCalls, 0, 1<<15) }},
		field{"overload", func(v value) {
			const percent, mostRate = 100, 10000
			v.fields(
				field{"lag", func(v value) { v.duration(&s.Overload.Lag, 0, 5*time.Second) }},
				field{"cpu", func(v value) { v.integer(&s.Overload.CPU, 0, percent) }},
				field{"rate", func(v value) { v.integer(&s.Overload.Rate, 0, mostRate) }},
			)
		}},
		field{"ping", func(v value) { v.duration(&s.Ping, time.Second, 10*time.Minute) }},
		field{"t1", func(v value) { v.duration(&s.T1, 10*time.Millisecond, 2*time.Second) }},
		field{"trying_after", func(v value) { v.duration(&s.TryingAfter, 0, 200*time.Millisecond) }},
		field{"expires", func(v value) {
			v.fields(
				// More than an hour must not be demanded of a phone (RFC 3261 section 10.3, step 7).
				field{"min", func(v value) { v.seconds(&s.Expires.Min, time.Second, time.Hour) }},
				field{keyMax, func(v value) { v.seconds(&s.Expires.Max, time.Second, day) }},
				field{"default", func(v value) { v.seconds(&s.Expires.Default, time.Second, day) }},
			)
		}},
		field{"trace_keep", func(v value) { v.duration(&s.TraceKeep, 0, 366*day) }},
		field{"session_expires", func(v value) { v.seconds(&s.SessionExpires, leastSE, day) }},
		field{"min_se", func(v value) { v.seconds(&s.MinSE, leastSE, time.Hour) }},
		field{"abuse", r.abuse},
	)
}

// seconds takes a duration that SIP carries as a whole number of them.
func (v value) seconds(dst *time.Duration, low, high time.Duration) {
	d := *dst
	v.duration(&d, low, high)
	if d%time.Second != 0 {
		v.problem(v.found(), "whole seconds")
		return
	}
	*dst = d
}

func (r *reader) listeners(v value) {
	var list []Listener
	var paths []string
	v.items("a list of "+wantListen, func(_ int, item value) {
		if l, ok := item.listener(); ok {
			list, paths = append(list, l), append(paths, item.path)
		}
	})
	if len(list) == 0 && !r.broken[v.path] {
		v.problem("no listener", "at least one "+wantListen)
	}
	r.cfg.SIP.Listen, r.listenPaths = list, paths
}

// listens takes an address to listen at, as leaf reads it, or {address: it, advertise: a}, with more fields.
func (v value) listens(want string, leaf func(v value, l *Listener) bool, more func(l *Listener) []field) (l Listener, ok bool) {
	if v.node.Kind != yaml.MappingNode {
		return l, leaf(v, &l)
	}
	advertise := ""
	fields := []field{
		{keyAddress, func(v value) { ok = leaf(v, &l) }},
		{keyAdvertise, func(v value) {
			var a netip.Addr
			if p, err := netip.ParseAddrPort(v.node.Value); err == nil && v.node.Kind == yaml.ScalarNode {
				l.Advertise = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
			} else if (more == nil || !v.advertisesName(&l)) && v.address(&a) {
				l.Advertise = netip.AddrPortFrom(a, 0)
			}
			advertise = v.path
		}},
	}
	if more != nil {
		fields = append(fields, more(&l)...)
	}
	v.fields(fields...)
	switch {
	case !v.r.written(v.path + "." + keyAddress):
		v.problem("no address", "address: "+want)
	case l.Advertise.IsValid() && l.Advertise.Addr().IsUnspecified():
		v.r.report(advertise, quote(l.Advertise.Addr().String()), "the address that peers reach")
	case l.Advertise.IsValid() && l.Advertise.Port() == 0:
		l.Advertise = netip.AddrPortFrom(l.Advertise.Addr(), l.Address.Port())
	case l.AdvertiseName != "" && l.AdvertisePort == 0:
		l.AdvertisePort = l.Address.Port()
	}
	return l, ok
}

// advertisedName is a host's name with a dot, whose last label is no number (RFC 1123 section 2.1).
var advertisedName = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,16}[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

// advertisesName takes NAME or NAME:PORT, and tells whether it is one.
func (v value) advertisesName(l *Listener) bool {
	host, port, found := strings.Cut(v.node.Value, ":")
	if v.node.Kind != yaml.ScalarNode || !advertisedName.MatchString(host) {
		return false
	}
	if found {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return false
		}
		l.AdvertisePort = uint16(n)
	}
	l.AdvertiseName = strings.ToLower(host)
	return true
}

func (v value) uri(l *Listener) bool {
	text, ok := v.scalar(wantListen)
	if !ok {
		return false
	}
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		v.problem(v.found(), wantListen)
		return false
	}
	if !slices.Contains([]string{udp, tcp, tls, ws, wss}, scheme) {
		v.problem("the transport "+quote(scheme), "udp, tcp, tls, ws or wss")
		return false
	}
	l.Network = scheme
	return v.addrPort(&l.Address, rest, wantListen)
}

// addrPort takes an address with a port. Port 0, a free one, is for trials on loopback: elsewhere
// nobody would find it.
func (v value) addrPort(dst *netip.AddrPort, text, want string) bool {
	p, err := netip.ParseAddrPort(text)
	if err != nil {
		v.problem(v.found(), want)
		return false
	}
	p = netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	if p.Port() == 0 && !p.Addr().IsLoopback() {
		v.problem(v.found(), "a port from 1 to 65535")
		return false
	}
	*dst = p
	return true
}

func (r *reader) media(v value) {
	m := &r.cfg.Media
	v.fields(
		field{keyAddress, func(v value) { v.address(&m.Address) }},
		field{keyAdvertise, func(v value) { v.address(&m.Advertise) }},
		field{"ports", func(v value) { v.ports(&m.Ports) }},
		field{"codecs", func(v value) { listOf(v, &m.Codecs, PCMA, PCMU) }},
		field{"rest", func(v value) { v.duration(&m.Rest, 0, 5*time.Minute) }},
		field{"timeout", func(v value) { v.duration(&m.Timeout, 0, 10*time.Minute) }},
		field{"inband", func(v value) { oneOf(v, &m.Inband, InbandAuto, InbandOff) }},
		field{"engine", func(v value) { oneOf(v, &m.Engine, EngineAuto, EngineEpoll, EnginePortable) }},
	)
}

// minPairs of ports: one call has two legs, and each a port for RTP and one for RTCP.
const minPairs = 2

func (v value) ports(dst *PortRange) {
	text, ok := v.scalar(wantRange)
	if !ok {
		return
	}
	lowText, highText, _ := strings.Cut(text, "-")
	low, lowErr := strconv.ParseUint(strings.TrimSpace(lowText), 10, 16)
	high, highErr := strconv.ParseUint(strings.TrimSpace(highText), 10, 16)
	got := PortRange{uint16(low), uint16(high)}
	switch {
	case lowErr != nil || highErr != nil || low == 0:
		v.problem(v.found(), wantRange)
	case low > high:
		v.problem(v.found()+", a range that ends before it begins", wantRange)
	case low%2 != 0:
		// RFC 3550 section 11: RTP has an even port and RTCP the next.
		v.problem(v.found()+", a range that begins with an odd port", "an even one, since RTP has even ports")
	case got.Pairs() < minPairs:
		v.problem(v.found()+", a port range too small",
			"at least 4 ports: one call takes 2 for its caller and 2 for its agent")
	default:
		*dst = got
	}
}

func (r *reader) http(v value) {
	const want = "ADDRESS:PORT, such as 127.0.0.1:8080"
	v.fields(
		field{keyListen, func(v value) {
			if text, ok := v.scalar(want); ok {
				v.addrPort(&r.cfg.HTTP.Listen, text, want)
			}
		}},
		field{"tokens", r.tokens},
	)
}
