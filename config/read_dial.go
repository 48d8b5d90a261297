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
		{keyShows, func(v value) { oneOf(v, &t.Shows, ShowOwn, ShowDialled, ShowCaller, ShowNobody) }},
	}
}

// settleOut gives a trunk that is called out through its own number, and reports what is half said.
func (v value) settleOut(t *Trunk) {
	if v.r.written(v.path+".username") != v.r.written(v.path+".password") {
		v.problem("one of username and password", "both, or neither where the carrier knows this machine by its address")
	}
	if !v.r.written(v.path + "." + keyAddress) {
		for _, key := range []string{"username", "from", keyShows} {
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

// lengthShape is how long numbers are.
var lengthShape = shape{
	regexp.MustCompile(`^([0-9]{1,2})(-([0-9]{1,2}))?$`), "how many digits numbers have, such as 11 or 7-12, from 1 to 32",
}

// numberDigits takes how many digits numbers have.
func (v value) numberDigits(dst *NumberDigits) {
	text, ok := v.scalar(lengthShape.want)
	if !ok {
		return
	}
	m := lengthShape.re.FindStringSubmatch(text)
	if m == nil {
		v.problem(v.found(), lengthShape.want)
		return
	}
	d := NumberDigits{}
	d.From, _ = strconv.Atoi(m[1]) // digits, as the shape says
	if d.To = d.From; m[3] != "" {
		d.To, _ = strconv.Atoi(m[3])
	}
	if d.From < 1 || d.To < d.From || d.To > 32 {
		v.problem(v.found(), lengthShape.want)
		return
	}
	*dst = d
}

// longest takes how long a call may last: the bounds have a hole.
func (v value) longest(dst *time.Duration) {
	v.duration(dst, 0, day)
	if *dst != 0 && *dst < time.Minute {
		v.problem(brief(*dst), "0s, which is no bound, or at least 1m")
	}
}

// settleDigits is how long numbers are where nothing says so (ITU-T E.164 section 6; China's plan where they begin with 1), and
// reports a length that no number with the prefix has.
func (v value) settleDigits(d *Dial) {
	path := v.path + ".digits"
	switch prefix := len(strings.TrimPrefix(d.Prefix, "+")); {
	case v.r.broken[path]:
	case d.Digits == (NumberDigits{}):
		most := mostDigits
		switch {
		case strings.HasPrefix(d.Prefix, internationalPrefix):
			most += len(internationalPrefix)
		case strings.HasPrefix(d.Prefix, "1"):
			most = mostAtHome
		}
		d.Digits = NumberDigits{From: 1, To: max(most, prefix)}
	case d.Digits.To < prefix:
		v.r.report(path, strconv.Itoa(d.Digits.To)+", less than the prefix has", "at least "+strconv.Itoa(prefix))
	}
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
