package testkit

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
)

// NAT is a home behind a router, as a phone's may be: private addresses, which the router puts its own public one in the place of,
// with a port by chance (masquerade; RFC 4787: mapping and filtering both depend on address and port). It knows nothing of SIP,
// and forgets what has been silent for a while. From outside nothing comes in that was not asked for, and nothing is answered.
type NAT struct {
	// Home is the network where the phone is, at Private.
	Home    *Network
	Private netip.Addr
	// Public is the router's address, and Outside one of this machine, which the router reaches; nobody else does.
	Public, Outside netip.Addr

	tb     testing.TB
	router *Network
}

// homes counts the homes, so that each has addresses of its own: those of a network for measurements (RFC 2544 appendix
// C.2.2), of which each takes four.
var homes atomic.Uint32

// StartNAT makes a home whose router forgets a mapping, of UDP or of an established connection of TCP, after so many seconds of
// silence. It goes with the test.
func StartNAT(tb testing.TB, seconds int) *NAT {
	tb.Helper()
	n := &NAT{tb: tb, Home: StartNetwork(tb), router: StartNetwork(tb), Private: netip.MustParseAddr("192.168.7.2")}
	const nets = 1 << 15 // of four addresses in 198.18.0.0/15
	first := 4 * ((uint32(os.Getpid())*16 + homes.Add(1)) % nets)
	at := func(i uint32) netip.Addr {
		return netip.AddrFrom4([4]byte{198, 18 + byte((first+i)>>16), byte((first + i) >> 8), byte(first + i)})
	}
	n.Outside, n.Public = at(1), at(2)
	Connect(tb, End{n.Home, "lan0", []string{n.Private.String() + "/24"}}, End{n.router, "home", []string{"192.168.7.1/24"}})
	Connect(tb, End{n.router, "wan0", []string{n.Public.String() + "/30"}}, End{nil, "", []string{n.Outside.String() + "/30"}})
	n.Home.Run(tb, "", "ip", "route", "add", "default", "via", "192.168.7.1")
	n.router.Run(tb, masquerade, "nft", "-f", "-")
	n.router.Run(tb, "", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1",
		fmt.Sprintf("net.netfilter.nf_conntrack_udp_timeout=%d", seconds),
		fmt.Sprintf("net.netfilter.nf_conntrack_udp_timeout_stream=%d", seconds),
		fmt.Sprintf("net.netfilter.nf_conntrack_tcp_timeout_established=%d", seconds))
	return n
}

// masquerade is what the router does.
const masquerade = `
table ip home {
	chain translate {
		type nat hook postrouting priority srcnat;
		oifname "wan0" masquerade fully-random
	}
	chain pass {
		type filter hook forward priority filter; policy drop;
		iifname "home" accept
		ct state established accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
	}
}
`

// Mapping is the public port that stands for the phone's, udp or tcp, towards a port of this machine; 0 when the router knows of
// none, which of tcp is established. Two are not told apart, and fail the test.
func (n *NAT) Mapping(transport string, to int) int {
	n.tb.Helper()
	table, err := os.ReadFile(n.router.file("net/nf_conntrack"))
	if errors.Is(err, os.ErrNotExist) {
		n.tb.Skip("this kernel does not show its NAT's table (CONFIG_NF_CONNTRACK_PROCFS)")
	}
	if err != nil {
		n.tb.Fatalf("read the router's table: %v", err)
	}
	state := ""
	if transport == overTCP {
		state = "ESTABLISHED "
	}
	// ipv4 2 udp 17 3 src=192.168.7.2 dst=… sport=5070 dport=… src=… dst=PUBLIC sport=… dport=MAPPED …
	// ipv4 2 tcp 6 5 ESTABLISHED src=192.168.7.2 dst=… sport=41234 dport=… src=… dst=PUBLIC sport=… dport=MAPPED …
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^.* %s +\d+ \d+ %ssrc=%s dst=%s sport=\d+ dport=%d .*? dport=(\d+) .*$`,
		transport, state, regexp.QuoteMeta(n.Private.String()), regexp.QuoteMeta(n.Outside.String()), to))
	mapped := 0
	for i, m := range line.FindAllStringSubmatch(string(table), -1) {
		if _, err := fmt.Sscan(m[1], &mapped); err != nil || mapped == 0 || i > 0 {
			n.tb.Fatalf("the router's table is not understood, or has two mappings (%v):\n%s", err, table)
		}
	}
	return mapped
}
