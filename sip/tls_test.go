package sip

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"hotline/call"
	"hotline/internal/testkit"
)

// pemFiles are the files of a listener's certificate.
type pemFiles struct {
	t         *testing.T
	cert, key string
}

func newPEM(t *testing.T, name string) *pemFiles {
	t.Helper()
	dir := t.TempDir()
	i := &pemFiles{t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	i.write(name, time.Hour)
	return i
}

// write makes a certificate of that name, that lasts so long, and puts it and its key in place of those before.
func (i *pemFiles) write(name string, lasts time.Duration) {
	i.t.Helper()
	cert, key := pemOf(i.t, name, lasts)
	i.put(i.cert, cert)
	i.put(i.key, key)
}

// put replaces a file in one step.
func (i *pemFiles) put(file string, data []byte) {
	i.t.Helper()
	require.NoError(i.t, os.WriteFile(file+".new", data, 0o600))
	require.NoError(i.t, os.Rename(file+".new", file))
}

func pemOf(t *testing.T, name string, lasts time.Duration) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	is := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(lasts),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, is, is, &private.PublicKey, private)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// listensTLS adds a listener of TLS, whose files are looked at all the time.
func listensTLS(i *pemFiles, change func(o *Options)) func(o *Options) {
	return func(o *Options) {
		o.Listen = append(o.Listen, Listener{
			Network: "tls", Address: netip.MustParseAddrPort("127.0.0.1:0"), Certificate: i.cert, Key: i.key,
		})
		o.looks = 5 * time.Millisecond
		if change != nil {
			change(o)
		}
	}
}

// tls is where the rig listens for TLS.
func (r *rig) tls() netip.AddrPort { return r.Addrs()[2] }

// clientTLS is how peers check the certificate: against nothing, since it is looked at where it matters.
func clientTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func newTLSPeer(t *testing.T, at net.Addr, to netip.AddrPort) *peer {
	t.Helper()
	d := tls.Dialer{NetDialer: &net.Dialer{LocalAddr: at, Timeout: testWait}, Config: clientTLS()}
	c, err := d.DialContext(t.Context(), "tcp", to.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t: t, conn: c, in: bufio.NewReader(c), to: to, over: transportTLS}
}

// nameAt is the name in the certificate that a new connection is shown.
func nameAt(t *testing.T, at netip.AddrPort) string {
	t.Helper()
	return shownTo(newTLSPeer(t, nil, at))
}

func shownTo(p *peer) string {
	return p.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject.CommonName
}

// served has the peer ask something, and be answered.
func (p *peer) served() {
	p.t.Helper()
	k := p.dialog(testNumber)
	k.request("OPTIONS", "")
	p.status("OPTIONS", 200)
}

// A phone that registers over TLS is rung over its connection, and so is every request of a call: what we write of ourselves
// says TLS. A certificate that is exchanged meanwhile is shown to who comes then, and disturbs nobody.
func TestTLS(t *testing.T) {
	t.Parallel()
	id := newPEM(t, "first")
	legs := make(chan call.Leg, 2)
	r := newRig(t, listensTLS(id, func(o *Options) { o.OnIncoming = untilOver(legs) }))
	agent := newTLSPeer(t, nil, r.tls())
	require.Equal(t, "first", shownTo(agent))
	agent.register(r)

	inv, out := agent.rungBy(r)
	require.Contains(t, inv.header("via"), "SIP/2.0/TLS "+r.tls().String())
	require.Contains(t, inv.header("contact"), "sip:hotline@"+r.tls().String()+";transport=tls")
	agent.respond(inv, 200, "OK", "a1", sdpGood)
	require.Contains(t, agent.expect("ACK sip:8001@", "ACK").header("via"), "SIP/2.0/TLS ")
	rung := next(t, out)
	require.NoError(t, rung.err)

	caller := newTLSPeer(t, nil, r.tls()).dialog(testNumber)
	require.Contains(t, caller.answered().header("contact"), ";transport=tls")
	taken := next(t, legs)

	id.write("second", time.Hour)
	require.Eventually(t, func() bool { return nameAt(t, r.tls()) == "second" }, testWait, time.Millisecond)
	agent.served()
	taken.Hangup(call.CauseBye)
	caller.p.respond(caller.p.expect("BYE sip:caller@", "BYE"), 200, "OK", "", "")
	require.NoError(t, rung.err)
	rung.leg.Hangup(call.CauseBye)
	bye := agent.expect("BYE sip:8001@", "BYE")
	require.Contains(t, bye.header("via"), "SIP/2.0/TLS ")
	agent.respond(bye, 200, "OK", "", "")

	dialled := agent.dialAs8001(200) // the agent's own call
	ours := next(t, legs)
	dialled.request("BYE", "")
	agent.status("BYE", 200)
	require.Equal(t, call.CauseBye, ended(t, ours).Why)
	require.Empty(t, r.flows, "the phone was reachable all the time")

	require.NoError(t, agent.conn.Close())
	require.Equal(t, "8001 false", next(t, r.flows))
}

// dialAs8001 has an agent's phone call, prove who it is, and acknowledge the answer, which is to have that status.
func (p *peer) dialAs8001(code int) *talk {
	p.t.Helper()
	k := p.dialog(testNumber)
	invite := func(extra ...string) {
		k.seq++
		k.branch = newBranch()
		msg := k.message("INVITE", k.seq, k.branch, sdpGood, append(extra, sdpHeader)...)
		p.write(strings.Replace(msg, "From: <sip:13900001234@", "From: <sip:8001@", 1))
	}
	invite()
	w := p.status("INVITE", 401)
	k.ack(w, "")
	k.toTag = ""
	c, err := digest.ParseChallenge(w.header("www-authenticate"))
	require.NoError(p.t, err)
	creds, err := digest.Digest(c, digest.Options{
		Method: "INVITE", URI: fmt.Sprintf("sip:%s@%s", testNumber, p.to), Username: "8001", Password: "one", Count: 1,
	})
	require.NoError(p.t, err)
	invite("Authorization: " + creds.String())
	k.ack(p.status("INVITE", code), "")
	return k
}

// The keep-alive of a flow, between messages (RFC 5626 section 4.4.1).
func TestTLSKeepAlive(t *testing.T) {
	t.Parallel()
	r := newRig(t, listensTLS(newPEM(t, "one"), nil))
	p := newTLSPeer(t, nil, r.tls())
	for range 2 {
		p.write("\r\n\r\n")
		require.NoError(t, p.conn.SetReadDeadline(time.Now().Add(testWait)))
		line, err := p.in.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "\r\n", line)
		p.served()
	}
}

// Who connects and does not shake hands is gone after a while, and holds up nobody meanwhile; each has a share.
func TestTLSHandshake(t *testing.T) {
	t.Parallel()
	id := newPEM(t, "one")
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, listensTLS(id, shortConns))
		idle := make([]*peer, 20)
		for i := range idle {
			idle[i] = newPeer(t, "tcp", r.tls())
		}
		began := newPeer(t, "tcp", r.tls())
		_, err := began.conn.Write([]byte{22, 3, 1, 2, 0, 1}) // of a ClientHello
		require.NoError(t, err)
		for _, p := range append(idle, began) {
			p.closed()
		}
		require.Eventually(t, func() bool { // it is counted behind the close
			return r.dropped(dropHandshake) == len(idle)+1
		}, testWait, time.Millisecond)
		newTLSPeer(t, nil, r.tls()).served()
	})
	t.Run("beside idle ones", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, listensTLS(id, endingConns(time.Hour, time.Hour)))
		for range 20 {
			newPeer(t, "tcp", r.tls())
		}
		newTLSPeer(t, nil, r.tls()).served()
		// Those that wait are ended with the rig, which waits for nobody's hour.
	})
	t.Run("no TLS", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, listensTLS(id, nil))
		p := newPeer(t, "tcp", r.tls())
		p.write("OPTIONS sip:x SIP/2.0\r\n\r\n")
		p.closed()
		require.Equal(t, 1, r.dropped(dropHandshake))
	})
	t.Run("too old", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, listensTLS(id, nil))
		old := clientTLS()
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		d := tls.Dialer{Config: old}
		_, err := d.DialContext(t.Context(), "tcp", r.tls().String())
		require.ErrorContains(t, err, "protocol version")
	})
	t.Run("shares", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, listensTLS(id, func(o *Options) {
			strangersOnly(o)
			o.limits = defaultLimits()
			o.limits.perHost, o.limits.first = 3, time.Hour
		}))
		for range 2 {
			newPeer(t, "tcp", r.tls())
		}
		newPeer(t, "tcp", r.tcp()).served()
		newPeer(t, "tcp", r.tls()).closed()
		require.Equal(t, 1, r.dropped(dropConn))
		newTLSPeer(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, 1)}, r.tls()).served()
	})
}

// Strangers who say hello in one instant are answered one after another, whenever they connected: all at once they would have the
// processors for as long as all their handshakes take, and audio would wait.
func TestTLSHellosTakeTurns(t *testing.T) {
	t.Parallel()
	const many, token = 6, 100 * time.Millisecond
	r := newRig(t, listensTLS(newPEM(t, "one"), func(o *Options) {
		strangersOnly(o)
		o.limits = defaultLimits()
		o.limits.handshakes = rate{each: 1000, eachBurst: 1000, all: int(time.Second / token), allBurst: 1}
	}))
	var all errgroup.Group
	began := time.Now()
	for i := range many {
		p := newPeerAt(t, &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(2+i))}, "tcp", r.tls()) // none is the trunk
		all.Go(func() error { return tls.Client(p.conn, clientTLS()).HandshakeContext(t.Context()) })
	}
	require.NoError(t, all.Wait())
	require.GreaterOrEqual(t, time.Since(began), (many-1)*token)
}

// A connection that TLS writes by itself while it is read from has a deadline for that: neither none nor one long past.
func TestTLSWritesOfItsOwn(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	s := &steady{Conn: near}
	require.NoError(t, s.SetWriteDeadline(time.Now().Add(-time.Second)))
	go func() { _, _ = io.Copy(io.Discard, far) }()
	_, err := s.Write([]byte("x"))
	require.NoError(t, err)
	require.Greater(t, s.until.Load(), time.Now().UnixNano())
	require.NoError(t, s.SetDeadline(time.Time{}))
	_, err = s.Write([]byte("x"))
	require.NoError(t, err)
	require.Greater(t, s.until.Load(), time.Now().UnixNano())
	require.NoError(t, near.Close())
	require.NoError(t, far.Close())
}

// What the world's TLS is made of: OpenSSL checks the certificate, asks for new keys, and is answered.
func TestTLSOpenSSL(t *testing.T) {
	t.Parallel()
	testkit.Require(t, "openssl")
	id := newPEM(t, "one")
	r := newRig(t, listensTLS(id, nil))
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		ctx, cancel := context.WithTimeout(t.Context(), testWait)
		cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", r.tls().String(), "-CAfile", id.cert, "-verify_return_error", "-crlf", version)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = cmd.Stdout
		require.NoError(t, cmd.Start())
		lines, said := bufio.NewReader(out), strings.Builder{}
		says := func(what string) {
			t.Helper()
			for line := ""; !strings.HasPrefix(line, what); {
				line, err = lines.ReadString('\n')
				require.NoError(t, err, "%s: waiting for %q: %s", version, what, said.String())
				said.WriteString(line)
			}
		}
		ask := func() {
			t.Helper()
			_, err := io.WriteString(in, strings.ReplaceAll(optionsOver(r.tls(), "127.0.0.1:5999"), "\r\n", "\n"))
			require.NoError(t, err)
			says("SIP/2.0 200 ")
		}
		ask()
		if version == "-tls1_3" {
			_, err = io.WriteString(in, "K\n") // new keys, ours too (RFC 8446 section 4.6.3)
			require.NoError(t, err)
			says("KEYUPDATE")
			ask()
		}
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
		cancel()
	}
}

// optionsOver is an OPTIONS that goes over TLS to one address, from another.
func optionsOver(to netip.AddrPort, from string) string {
	return strings.Join([]string{
		"OPTIONS sip:" + testNumber + "@" + to.String() + " SIP/2.0", "Via: SIP/2.0/TLS " + from + ";rport;branch=" + newBranch(),
		"Max-Forwards: 70", "From: <sip:1@" + from + ">;tag=" + newID(), "To: <sip:" + testNumber + "@" + to.String() + ">",
		"Call-ID: " + newID(), "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
	}, "\r\n")
}

// Where an address names no port, that of TLS is another than that of TCP (RFC 3261 section 19.1.2).
func TestTLSPort(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"sip:a@192.0.2.1": "192.0.2.1:5060", "sip:a@192.0.2.1;transport=TLS": "192.0.2.1:5061", "sips:a@192.0.2.1": "192.0.2.1:5061",
		"sip:a@192.0.2.1:5070;transport=tls": "192.0.2.1:5070", "sip:a@[2001:db8::1];transport=tcp": "[2001:db8::1]:5060",
	} {
		d := dialog{Target: uri}
		got, err := d.nextURI()
		require.NoError(t, err)
		require.Equal(t, want, hostPort(&got), uri)
	}
}
