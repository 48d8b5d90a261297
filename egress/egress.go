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
