package config

import (
	"net/netip"
	"time"
)

const (
	wantNever = "addresses such as 203.0.113.5 or 203.0.113.0/24"

	eachMost        = 10_000
	allMost         = 100_000
	connectionsMost = 4000 // of 4096 that there are, so that trunks and agents are never kept out
)

func (r *reader) abuse(v value) {
	a := &r.cfg.SIP.Abuse
	v.fields(
		field{"requests", func(v value) { v.perHost(&a.Requests, eachMost, allMost) }},
		field{"invites", func(v value) { v.perHost(&a.Invites, eachMost, allMost) }},
		field{"connections", func(v value) { v.perHost(&a.Connections, connectionsMost, connectionsMost) }},
		field{"failures", func(v value) {
			v.perHost(&a.Failures.PerHost, 1000, allMost,
				field{"account", func(v value) { v.integer(&a.Failures.Account, 1, eachMost) }})
		}},
		field{"ban", func(v value) {
			v.fields(
				field{"first", func(v value) { v.duration(&a.Ban.First, time.Second, day) }},
				field{"most", func(v value) { v.duration(&a.Ban.Most, time.Second, 30*day) }},
			)
		}},
		field{"never", func(v value) { a.Never = v.never() }},
		field{"scanners", func(v value) { a.Scanners = v.scanners() }},
	)
}

// perHost takes {each: N, all: N}, and what else there is.
func (v value) perHost(dst *PerHost, each, all int, more ...field) {
	v.fields(append([]field{
		{"each", func(v value) { v.integer(&dst.Each, 1, each) }},
		{"all", func(v value) { v.integer(&dst.All, 1, all) }},
	}, more...)...)
}

func (v value) never() []netip.Prefix {
	var list []netip.Prefix
	v.items("a list of "+wantNever, func(_ int, item value) {
		if p, ok := item.prefixOf(wantNever, "bans nobody"); ok {
			list = append(list, p)
		}
	})
	return list
}

func (v value) scanners() []string {
	list := []string{}
	v.items("a list of what User-Agents have in them", func(_ int, item value) {
		var mark string
		item.text(&mark, markShape)
		if mark != "" {
			list = append(list, mark)
		}
	})
	return list
}

// checkAbuse: bans do not become shorter.
func (r *reader) checkAbuse() {
	if b := r.cfg.SIP.Abuse.Ban; !r.broken["sip.abuse.ban"] && b.First > b.Most {
		r.report("sip.abuse.ban", "first "+brief(b.First)+", most "+brief(b.Most), "first at most most")
	}
}
