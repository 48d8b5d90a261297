package egress

import "net/netip"

// refused are addresses that answer for the machine or its network and not for a server of the operator's:
// unspecified (RFC 1122 section 3.2.1.3), link-local (RFC 3927, RFC 4291 section 2.5.6), multicast and reserved,
// and where clouds keep a machine's credentials beside these.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"), // site-local, deprecated by RFC 3879
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::/32"),    // Amazon
	netip.MustParsePrefix("fd20:ce::254/128"), // Google
	netip.MustParsePrefix("2001::/32"),        // Teredo (RFC 4380): the way is a stranger's relay
	netip.MustParsePrefix("64:ff9b:1::/48"),   // NAT64 for local use (RFC 8215): the net chooses where the IPv4 stands
}

// embedding says where a form of IPv6 addresses has an IPv4 address in it.
type embedding struct {
	prefix netip.Prefix
	at     int // the octet that the IPv4 address begins at
}

// embeddings are the forms by which an IPv4 address can be reached as IPv6.
var embeddings = []embedding{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, deprecated by RFC 4291 section 2.5.5.1
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 2765 section 2.1)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052 section 2.1)
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056 section 2)
}

// Allowed reports whether an address may be asked. Loopback and private ones may: that is where a utility's
// own servers are. An IPv4 address within an IPv6 one is looked at as well, and there only a public one may be
// asked: whoever writes a private address in such a form wants it overlooked.
func Allowed(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return false
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	if a == netip.IPv6Loopback() {
		return true
	}
	for _, e := range embeddings {
		if e.prefix.Contains(a) {
			octets := a.As16()
			v4 := netip.AddrFrom4([4]byte(octets[e.at : e.at+4]))
			return Allowed(v4) && public(v4)
		}
	}
	return true
}

// shared is the address space behind a carrier's translator (RFC 6598), as private as those of RFC 1918.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// public reports whether an IPv4 address is one of the whole internet's.
func public(a netip.Addr) bool { return !a.IsPrivate() && !a.IsLoopback() && !shared.Contains(a) }
