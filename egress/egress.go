// Package egress owns how the hotline asks other people's HTTP servers: look-ups of menus, webhooks. Where to
// ask is the configuration's; what this package sees to is that a name in it cannot be made to mean the
// machine's own neighbourhood (server-side request forgery), and that nothing is followed or awaited without end.
//
// It is a leaf. Package cmd/hotline makes a client and hands it to who asks (ivr.Doer).
//
// Goroutines: none are started but those of net/http's transport, which [Client.Close] ends. A Client may be used
// by any goroutine.
package egress

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Bounds of a client.
const (
	dialWithin   = 5 * time.Second
	maxPerHost   = 64       // connections, so that a slow server does not get all there are
	maxHeader    = 16 << 10 // octets of an answer's header
	idleAtMost   = time.Minute
	defaultLimit = 30 * time.Second
)

// ErrRefused says that an address is one that nobody is asked at.
var ErrRefused = errors.New("an address that is not asked")

// refused are addresses that answer for the machine or its network and not for a server of the operator's:
// unspecified (RFC 1122 section 3.2.1.3), link-local (RFC 3927, RFC 4291 section 2.5.6), multicast, and where
// clouds keep a machine's credentials beside these.
var refused = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("224.0.0.0/3"),
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::254/128"),      // Amazon
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google
	netip.MustParsePrefix("64:ff9b::a9fe:0/112"),    // link-local by NAT64 (RFC 6052)
	netip.MustParsePrefix("64:ff9b::6464:64c8/128"), // and Alibaba's
	netip.MustParsePrefix("64:ff9b::a83f:8110/128"), // and Azure's
	netip.MustParsePrefix("64:ff9b::/104"),          // and 0.0.0.0/8
}

// Allowed reports whether an address may be asked. Loopback and private ones may: that is where a utility's
// own servers are.
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
	return true
}

// Client asks over HTTP/1.1 and HTTP/2. Make one with New.
type Client struct {
	http      http.Client
	transport *http.Transport
}

// New makes a client whose requests end within limit, 30 s if it is 0. It goes through no proxy, since then it
// would be the proxy's address that is looked at; follows no redirect: a 3xx is the answer; and keeps no cookies.
func New(limit time.Duration) *Client {
	if limit <= 0 {
		limit = defaultLimit
	}
	dialer := &net.Dialer{Timeout: dialWithin, Control: control}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: dialWithin, ForceAttemptHTTP2: true,
		MaxConnsPerHost: maxPerHost, MaxIdleConnsPerHost: 4, IdleConnTimeout: idleAtMost,
		MaxResponseHeaderBytes: maxHeader,
	}
	return &Client{
		transport: t,
		http: http.Client{
			Transport: t, Timeout: limit,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Do makes a request. Errors: as of http.Client; one that wraps ErrRefused when the name led to an address that
// is not asked. Who gets an answer closes its body.
func (c *Client) Do(r *http.Request) (*http.Response, error) { return c.http.Do(r) }

// Close ends the connections that are kept open. Requests may still be made.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// control looks at the address itself, after names were resolved and before anything is sent: a name that is
// looked up twice may mean two things.
func control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, ErrRefused)
	}
	if !Allowed(to.Addr()) {
		return fmt.Errorf("%s: %w", to.Addr(), ErrRefused)
	}
	return nil
}
