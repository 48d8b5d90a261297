package sip

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// A new file that is no good changes nothing, and is told of: by what looks at the files, and by a reload.
func TestTLSCertificateBroken(t *testing.T) {
	t.Parallel()
	id := newPEM(t, "good")
	core, log := observer.New(zap.ErrorLevel)
	r := newRig(t, listensTLS(id, func(o *Options) { o.Logger = zap.New(core) }))
	other, _ := pemOf(t, "other", time.Hour)
	over, overKey := pemOf(t, "over", -time.Minute)
	_, key := pemOf(t, "good too", time.Hour)
	refused := 0
	for name, broken := range map[string]struct{ cert, key []byte }{
		"no PEM":              {[]byte("nothing"), nil},
		"another's":           {other, key},
		"cut":                 {other[:len(other)/2], nil},
		"one that is over":    {over, overKey},
		"a key that is empty": {nil, []byte{}},
	} {
		if broken.cert != nil {
			id.put(id.cert, broken.cert)
		}
		if broken.key != nil {
			id.put(id.key, broken.key)
		}
		_, err := r.Reload(Settings{Listen: r.o.Listen})
		require.ErrorContains(t, err, id.cert, name)
		require.Eventually(t, func() bool { return log.Len() > refused }, testWait, time.Millisecond, name)
		refused = log.Len()
		require.Contains(t, log.All()[refused-1].ContextMap()["error"], id.cert, name)
		require.Equal(t, "good", nameAt(t, r.tls()), name)
	}
	require.GreaterOrEqual(t, testutil.ToFloat64(r.metrics.certs.WithLabelValues(certificateRefused)), float64(refused))

	id.write("better", time.Hour)
	require.Eventually(t, func() bool { return nameAt(t, r.tls()) == "better" }, testWait, time.Millisecond)
	listener := "tls://127.0.0.1:0"
	require.InDelta(t, time.Now().Add(time.Hour).Unix(), testutil.ToFloat64(r.metrics.expires.WithLabelValues(listener)), testWait.Seconds()+1)
}

// A reload reads the files, without waiting to be looked at.
func TestTLSCertificateReloaded(t *testing.T) {
	t.Parallel()
	id := newPEM(t, "first")
	r := newRig(t, listensTLS(id, func(o *Options) { o.looks = time.Hour }))
	p := newTLSPeer(t, nil, r.tls())
	id.write("second", time.Hour)
	require.Equal(t, "first", nameAt(t, r.tls()))
	put, err := r.Reload(Settings{Listen: r.o.Listen})
	require.NoError(t, err)
	require.Equal(t, "first", nameAt(t, r.tls()), "nothing is in force yet")
	put()
	require.Equal(t, "second", nameAt(t, r.tls()))

	third := newPEM(t, "third")
	listen := slices.Clone(r.o.Listen)
	listen[2].Certificate, listen[2].Key = third.cert, third.key
	put, err = r.Reload(Settings{Listen: listen})
	require.NoError(t, err)
	put()
	require.Equal(t, "third", nameAt(t, r.tls()))
	put, err = r.Reload(Settings{Listen: listen[:2]}) // that listener ends with a restart
	require.NoError(t, err)
	put()
	require.Equal(t, "third", nameAt(t, r.tls()))
	p.served()
}

// A reload that names other files is not undone by a look at those before, which was under way; and what it read before
// the files were changed does not stay in force.
func TestTLSCertificateReloadedMeanwhile(t *testing.T) {
	t.Parallel()
	id := newPEM(t, "first")
	r := newRig(t, listensTLS(id, func(o *Options) { o.looks = time.Hour }))
	c := r.certificates.list[0]
	old := c.now.Load()
	id.write("first's next", time.Hour)
	seen, err := c.read(old.file, old.key)
	require.NoError(t, err)
	other := newPEM(t, "other")
	listen := slices.Clone(r.o.Listen)
	listen[2].Certificate, listen[2].Key = other.cert, other.key
	put, err := r.Reload(Settings{Listen: listen})
	require.NoError(t, err)
	put()
	r.certificates.replace(c, old, seen)
	require.Equal(t, "other", nameAt(t, r.tls()))

	put, err = r.Reload(Settings{Listen: listen})
	require.NoError(t, err)
	other.write("other's next", time.Hour)
	look := func() { r.certificates.lookAt(c) } // nobody else does, for an hour
	look()
	look()
	require.Equal(t, "other's next", nameAt(t, r.tls()))
	put()
	require.Equal(t, "other", nameAt(t, r.tls()), "as it was when it was read")
	look()
	require.Equal(t, "other's next", nameAt(t, r.tls()))
}

// One that cannot be served with is told at the start, by what it is for. One whose time is over is shown all the same.
func TestTLSCertificateAtStart(t *testing.T) {
	t.Parallel()
	id := newPEM(t, "over")
	id.write("over", -time.Hour)
	r := newRig(t, listensTLS(id, nil))
	require.Equal(t, "over", nameAt(t, r.tls()))
	require.NoError(t, CheckCertificate(id.cert, id.key))

	require.NoError(t, os.Remove(id.key))
	o := Options{Engine: &fakeEngine{}}
	listensTLS(id, nil)(&o)
	_, err := New(o)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "tls://127.0.0.1:0")
	require.ErrorContains(t, err, id.key)
}
