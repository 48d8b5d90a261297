package config

import (
	"math"
	"net"
	"strconv"
	"strings"
)

const (
	keyNumbers = "numbers"
)

const wantHEPAddress = "udp://HOST:PORT, where the HEP server listens"

func (r *reader) observe(v value) {
	v.fields(field{"hep", r.hep})
}

func (r *reader) hep(v value) {
	h := &r.cfg.Observe.HEP
	id, numbers := int(h.ID), maskedNumbers
	v.fields(
		field{keyAddress, func(v value) { v.hepAddress(&h.Address) }},
		field{"id", func(v value) { v.integer(&id, 1, math.MaxInt32) }},
		field{keyPassword, func(v value) {
			if !v.secret(&h.Password) {
				v.problem("nothing, or what is not set", wantSecret)
			}
		}},
		field{keyNumbers, func(v value) { oneOf(v, &numbers, maskedNumbers, fullNumbers) }},
	)
	h.ID = uint32(id) //nolint:gosec // its bounds are read
	h.FullNumbers = numbers == fullNumbers
	if h.Address == "" && !v.empty() && !r.broken[v.path+"."+keyAddress] {
		r.report(v.path+"."+keyAddress, "nothing", wantHEPAddress)
	}
}

func (v value) hepAddress(dst *string) {
	text, ok := v.scalar(wantHEPAddress)
	if !ok {
		return
	}
	rest, is := strings.CutPrefix(text, udp+"://")
	host, portText, err := net.SplitHostPort(rest)
	port, perr := strconv.ParseUint(portText, 10, 16)
	if !is || err != nil || perr != nil || port == 0 || !hostShape.re.MatchString(host) {
		v.problem(v.found(), wantHEPAddress)
		return
	}
	*dst = net.JoinHostPort(host, strconv.FormatUint(port, 10))
}
