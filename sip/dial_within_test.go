package sip

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"hotline/call"
)

// takesNoHandshake takes connections at an address, and never says anything.
func takesNoHandshake(t *testing.T, at string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", at)
	require.NoError(t, err)
	var conns []net.Conn
	var taking sync.WaitGroup
	taking.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		taking.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
}

// takesNoConnection has an address neither take nor refuse connections: the queue of its socket is full.
func takesNoConnection(t *testing.T, at string) {
	t.Helper()
	ap := netip.MustParseAddrPort(at)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}))
	require.NoError(t, unix.Listen(fd, 0))
	const tries = 16
	for range tries {
		d := net.Dialer{Timeout: 300 * time.Millisecond}
		c, err := d.DialContext(t.Context(), "tcp", at)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	require.FailNow(t, "its queue does not fill")
}

// An address at which no connection comes about, or no handshake ends, keeps a caller from the next no longer than one that is
// silent: the time that an address is given is for all of it.
func TestDialWithinConnects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		network string
		mute    func(t *testing.T, at string)
	}{
		"no handshake":       {"tls", takesNoHandshake},
		"no connection, TLS": {"tls", takesNoConnection},
		"no connection":      {"tcp", takesNoConnection},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca := newAuthority(t)
			carrier := newTLSCarrier(t, ca.issue(nil, "carrier.test"), nil)
			port, accept := carrier.port, carrier.next
			if c.network == "tcp" {
				l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				t.Cleanup(func() { _ = l.Close() })
				_, port, err = net.SplitHostPort(l.Addr().String())
				require.NoError(t, err)
				accept = func(r *rig) *peer { return acceptPeer(t, l, r) }
			}
			c.mute(t, "127.0.3.1:"+port)
			r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
				o.T1 = time.Minute // whoever waited for more than the address is given would wait for minutes
				o.Trunks[0].Out = &TrunkOut{Network: c.network, Address: "carrier.test:" + port, From: testNumber}
			})
			t.Cleanup(r.hurry)
			r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")}, nil
			}
			out := make(chan rung, 1)
			const within = 6 * time.Second // half of it for the second address, on a machine that is busy
			go func() {
				l, err := r.dial(t.Context(), r.plan().list[0], call.DialRequest{Number: "13912345678", CallID: "c1"}, within)
				if l != nil {
					out <- rung{l, err}
					return
				}
				out <- rung{nil, err}
			}()
			p := accept(r)
			p.respond(p.expect("INVITE sip:13912345678@carrier.test", "INVITE"), 486, "Busy Here", "a", "")
			refusedFor(t, next(t, out), call.CauseBusy)
			at, err := r.hosts.lookUp(t.Context(), "carrier.test")
			require.NoError(t, err)
			require.Equal(t, "127.0.0.1", at[0].String(), "the next call begins where this one was answered")
		})
	}
}

// A trunk whose name nobody finds keeps a caller from the next trunk no longer than one that is silent.
func TestDialWithinLooksUp(t *testing.T) {
	t.Parallel()
	r, _, second, _ := failoverRig(t, func(o *Options) { o.T1 = 100 * time.Millisecond })
	r.plan().list[0].out.Address = "carrier.test:5060"
	asked := make(chan context.Context, 1)
	r.hosts.resolve = func(ctx context.Context, _ string) ([]netip.Addr, error) {
		asked <- ctx
		<-ctx.Done()
		return nil, ctx.Err()
	}
	out := r.outside(t.Context(), "13912345678")
	looking := next(t, asked)
	inv := second.expect("INVITE", "INVITE")
	require.NoError(t, looking.Err(), "it was not waited for")
	second.respond(inv, 486, "Busy Here", "b", "")
	refusedFor(t, next(t, out), call.CauseBusy)
}

// A connection that takes nearly all of an address's time brings no INVITE there, which would ring somebody for a moment whom the
// next address rings as well.
func TestDialWithinLate(t *testing.T) {
	t.Parallel()
	const within = 4 * time.Second // half of it for each address
	ca := newAuthority(t)
	carrier := newTLSCarrier(t, ca.issue(nil, "carrier.test"), nil)
	late, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.3.1:"+carrier.port)
	require.NoError(t, err)
	t.Cleanup(func() { _ = late.Close() })
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		raw, err := late.Accept()
		if err != nil {
			return
		}
		defer raw.Close() //nolint:errcheck // the far end may have closed it
		pause(within/2*(2*restLeast-1)/(2*restLeast), t.Context().Done())
		secured := tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*carrier.shows.Load()}})
		b := make([]byte, 4096)
		if n, err := secured.Read(b); err == nil {
			heard <- string(b[:n])
		}
	}()
	r, _ := tlsTrunkRig(t, carrier, TrunkTLS{CA: ca.file}, func(o *Options) {
		o.T1 = time.Minute
		o.Trunks[0].Out = &TrunkOut{Network: "tls", Address: "carrier.test:" + carrier.port, From: testNumber}
	})
	t.Cleanup(r.hurry)
	r.hosts.resolve = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.3.1"), netip.MustParseAddr("127.0.0.1")}, nil
	}
	out := make(chan error, 1)
	go func() {
		_, err := r.dial(t.Context(), r.plan().list[0], call.DialRequest{Number: "13912345678", CallID: "c1"}, within)
		out <- err
	}()
	p := carrier.next(r)
	p.respond(p.expect("INVITE sip:13912345678@carrier.test", "INVITE"), 486, "Busy Here", "a", "")
	refusedFor(t, rung{nil, next(t, out)}, call.CauseBusy)
	_ = late.Close()
	require.NoError(t, r.Close())
	require.Empty(t, <-heard)
}
