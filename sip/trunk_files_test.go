package sip

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestTrunkTLSFilesAreWatched: when the certificate ends that a carrier is shown is told, of new files too before anybody connects;
// files that are no good are counted, and change nothing. What is counted of connections begins at 0.
func TestTrunkTLSFilesAreWatched(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "localhost"), nil)
	first := ca.issue(nil, "us.example")
	cert, key := ca.files(first)
	r, logs := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file, Certificate: cert, Key: key}, nil)
	until := func() float64 { return r.gauge(t, "hotline_trunk_certificate_expires_timestamp") }
	loads := func(outcome string) float64 {
		return testutil.ToFloat64(r.metrics.trunkFiles.WithLabelValues("city", outcome))
	}
	require.Equal(t, 3, testutil.CollectAndCount(r.metrics.made))
	require.Equal(t, 2, testutil.CollectAndCount(r.metrics.trunkFiles))
	require.InDelta(t, first.Leaf.NotAfter.Unix(), until(), 0)
	require.InDelta(t, 1, loads(certificateLoaded), 0)
	require.Zero(t, loads(certificateRefused))

	half := cert + ".half" // put in place at once: emptied and then written it might be read, and refused, twice
	require.NoError(t, os.WriteFile(half, []byte("half of it"), 0o600))
	require.NoError(t, os.Rename(half, cert))
	require.Eventually(t, func() bool { return loads(certificateRefused) == 1 }, testWait, time.Millisecond)
	require.Equal(t, "city", logs.FilterMessageSnippet("files of a trunk's TLS not taken").All()[0].ContextMap()["trunk"])
	require.InDelta(t, first.Leaf.NotAfter.Unix(), until(), 0)

	later := ca.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(1000 * time.Hour) }, "us.example")
	newCert, newKey := ca.files(later)
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		require.NoError(t, os.Rename(from, to))
	}
	require.Eventually(t, func() bool { return until() == float64(later.Leaf.NotAfter.Unix()) }, testWait, time.Millisecond)
	require.Eventually(t, func() bool { return loads(certificateLoaded) == 2 }, testWait, time.Millisecond)
	require.Empty(t, carrier.conns)
}

// TestTrunkTLSPeerCertificate: while a connection to a carrier by TLS is open, it is told when the certificate ends that the carrier
// showed: whoever waits for the refusal learns of it from callers.
func TestTrunkTLSPeerCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	theirs := ca.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(100 * time.Hour) }, "localhost")
	carrier := newTLSCarrier(t, theirs, nil)
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, nil)
	require.Zero(t, r.Trunks()[0].PeerCertificateUntil)
	out := r.outside(t.Context(), "13912345678")
	p := carrier.next(r)
	p.respond(p.expect("INVITE sip:13912345678@", "INVITE"), 486, "Busy Here", "x", "")
	refusedFor(t, next(t, out), call.CauseBusy)
	require.InDelta(t, theirs.Leaf.NotAfter.Unix(), r.gauge(t, "hotline_trunk_peer_certificate_expires_timestamp"), 0)
	require.NoError(t, p.conn.(*tls.Conn).NetConn().Close())
	require.Eventually(t, func() bool { return r.Trunks()[0].PeerCertificateUntil.IsZero() }, testWait, time.Millisecond)
}
