package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// listenPath is where a listener stands; those of the default stand nowhere.
func (r *reader) listenPath(i int) string {
	if i < len(r.listenPaths) {
		return r.listenPaths[i]
	}
	return "sip.listen"
}

// checkAddresses: every address that peers are told must be one they can reach.
func (r *reader) checkAddresses() {
	c := r.cfg
	outside := false
	for i, l := range c.SIP.Listen {
		if l.Address.Addr().IsUnspecified() && !l.Advertise.IsValid() && l.AdvertiseName == "" {
			r.report(r.listenPath(i), quote(l.Network+"://"+l.Address.String())+" without advertise",
				"{address: "+l.Network+"://"+l.Address.String()+", advertise: the address that peers reach}")
		}
		outside = outside || !l.Address.Addr().IsLoopback()
	}
	switch m := c.Media; {
	case r.broken["media"]:
	case m.Advertise.IsUnspecified() && r.written("media.advertise"):
		r.report("media.advertise", quote(m.Advertise.String()), "the address that peers reach")
	case m.Advertise.IsUnspecified():
		r.report("media.address", quote(m.Address.String())+" without media.advertise",
			"media.advertise: the address that peers reach")
	case m.Address.Is4() != m.Advertise.Is4() && m.Address != netip.IPv6Unspecified():
		r.report("media.advertise", quote(m.Advertise.String()),
			"an address of the family of media.address, "+m.Address.String()+", which is where RTP is bound; or media.address: \"::\", for both")
	case outside && m.Address.IsLoopback():
		r.report("media.address", quote(m.Address.String())+" while sip.listen is not on loopback",
			"the address of this machine that phones reach; nobody would be heard")
	}
	if e := c.SIP.Expires; !r.broken["sip.expires"] && (e.Min > e.Default || e.Default > e.Max) {
		r.report("sip.expires", fmt.Sprintf("min %s, default %s, max %s",
			brief(e.Min), brief(e.Default), brief(e.Max)), "min ≤ default ≤ max")
	}
	if s := c.SIP; s.SessionExpires < s.MinSE {
		r.report("sip.session_expires", fmt.Sprintf("session_expires %s, min_se %s",
			brief(s.SessionExpires), brief(s.MinSE)), "min_se ≤ session_expires")
	}
	if t := c.Media.Timeout; t > 0 && t < time.Second {
		r.report("media.timeout", brief(t), "0s, which is never, or at least 1s: it is looked at once a second")
	}
	if most := c.Media.Ports.Pairs() / 2; c.SIP.MaxCalls > most {
		r.report("sip.max_calls", strconv.Itoa(c.SIP.MaxCalls),
			fmt.Sprintf("at most %d, what media.ports has room for at 4 ports a call", most))
	}
}

// socket is something that will be bound.
type socket struct {
	path, network string
	addr          netip.AddrPort
	both          bool // unspecified, it is bound for both families, as package net does where it is asked for none
}

// clashes reports whether the system would refuse to bind both. A listener of SIP is of one family: [::] leaves IPv4 alone.
func (s socket) clashes(o socket) bool {
	a, b := s.addr.Addr(), o.addr.Addr()
	takes := a.IsUnspecified() && (s.both || a.Is4() == b.Is4()) || b.IsUnspecified() && (o.both || a.Is4() == b.Is4())
	return s.network == o.network && s.addr.Port() == o.addr.Port() && s.addr.Port() != 0 && (a == b || takes)
}

// checkPorts: nothing may be bound twice.
func (r *reader) checkPorts() {
	c := r.cfg
	var bound []socket
	for i, l := range c.SIP.Listen {
		bound = append(bound, socket{r.listenPath(i), l.Socket(), l.Address, false})
	}
	bound = append(bound, socket{"http.listen", tcp, c.HTTP.Listen, true})
	bound = append(bound, r.nodeSockets()...)
	first := map[socket]string{}
	for _, s := range bound {
		// Ports are few and listeners fewer, but the file is not bounded by that: compare only with
		// the first of each address.
		for other, path := range first {
			if s.clashes(other) {
				r.report(s.path, "an address that "+path+" takes", "each address and port once")
				break
			}
		}
		key := socket{"", s.network, s.addr, s.both}
		if _, ok := first[key]; !ok && len(first) < 1000 {
			first[key] = s.path
		}
		if rtp := (socket{"", udp, netip.AddrPortFrom(c.Media.Address, s.addr.Port()), true}); s.network == udp &&
			s.addr.Port() >= c.Media.Ports.Low && s.addr.Port() <= c.Media.Ports.High && s.clashes(rtp) {
			r.report("media.ports", fmt.Sprintf("a range with port %d of %s in it", s.addr.Port(), s.path),
				"ports that nothing else takes")
		}
	}
}

// tokenLeast is how long a token should be, in octets. A shorter one is for a demonstration.
const tokenLeast = 16

func (r *reader) checkTokens() {
	names, values := map[string]bool{}, map[string]bool{}
	for i, t := range r.cfg.HTTP.Tokens {
		path := fmt.Sprintf("http.tokens[%d]", i)
		if t.Name != "" && names[t.Name] {
			r.report(path+".name", quote(t.Name)+" again", "a name of its own")
		}
		if t.Token != (Secret{}) && values[t.Token.value] {
			r.report(path+".token", "the same token as another's", "one of its own, so that one can be withdrawn")
		}
		if n := len(t.Token.value); n > 0 && n < tokenLeast {
			r.warn(path+".token", fmt.Sprintf("a token of fewer than %d characters", tokenLeast),
				"one that nobody guesses, such as openssl rand -hex 16 makes")
		}
		names[t.Name], values[t.Token.value] = true, true
		r.checkTokenAgent(path+".agent", t)
	}
}

// checkTokenAgent: a token is an agent's only if it is an agent's token, of one that there is.
func (r *reader) checkTokenAgent(path string, t Token) {
	if t.Agent == "" {
		return
	}
	if t.Role != AgentRole {
		r.report(path, "an agent for a token of another role", "role: agent, or none")
		return
	}
	ids := map[string]bool{}
	for _, a := range r.cfg.Agents {
		ids[a.ID] = true
	}
	if !ids[t.Agent] && !r.gaps["agents"] {
		r.report(path, "no agent "+quote(t.Agent), "the id of an agent"+suggest(r, t.Agent, sortedKeys(ids)))
	}
}
