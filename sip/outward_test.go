package sip

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// Whom a certificate is for (RFC 5922 section 7.1), and whether it is believed.
func TestVerifyServer(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	old := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	client := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	for _, c := range []struct {
		names  []string
		change func(c *x509.Certificate)
		name   string
		good   bool
	}{
		{[]string{"sip.example.com"}, nil, "sip.example.com", true},
		{[]string{"sip.example.com"}, nil, "SIP.Example.com", true},
		{[]string{"sip.example.com"}, nil, "example.com", false},
		{[]string{"*.example.com"}, nil, "sip.example.com", true},
		{[]string{"*.example.com"}, nil, "a.sip.example.com", false},
		{[]string{"sip:example.com"}, nil, "Example.com", true},
		{[]string{"sip:example.com", "other.example"}, nil, "other.example", true},
		{[]string{"sip:somebody@example.com"}, nil, "example.com", false},
		{[]string{"sip:example.com;x=y"}, nil, "example.com", false},
		{[]string{"sips:example.com"}, nil, "example.com", false},
		{[]string{"https://example.com"}, nil, "example.com", false},
		{[]string{"192.0.2.1"}, nil, "192.0.2.1", true},
		{[]string{"2001:db8::1"}, nil, "2001:db8::1", true},
		{[]string{"192.0.2.1"}, nil, "192.0.2.2", false},
		{nil, func(c *x509.Certificate) { c.Subject.CommonName = "example.com" }, "example.com", false},
		{[]string{"example.com"}, old, "example.com", false},
		{[]string{"example.com"}, client, "example.com", false},
	} {
		err := verifyServer([]*x509.Certificate{ca.issue(c.change, c.names...).Leaf}, roots, c.name, time.Now())
		if c.good {
			require.NoError(t, err, c.names)
			continue
		}
		require.ErrorIs(t, err, errUntrusted, c.names)
	}
	require.ErrorIs(t, verifyServer(nil, roots, "x", time.Now()), errUntrusted)
}

// The wait after a failure doubles up to a bound, and what is remembered of peers is bounded.
func TestConnectBackOff(t *testing.T) {
	t.Parallel()
	o := newOutward(nil)
	now := time.Now()
	key := outwardKey{flowKey: flowKey{transportTCP, netip.MustParseAddrPort("192.0.2.1:5060")}}
	require.NoError(t, o.waits(key, now))
	for _, wait := range []time.Duration{connectFirst, 2 * connectFirst, 4 * connectFirst, 8 * connectFirst, connectMost, connectMost} {
		o.note(key, errOpening, now)
		require.ErrorIs(t, o.waits(key, now.Add(wait-1)), errOpening)
		now = now.Add(wait)
		require.NoError(t, o.waits(key, now))
	}
	o.note(key, nil, now)
	o.note(key, errOpening, now)
	require.NoError(t, o.waits(key, now.Add(connectFirst)), "a success forgives")
	for i := range 4 * dialFailuresMost {
		other := flowKey{transportTCP, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), uint16(i))}
		o.note(outwardKey{flowKey: other}, errOpening, now)
		o.noteNoTCP(other, now)
		require.LessOrEqual(t, len(o.failed), dialFailuresMost)
		require.LessOrEqual(t, len(o.noTCP), dialFailuresMost)
	}
	o.forget()
	require.NoError(t, o.waits(key, now))
}

// sipgo opens no connection, whoever it would be to: those that it opens are believed to be anybody's, and bounded by nothing.
func TestSipgoOpensNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, transport := range []string{transportTCP, transportTLS} {
		d := dialog{CallID: newID(), LocalTag: newID(), Local: "<sip:a@127.0.0.1>", Remote: "<sip:b@127.0.0.1>", Target: "sip:b@127.0.0.1"}
		req, err := d.request(sipmsg.OPTIONS, 0)
		require.NoError(t, err)
		r.dispatchable(req, hop{transport: transport, dest: "127.0.0.1:9", ours: r.tcp()})
		require.ErrorIs(t, r.transport.WriteMsg(req), errNotOpened, transport)
	}
}
