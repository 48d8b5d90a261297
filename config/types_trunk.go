package config

import (
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Trunk is a carrier that calls in without registering, or because we have registered there, and that numbers outside are called through if it has an address.
type Trunk struct {
	Name    string
	Allow   []netip.Prefix         // sources; masked, IPv4 never mapped into IPv6; never everything
	Numbers map[string]Destination // numbers dialled, and where each leads
	// Address is where it takes calls; the zero value: it is not called out through.
	Address TrunkAddress
	// Username and Password answer its challenge; both empty where it knows us by our address.
	Username string
	Password Secret
	// Register is how it is told where we are; the zero value: it knows.
	Register TrunkRegister
	// Ping is how often it is asked by OPTIONS whether it lives, at Address, else at Register's; key `ping`, 1s to 10m,
	// or 0s (never), which is the default.
	Ping time.Duration
	// From is the number that is shown to who is called; default the least of Numbers.
	From string
	// SRTP is whether audio through it is encrypted; key `srtp`, default off.
	SRTP SRTP
}

// TrunkAddress is where a carrier takes calls.
type TrunkAddress struct {
	// Network is "udp", "tcp" or "tls".
	Network string
	// Host is an IP address, without brackets, or a name.
	Host string
	Port uint16 // never 0
}

// HostPort is HOST:PORT, an IPv6 address in brackets.
func (a TrunkAddress) HostPort() string { return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port))) }

// TrunkRegister is how we register to a carrier (RFC 3261 section 10.2). Key `trunks[].register`.
type TrunkRegister struct {
	Address  TrunkAddress  // of the registrar; default the trunk's
	Username string        // of the account there; also the trunk's where that has none
	Password Secret        // never empty
	Expires  time.Duration // asked for: whole seconds from 60s to 24h, default 1h
}
