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
// and read anew when they have changed, for connections that are made from then on: what is open stays as it is.
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
	seen     [2]filesSeen // how the files were when they were judged last
	looked   [2]filesSeen // how they were at the last look of judge
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

// secure gives its trunks what was read, and begins what is counted of their connections at 0, so that the first failure is seen as
// one. It is called before anybody has the plan.
func (p *plan) secure(read map[string]*trunkTLS, m *metrics) {
	for _, one := range p.list {
		if one.tls = read[one.name]; one.tls != nil {
			m.trunkFiles.WithLabelValues(one.name, certificateLoaded).Inc()
			m.trunkFiles.WithLabelValues(one.name, certificateRefused)
		}
		if one.connects() {
			for _, outcome := range []string{connectionMade, connectionUntrusted, connectionUnreachable} {
				m.made.WithLabelValues(one.name, outcome)
			}
		}
	}
}

// connects tells whether a trunk is reached by connections that we make.
func (t *trunk) connects() bool {
	is := func(network string) bool { return reliable(strings.ToUpper(network)) }
	return t.out != nil && is(t.out.Network) || t.reg != nil && is(t.reg.o.Network)
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

// current is what the files hold, and whether that is new; where they cannot be read, what they held before. That they cannot is
// for judge to say: this may be the instant between the writing of one and of the other.
func (t *trunkTLS) current() (m trustMaterial, fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.look()
	if now == t.seen {
		return t.material, false
	}
	next, err := t.o.read()
	if err != nil {
		return t.material, false
	}
	t.seen, t.material = now, next
	return next, true
}

// judge reads files that have changed since they were judged last, and not since the last look; it tells whether they are in
// force now. Errors are those of CheckTrunkTLS; what was read before is in force then.
func (t *trunkTLS) judge() (fresh bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.o.look()
	changing := now != t.looked
	t.looked = now
	if changing || now == t.seen {
		return false, nil
	}
	t.seen = now
	next, err := t.o.read()
	if err != nil {
		return false, err
	}
	t.material = next
	return true, nil
}

// until is when the certificate ends that is shown; the zero time where none is.
func (t *trunkTLS) until() (at time.Time) {
	if t == nil {
		return at
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.material.own != nil {
		at = t.material.own.Leaf.NotAfter
	}
	return at
}

// watchTrunkFiles has the files of trunks' TLS judged until ctx is done: without that nobody would know before the next connection,
// which may be weeks away, whether they are any good.
func (u *UA) watchTrunkFiles(ctx context.Context, every time.Duration) error {
	return again(ctx, every, func(time.Time) {
		for _, one := range u.plan().list {
			if one.tls == nil {
				continue
			}
			switch fresh, err := one.tls.judge(); {
			case err != nil:
				u.metrics.trunkFiles.WithLabelValues(one.name, certificateRefused).Inc()
				u.log.Error("changed files of a trunk's TLS not taken, what they held before stays in force",
					zap.String("trunk", one.name), zap.Error(err))
			case fresh:
				u.metrics.trunkFiles.WithLabelValues(one.name, certificateLoaded).Inc()
			}
		}
	})
}

// trustIn is what an aim's trunk has connections secured by, and whom the certificate must be for.
func (u *UA) trustIn(to aim) (name string, m trustMaterial) {
	t := u.plan().byName(to.trunk)
	if t == nil || t.tls == nil {
		return to.host, m
	}
	m, fresh := t.tls.current()
	if fresh {
		u.metrics.trunkFiles.WithLabelValues(to.trunk, certificateLoaded).Inc()
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
