package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// checkDial: every rule goes through a trunk that can be called out through, by a listener that speaks its
// transport; and each prefix once, since the bounds of one would not be those of the other.
func (r *reader) checkDial() {
	c := r.cfg
	names, seen := map[string]bool{}, map[string]int{}
	for _, t := range c.Trunks {
		names[t.Name] = true
	}
	for i, d := range c.Dial {
		path := fmt.Sprintf("dial[%d]", i)
		if first, twice := seen[d.Prefix]; twice && d.Prefix != "" {
			r.report(path+".prefix", fmt.Sprintf("%s again, as in dial[%d]", quote(d.Prefix), first), "each prefix once")
		} else {
			seen[d.Prefix] = i
		}
		r.checkWays(path+".through", d, names)
	}
	for i, t := range c.Trunks {
		r.checkListens(trunkPath(i)+"."+keyAddress, t.Address)
		if r.written(trunkPath(i) + "." + keyRegister + "." + keyAddress) {
			r.checkListens(trunkPath(i)+"."+keyRegister+"."+keyAddress, t.Register.Address)
		}
	}
}

// checkWays: each of a rule's trunks can be called through, and stands once.
func (r *reader) checkWays(path string, d Dial, names map[string]bool) {
	ways := d.Ways
	if ways == nil {
		ways = [][]DialWay{{{Trunk: d.Through}}}
	}
	through := map[string]bool{}
	for _, w := range slices.Concat(ways...) {
		r.checkThrough(path, w.Trunk, names)
		if w.Trunk != "" && through[w.Trunk] {
			r.report(path, "trunk "+quote(w.Trunk)+" again", "each trunk once")
		}
		through[w.Trunk] = true
	}
}

// checkThrough: a trunk that numbers are called through is there, and has an address; "" was reported before.
func (r *reader) checkThrough(path, name string, names map[string]bool) {
	if name == "" {
		return
	}
	at := slices.IndexFunc(r.cfg.Trunks, func(t Trunk) bool { return t.Name == name })
	switch {
	case at < 0 && !r.gaps["trunks"]:
		r.report(path, "no trunk "+quote(name), "the name of a trunk"+suggest(r, name, sortedKeys(names)))
	case at >= 0 && !r.written(trunkPath(at)+"."+keyAddress):
		r.report(path, "a trunk without address", "trunks: address: "+wantTrunkAddress)
	}
}

// checkListens: what is sent to an address leaves by a listener of its transport, and of its family: [::] is IPv6 alone. Which
// families a name has is found out when it is called.
func (r *reader) checkListens(path string, a TrunkAddress) {
	if a == (TrunkAddress{}) {
		return
	}
	speaks := func(l Listener) bool { return l.Network == a.Network }
	if !slices.ContainsFunc(r.cfg.SIP.Listen, speaks) {
		r.report(path, "a trunk by "+a.Network, "a listener of "+a.Network+" in sip.listen")
		return
	}
	at, err := netip.ParseAddr(a.Host)
	reaches := func(l Listener) bool { return speaks(l) && l.Address.Addr().Unmap().Is4() == at.Unmap().Is4() }
	if err != nil || slices.ContainsFunc(r.cfg.SIP.Listen, reaches) {
		return
	}
	family, such := "IPv6", "[2001:db8::5]"
	if at.Unmap().Is4() {
		family, such = "IPv4", "192.0.2.5"
	}
	r.report(path, "a trunk at an "+family+" address, which no listener of "+a.Network+" reaches",
		"a listener in sip.listen at an "+family+" address of this machine, such as "+a.Network+"://"+such+":5060")
}

// checkOutside: a number that the file has called is one that a rule allows. It is not quoted: what is wrong is logged, too.
func (r *reader) checkOutside(path, number string) {
	if r.cfg.MayDial(number) || r.lost["dial"] {
		return
	}
	r.report(path, "a number that nothing in dial allows", "a number that begins with a prefix of dial, and is as long as that entry says")
}
