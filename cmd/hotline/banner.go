package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"hotline/config"
)

// agentsShown is how many agents the banner lists.
const agentsShown = 8

// banner tells a person how to register a softphone, what to dial, and where to look. The file is the
// configuration's; without one it is the reference.
func banner(a *app, file string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("%s is answering.", a.cfg.Service.Name)
	p("")
	p("  Register a softphone as an agent")
	for i, l := range a.cfg.SIP.Listen {
		p("    server    %s  over %s", a.reachedAt(i), strings.ToUpper(l.Network))
	}
	for i, g := range a.cfg.Agents {
		if i == agentsShown {
			p("              ... and %d more", len(a.cfg.Agents)-i)
			break
		}
		p("    user      %s", cells(g.ID, 10, g.Name, 12, strings.Join(slices.Sorted(maps.Keys(g.Skills)), ", "), 60))
	}
	if file == "" {
		p("    password  that of the reference hotline: one, two, three, four, in this order")
	} else {
		p("    password  see agents in %s", file)
	}
	p("")
	for _, t := range a.cfg.Trunks {
		p("  Ring the hotline by trunk %s: %s", t.Name, whoRings(t))
		for _, number := range slices.Sorted(maps.Keys(t.Numbers)) {
			p("    %-36s %s", fmt.Sprintf("sip:%s@%s", number, a.reachedAt(0)), whereTo(leadsTo(t.Numbers[number])))
		}
	}
	p("")
	p("  The wall    http://%s/", a.http.Addr())
	p("  The API     http://%s/api/v1/calls  with a bearer token of http.tokens", a.http.Addr())
	for _, t := range a.cfg.GeneratedTokens() {
		p("              token %q is not set; until the next start it is %s", t.Name, t.Token.Reveal())
	}
	p("")
	if a.onLoopback() {
		p("  Only phones on this machine reach it. For others: hotline init -o hotline.yaml")
	}
	p("  Ctrl-C lets live calls end and stops; twice, at once.")
	p("")
	return b.String()
}

// reachedAt is where peers reach a listener.
func (a *app) reachedAt(i int) netip.AddrPort {
	bound, told := a.ua.Addrs()[i], a.cfg.SIP.Listen[i].Advertise
	if !told.IsValid() {
		return bound
	}
	if told.Port() == 0 {
		return netip.AddrPortFrom(told.Addr(), bound.Port())
	}
	return told
}

func (a *app) onLoopback() bool {
	return !slices.ContainsFunc(a.ua.Addrs(), func(l netip.AddrPort) bool { return !l.Addr().IsLoopback() })
}

func list(prefixes []netip.Prefix) string {
	words := make([]string, len(prefixes))
	for i, p := range prefixes {
		words[i] = p.String()
	}
	return strings.Join(words, ", ")
}

// whoRings says whose calls are a trunk's.
func whoRings(t config.Trunk) string {
	var ways []string
	if len(t.Allow) > 0 {
		ways = append(ways, "from "+list(t.Allow)+", without registration or password")
	}
	if t.Login.Username != "" {
		ways = append(ways, "with the password of its login")
	}
	if t.Register.Username != "" {
		ways = append(ways, "through the carrier that it registers to at "+t.Register.Address.HostPort())
	}
	if t.Ping > 0 && (t.Address.Network == "tcp" || t.Address.Network == "tls") {
		ways = append(ways, "over the connection to "+t.Address.HostPort()+" that its ping keeps open")
	}
	return strings.Join(ways, "; ")
}
