package sip

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// TrunkTLS is how connections to a trunk are secured, those of its Out and Register whose Network is "tls". Files are PEM,
// and read anew when they have changed as often as a connection is made, so that what is open stays as it is.
type TrunkTLS struct {
	// CA is a file of the authorities one of which must have signed the trunk's certificate; empty: those of the system.
	CA string
	// Name is whom the certificate must be for, and what the server is asked for (SNI); empty: the host of the address.
	Name string
	// Certificate and Key are what we show a server that asks for it; both empty: nothing.
	Certificate, Key string
}

// CheckTrunkTLS tells why connections cannot be secured so; nil if they can. Errors: a file cannot be read, holds no
// certificate, or a key that belongs to none; one of Certificate and Key without the other.
func CheckTrunkTLS(o TrunkTLS) error {
	_, err := newTrunkTLS(o)
	return err
}

// trunkTLS is a TrunkTLS with what its files held when they were read last. It may be used from any goroutine.
type trunkTLS struct {
	o TrunkTLS

	mu       sync.Mutex
	seen     [2]filesSeen
	material trustMaterial
}

// trustMaterial is what the files of a TrunkTLS hold.
type trustMaterial struct {
	roots *x509.CertPool   // nil: the system's
	own   *tls.Certificate // nil: none
}

var (
	errNoAuthority = errors.New("it holds no certificate in PEM")
	errHalfAPair   = errors.New("a certificate and its key belong together, and one of them is not given")
)

func newTrunkTLS(o TrunkTLS) (*trunkTLS, error) {
	t := &trunkTLS{o: o, seen: o.look()}
	var err error
	t.material, err = o.read()
	return t, err
}

// secureTrunks reads the files of all trunks that have some, by their names. Errors: those of CheckTrunkTLS.
func secureTrunks(options []TrunkOptions) (map[string]*trunkTLS, error) {
	all := make(map[string]*trunkTLS)
	for _, o := range options {
		if o.TLS == nil {
			continue
		}
		t, err := newTrunkTLS(*o.TLS)
		if err != nil {
			return nil, fmt.Errorf("trunk %s: %w", o.Name, err)
		}
		all[o.Name] = t
	}
	return all, nil
}

// secure gives its trunks what was read. It is called before anybody has the plan.
func (p *plan) secure(read map[string]*trunkTLS) {
	for _, one := range p.list {
		one.tls = read[one.name]
	}
}

func (o *TrunkTLS) look() [2]filesSeen {
	return [2]filesSeen{look(o.CA, ""), look(o.Certificate, o.Key)}
}

func (o *TrunkTLS) read() (m trustMaterial, err error) {
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return m, fmt.Errorf("read the authorities of a trunk: %w", err)
		}
		m.roots = x509.NewCertPool()
		if !m.roots.AppendCertsFromPEM(pem) {
			return m, fmt.Errorf("read the authorities of a trunk from %s: %w", o.CA, errNoAuthority)
		}
	}
	if (o.Certificate == "") != (o.Key == "") {
		return m, errHalfAPair
	}
	if o.Certificate != "" {
		shown, err := readCertificate(o.Certificate, o.Key)
		if err != nil {
			return m, err
		}
		m.own = &shown.Certificate
	}
	return m, nil
}

// current is what the files hold; where they cannot be read any more, what they held before, and why.
func (t *trunkTLS) current() (trustMaterial, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.look()
	if now == t.seen {
		return t.material, nil
	}
	t.seen = now
	next, err := t.o.read()
	if err != nil {
		return t.material, err
	}
	t.material = next
	return next, nil
}

// trustIn is what an aim's trunk has connections secured by, and whom the certificate must be for.
func (u *UA) trustIn(to aim) (name string, m trustMaterial) {
	t := u.plan().byName(to.trunk)
	if t == nil || t.tls == nil {
		return to.host, m
	}
	m, err := t.tls.current()
	if err != nil {
		u.log.Error("changed files of a trunk's TLS not taken, what they held before stays in force",
			zap.String("trunk", to.trunk), zap.Error(err))
	}
	return cmp.Or(t.tls.o.Name, to.host), m
}

// clientTLS is how a connection to a peer is secured: as the trunk there has it, or, at nobody's address, by what the system
// trusts, for the host that led there.
func (u *UA) clientTLS(to aim, host string, peer netip.AddrPort) *tls.Config {
	name, m := u.trustIn(to)
	return m.config(cmp.Or(name, host, peer.Addr().String()))
}

// secures returns when requests of a trunk may leave by h: a connection is open, and its certificate is believed for that
// trunk, be it that it was made for another (RFC 5923 section 9.1).
func (u *UA) secures(ctx context.Context, to aim, h hop) error {
	if h.transport != transportTLS {
		return nil
	}
	key := flowKey{h.transport, parsePeer(h.dest)}
	if c := u.conns.carried(key.transport, key.source); c != nil && !c.made {
		if err := c.makesWay(ctx); err != nil {
			return err
		}
	}
	if err := u.outward.connect(ctx, key, to, to.host); err != nil {
		return err
	}
	c := u.conns.carried(key.transport, key.source)
	if c == nil || c.to == to {
		return nil // lost this moment: whoever sends opens another
	}
	var shown []*x509.Certificate
	if conn, ok := c.Conn.(*tls.Conn); ok && c.made {
		shown = conn.ConnectionState().PeerCertificates
	}
	name, m := u.trustIn(to)
	err := verifyServer(shown, m.roots, name, time.Now())
	if err != nil {
		u.connected(to, key.source, err)
	}
	return err
}

// config verifies a server by RFC 5922, in which the standard library's own way lacks identities that are URIs.
func (m trustMaterial) config(name string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, // RFC 8996: neither 1.0 nor 1.1
		ServerName: name,
		//nolint:gosec // VerifyConnection does all of it, on each connection
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			return verifyServer(s.PeerCertificates, m.roots, name, time.Now())
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if m.own == nil {
				return &tls.Certificate{}, nil // none: the server decides whether it goes on
			}
			return m.own, nil
		},
	}
}

// errUntrusted: a server is not who it should be.
var errUntrusted = errors.New("the server's certificate is refused")

// verifyServer tells why a server is not who it should be (RFC 5922 section 7.3); nil: it is.
func verifyServer(shown []*x509.Certificate, roots *x509.CertPool, name string, at time.Time) error {
	if len(shown) == 0 {
		return fmt.Errorf("%w: none was shown", errUntrusted)
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	leaf := shown[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at}); err != nil {
		return fmt.Errorf("%w: that of %q, signed by %q: %w", errUntrusted, leaf.Subject, leaf.Issuer, err)
	}
	if domains := sipDomains(leaf); slices.ContainsFunc(domains, func(d string) bool { return strings.EqualFold(d, name) }) {
		return nil
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return fmt.Errorf("%w: it is not for %q, correct the trunk's address or tls.name: %w", errUntrusted, name, err)
	}
	return nil
}

// sipDomains are the identities of a certificate that are URIs: those of sip, of a host alone (RFC 5922 section 7.1).
func sipDomains(c *x509.Certificate) (domains []string) {
	for _, uri := range c.URIs {
		if !strings.EqualFold(uri.Scheme, schemeSIP) || uri.Opaque == "" || strings.ContainsAny(uri.Opaque, "@:;?") {
			continue
		}
		domains = append(domains, uri.Opaque)
	}
	return domains
}
