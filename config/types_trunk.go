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
	// Domain is the host of what it is asked for and by, where that is not its address's, or ours; key `domain`, default none.
	Domain string
	// Username and Password answer its challenge; both empty where it knows us by our address.
	Username string
	Password Secret
	// Register is how it is told where we are; the zero value: it knows.
	Register TrunkRegister
	// Ping is how often it is asked by OPTIONS whether it lives, at Address, else at Register's; key `ping`, 1s to 10m,
	// or 0s (never). Default 30s of a trunk that is registered to over UDP, else 0s.
	Ping time.Duration
	// Login is what it answers our challenge with, where it has no address that we know; key `login`, default none.
	Login TrunkLogin
	// Codecs are those spoken through it, in order of preference; key `codecs`, default those of Media.
	Codecs []Codec
	// MaxCalls bounds the calls under way by it, both ways; key `max_calls`, 0 (the default: no bound) to 32768.
	MaxCalls int
	// Normalise is how its numbers are written; the zero value: as they come.
	Normalise Normalise
	// From is our number: it is shown to who is called, unless Shows says otherwise, and asserted; default the least of Numbers.
	From string
	// Shows is which number who is called sees; key `shows`, default own.
	Shows ShownNumber
	// Doubted: what its calls say of their callers, beyond From, is not believed; key `trust`, default true, which is not
	// doubted.
	Doubted bool
	// TLS is how connections to Address, and Register's, are secured where they are of tls; key `tls`.
	TLS TrunkTLS
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

// TrunkTLS is how connections to a trunk are secured. Files are PEM. Key `trunks[].tls`.
type TrunkTLS struct {
	// CA is a file of the authorities, one of which must have signed the carrier's certificate; key `ca`, default those of
	// the system.
	CA string
	// Name is whom that certificate must be for; key `name`, default the host of the address.
	Name string
	// Certificate and Key are what is shown to a carrier that asks for it; both or neither, which is the default.
	Certificate, Key string
}

// TrunkLogin is an account of ours that a trunk calls by. Both are set, or neither.
type TrunkLogin struct {
	Username string // no agent's id
	Password Secret
}

// TrunkRegister is how we register to a carrier (RFC 3261 section 10.2). Key `trunks[].register`.
type TrunkRegister struct {
	Address  TrunkAddress  // of the registrar; default the trunk's
	Username string        // answers its challenge, with Password; also the trunk's where that has none
	User     string        // of the account's address; key `user`, default Username
	Password Secret        // never empty
	Expires  time.Duration // asked for: whole seconds from 60s to 24h, default 1h
	// Refresh is how long at most until it is registered again, however long the carrier grants; key `refresh`, 5s to 24h, or
	// 0s: until shortly before that is over. Default 1m over UDP, where nothing tells of a carrier that restarted; else 0s.
	Refresh time.Duration
}

// Normalise is how a trunk's numbers are written, by the numbering plan of China. Key `trunks[].normalise`.
type Normalise struct {
	Area string // our area code, without its 0; empty: numbers without one stay as they are
	// Shown is the form of callers' numbers, Dialled of those that the carrier is sent; default national.
	Shown, Dialled NumberForm
}

// ShownNumber is which number is shown to who is called, by its name in the file.
type ShownNumber string

// What is shown.
const (
	ShowOwn     ShownNumber = "own"     // From; the zero value is the same
	ShowDialled ShownNumber = "dialled" // the number of ours that the caller had dialled, if the trunk has it
	ShowCaller  ShownNumber = "caller"  // the caller's, unless they asked for it not to be shown
	ShowNobody  ShownNumber = "nobody"
)

// NumberForm is how a telephone number is written, by its name in the file.
type NumberForm string

// The forms.
const (
	NumberAsIs     NumberForm = "as-is"
	NumberE164     NumberForm = "e164"     // +8675588888888
	NumberNational NumberForm = "national" // 075588888888
	NumberLocal    NumberForm = "local"    // 88888888 in our area, else national
)
