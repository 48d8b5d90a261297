package sip

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	sipmsg "github.com/emiago/sipgo/sip"
)

// TrunkOut is how numbers outside are called through a trunk.
type TrunkOut struct {
	// Network is "udp", "tcp" or "tls".
	Network string
	// Address is HOST:PORT; a name is looked up for each call.
	Address string
	// Domain is the host of From, To and the Request-URI, if it is another than Address's, and than ours in From.
	Domain string
	// Username and Password answer the trunk's challenge (RFC 3261 section 22); both empty where it knows
	// us by our address.
	Username, Password string
	// From is our own number. The called party sees it, unless Shows says otherwise, and the carrier is told it.
	From string
	// Shows is which number the called party sees; the zero value is ShowOwn.
	Shows Shown
}

// hostPort splits the address; a port that makes no sense is that of SIP.
func (o *TrunkOut) hostPort() (string, uint16) { return hostAndPort(o.Address) }

// hostAndPort splits HOST:PORT; a port that makes no sense is that of SIP.
func hostAndPort(address string) (string, uint16) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return host, uint16(sipmsg.DefaultUdpPort) // of TCP as well
	}
	return host, uint16(port)
}

// inDomain is a URI of a trunk as it is asked for: the domain alone, where it has one, since the way there is another matter (RFC
// 3261 section 8.1.2); else the host, the port, and the transport that is not UDP.
func inDomain(domain string, uri sipmsg.Uri, network string) sipmsg.Uri {
	if domain != "" {
		uri.Host, uri.Port = domain, 0
		return uri
	}
	if !strings.EqualFold(network, networkUDP) {
		uri.UriParams.Add("transport", strings.ToLower(network))
	}
	return uri
}

// named tells whether a trunk that we call out by has that host.
func (t *trunks) named(host string) bool {
	return slices.ContainsFunc(t.list, func(one *trunk) bool {
		if one.out == nil {
			return false
		}
		name, _ := one.out.hostPort()
		return strings.EqualFold(name, host) || strings.EqualFold(one.out.Domain, host)
	})
}

// calledMost is how many of the addresses that a trunk was called at are known for its: calls go on at those before the last.
const calledMost = 8

// calledAt tells whether a host is where a trunk was called of late, or asked: its answers come from there.
func (t *trunks) calledAt(host netip.Addr) bool {
	return slices.ContainsFunc(t.list, func(one *trunk) bool {
		return one.ping != nil && one.ping.hosts.has(host.Unmap()) || one.at.has(host.Unmap())
	})
}
