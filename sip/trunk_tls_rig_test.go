package sip

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	is := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, is, is, &key.PublicKey, key)
	require.NoError(t, err)
	a := &authority{t: t, key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// issue signs a certificate for names, addresses, and URIs.
func (a *authority) issue(change func(c *x509.Certificate), names ...string) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	is := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "somebody"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			is.IPAddresses = append(is.IPAddresses, ip)
		} else if uri, err := url.Parse(name); err == nil && uri.Scheme != "" {
			is.URIs = append(is.URIs, uri)
		} else {
			is.DNSNames = append(is.DNSNames, name)
		}
	}
	if change != nil {
		change(is)
	}
	der, err := x509.CreateCertificate(rand.Reader, is, a.cert, &key.PublicKey, a.key)
	require.NoError(a.t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// files writes a certificate and its key.
func (a *authority) files(c tls.Certificate) (cert, key string) {
	a.t.Helper()
	dir := a.t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(a.t, err)
	require.NoError(a.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	require.NoError(a.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return cert, key
}

// tlsCarrier takes connections by TLS.
type tlsCarrier struct {
	t     *testing.T
	port  string
	shows atomic.Pointer[tls.Certificate]
	conns chan *tls.Conn // whose handshake is done
}

func newTLSCarrier(t *testing.T, shows tls.Certificate, clients *x509.CertPool) *tlsCarrier {
	t.Helper()
	c := &tlsCarrier{t: t, conns: make(chan *tls.Conn, 8)}
	c.shows.Store(&shows)
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, ClientCAs: clients,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shows.Load(), nil },
	}
	if clients != nil {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	lc := net.ListenConfig{Control: sharePort}
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, c.port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			secured := tls.Server(raw, config)
			if secured.HandshakeContext(t.Context()) != nil {
				_ = raw.Close()
				continue
			}
			c.conns <- secured
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
		close(c.conns)
		for conn := range c.conns {
			_ = conn.NetConn().Close()
		}
	})
	return c
}

// sharePort lets a port that is listened on be connected from, as Kamailio does with tcp_reuse_port.
func sharePort(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(err, set)
}

// dials is a connection that the carrier makes, from the port at which it takes others.
func (c *tlsCarrier) dials(r *rig) *peer {
	c.t.Helper()
	from, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+c.port)
	require.NoError(c.t, err)
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: from, Control: sharePort, Timeout: testWait}, Config: clientTLS()}
	conn, err := d.DialContext(c.t.Context(), "tcp", r.tls().String())
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = conn.(*tls.Conn).NetConn().Close() })
	return &peer{t: c.t, conn: conn, in: bufio.NewReader(conn), to: r.tls(), over: transportTLS}
}

// next is the next connection, as a peer.
func (c *tlsCarrier) next(r *rig) *peer {
	c.t.Helper()
	conn := next(c.t, c.conns)
	c.t.Cleanup(func() { _ = conn.NetConn().Close() })
	return &peer{t: c.t, conn: conn, in: bufio.NewReader(conn), to: r.tls(), over: transportTLS}
}

// tlsTrunkRig is a rig with a listener of TLS, whose trunk is reached by TLS, and does not call from its own address.
func tlsTrunkRig(t *testing.T, c *tlsCarrier, o TrunkTLS, change func(o *Options)) (*rig, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	r := newRig(t, listensTLS(newPEM(t, "us"), func(opts *Options) {
		opts.Logger = zap.New(core)
		opts.Trunks[0].Allow = []netip.Prefix{netip.MustParsePrefix("127.9.0.0/16")}
		opts.Trunks[0].Out = &TrunkOut{Network: "tls", Address: "localhost:" + c.port, From: testNumber}
		opts.Trunks[0].TLS = &o
		opts.Dial = []DialRule{rule("139")}
		if change != nil {
			change(opts)
		}
	}))
	return r, logs
}

func (r *rig) connections(outcome string) float64 {
	return testutil.ToFloat64(r.metrics.made.WithLabelValues("city", outcome))
}
