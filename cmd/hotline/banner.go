package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// banner tells a person how to register a softphone, what to dial, and where to look.
func banner(w io.Writer, a *app) {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("%s is answering.", a.cfg.Service.Name)
	p("")
	server := a.ua.Addrs()[0]
	p("  Softphones of agents register at %s:", server)
	for i, l := range a.cfg.SIP.Listen {
		p("    %s %s", l.Network, a.ua.Addrs()[i])
	}
	for i, g := range a.cfg.Agents {
		if i == 4 {
			p("    ... and %d more", len(a.cfg.Agents)-i)
			break
		}
		p("    user %-8s password as configured   skills: %s", g.ID,
			strings.Join(slices.Sorted(maps.Keys(g.Skills)), ", "))
	}
	p("  Numbers to dial, from an address that a trunk allows:")
	for _, t := range a.cfg.Trunks {
		for _, number := range slices.Sorted(maps.Keys(t.Numbers)) {
			to := t.Numbers[number]
			p("    sip:%s@%s   %s", number, server, strings.TrimSpace(to.Menu+" "+to.Queue))
		}
	}
	p("  The wall:    http://%s/", a.http.Addr())
	p("  The API:     http://%s/api/v1/calls", a.http.Addr())
	for _, t := range a.cfg.GeneratedTokens() {
		p("    token %q was not set; until the next start it is: %s", t.Name, t.Token.Reveal())
	}
	p("")
	p("  Ctrl-C drains and stops; twice, at once.")
	p("")
	_, _ = io.WriteString(w, b.String()) // nobody to tell when the terminal is gone
}
