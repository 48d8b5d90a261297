package config

import (
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// hostShape is an IP address, or a name of the DNS (RFC 1123 section 2.1).
var hostShape = shape{
	regexp.MustCompile(`^([0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)$`), "an address or a name",
}

var clockShape = shape{
	regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]|24):([0-5][0-9])$`),
	"hours of the day, such as 08:00-18:00 or 22:00-06:00",
}

const wantTrunkAddress = "udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT, where the carrier takes calls"

// trunkOut reads the keys by which a trunk is called out through.
func (r *reader) trunkOut(t *Trunk) []field {
	return []field{
		{keyAddress, func(v value) { v.trunkAddress(&t.Address) }},
		{keyUsername, func(v value) { v.text(&t.Username, realmShape) }},
		{keyPassword, func(v value) {
			if !v.secret(&t.Password) {
				v.problem("a password that is not set", "one that is, or no username either")
			}
		}},
		{"from", func(v value) { v.text(&t.From, numberShape) }},
	}
}

// settleOut gives a trunk that is called out through its own number, and reports what is half said.
func (v value) settleOut(t *Trunk) {
	if v.r.written(v.path+".username") != v.r.written(v.path+".password") {
		v.problem("one of username and password", "both, or neither where the carrier knows this machine by its address")
	}
	if !v.r.written(v.path + "." + keyAddress) {
		for _, key := range []string{"username", "from"} {
			if v.r.written(v.path + "." + key) {
				v.r.report(v.path+"."+key, "a trunk that is not called out through", "address: "+wantTrunkAddress)
			}
		}
		return
	}
	if t.From == "" && !v.r.broken[v.path+".from"] {
		if len(t.Numbers) == 0 {
			v.r.report(v.path+".from", "nothing", "the number that is shown to who is called")
			return
		}
		t.From = sortedKeys(t.Numbers)[0]
	}
}

func (v value) trunkAddress(dst *TrunkAddress) {
	text, ok := v.scalar(wantTrunkAddress)
	if !ok {
		return
	}
	scheme, rest, _ := strings.Cut(text, "://")
	host, portText, err := net.SplitHostPort(rest)
	port, perr := strconv.ParseUint(portText, 10, 16)
	if scheme != udp && scheme != tcp && scheme != tls || err != nil || perr != nil || port == 0 || !hostShape.re.MatchString(host) {
		v.problem(v.found(), wantTrunkAddress)
		return
	}
	*dst = TrunkAddress{Network: scheme, Host: host, Port: uint16(port)}
}

// hours takes a part of the day; it may span midnight.
func (v value) hours(dst *Hours) {
	text, ok := v.scalar(clockShape.want)
	if !ok {
		return
	}
	m := clockShape.re.FindStringSubmatch(text)
	if m == nil || m[3] == "24" && m[4] != "00" || m[1] == m[3] && m[2] == m[4] {
		v.problem(v.found(), clockShape.want)
		return
	}
	clock := func(hour, minute string) time.Duration {
		h, _ := strconv.Atoi(hour) // digits, as the shape says
		m, _ := strconv.Atoi(minute)
		return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	}
	*dst = Hours{From: clock(m[1], m[2]), To: clock(m[3], m[4])}
}
