//go:build linux

package flood

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hotline/internal/testkit"
)

// dripEvery is how often an unfinished connection sends an octet. refusedFor is how long one is not tried again that was refused
// in its handshake, which costs more here, on the attacker's side, than in the hotline that ends it unread.
const (
	dripEvery  = 500 * time.Millisecond
	refusedFor = 4 * dripEvery
)

// dialAs connects from a host.
func dialAs(ctx context.Context, host netip.Addr, to string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: host.AsSlice()}, Timeout: testkit.Patience}
	if host.Is6() {
		d.Control = func(_, _ string, c syscall.RawConn) error { return testkit.Claim(c) }
	}
	return d.DialContext(ctx, "tcp", to)
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// apart is how long after one goroutine of an attack the next begins: this machine also has the attacker to run, and is not to be
// kept busy by thousands of connections that it makes in one instant.
const apart = 2 * time.Millisecond

// each has so many goroutines do something again and again until ctx is done: it tells whether it was let.
func each(ctx context.Context, many int, do func(ctx context.Context, n int) (let bool)) (tally, error) {
	g, ctx := errgroup.WithContext(ctx)
	var tried, let atomic.Int64
	for i := range many {
		g.Go(func() error {
			pause(ctx, time.Duration(i)*apart)
			for n := i; ctx.Err() == nil; n += many {
				tried.Add(1)
				if do(ctx, n) {
					let.Add(1)
				}
			}
			return nil
		})
	}
	err := g.Wait()
	return tally{sent: int(tried.Load()), answered: int(let.Load())}, err
}

// way is how an attacker comes to a connection that he does not finish: all that he has to do for it is done.
type way func(ctx context.Context, w *town, n int) (net.Conn, error)

// plainly connects to a listener by TCP.
func plainly(address func(w *town) string) way {
	return func(ctx context.Context, w *town, n int) (net.Conn, error) {
		return dialAs(ctx, mobHost(n%manyHosts), address(w))
	}
}

// unfinished keeps connections open on which a beginning comes an octet at a time; on every second one nothing comes, and
// where there is no beginning on none. One that the hotline has ended is begun anew, from another host.
func unfinished(come way, beginning string) func(ctx context.Context, w *town) (tally, error) {
	return unfinishedOf(math.MaxInt, come, beginning)
}

// unfinishedOf is unfinished with no more connections at once than most.
func unfinishedOf(most int, come way, beginning string) func(ctx context.Context, w *town) (tally, error) {
	return func(ctx context.Context, w *town) (tally, error) {
		var longest atomic.Int64
		did, err := each(ctx, min(w.slots, most), func(ctx context.Context, n int) bool {
			c, err := come(ctx, w, n)
			if err != nil {
				pause(ctx, refusedFor)
				return false
			}
			began := time.Now()
			linger(ctx, c, func(at int) string {
				if n%2 != 0 || beginning == "" {
					return ""
				}
				return beginning[at%len(beginning):][:1]
			})
			raise(&longest, time.Since(began))
			pause(ctx, dripEvery) // one that was refused at once, too
			return true
		})
		did.longest = time.Duration(longest.Load())
		return did, err
	}
}

// raise has most be d, if that is more.
func raise(most *atomic.Int64, d time.Duration) {
	for is := most.Load(); int64(d) > is && !most.CompareAndSwap(is, int64(d)); is = most.Load() {
	}
}

// linger says a little now and then over a connection, until the far end has closed it or ctx is done, and closes it.
func linger(ctx context.Context, c net.Conn, say func(at int) string) {
	defer c.Close() //nolint:errcheck // the far end may have closed it
	ended := make(chan struct{})
	defer func() { _ = c.SetReadDeadline(time.Unix(1, 0)); <-ended }()
	drip, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(ended)
		defer stop()
		_, _ = io.Copy(io.Discard, c) // until either end closes it
	}()
	for at := 0; drip.Err() == nil; at++ {
		pause(drip, dripEvery)
		if said := say(at); said != "" && drip.Err() == nil {
			if _, err := io.WriteString(c, said); err != nil {
				return
			}
		}
	}
}

// The beginnings: of a SIP request, of a TLS record that holds a ClientHello (RFC 8446 section 5.1) of 16 KiB, and of a
// WebSocket's handshake.
var (
	sipBeginning = "OPTIONS sip:96777@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.2;branch=z9hG4bKslow\r\nSubject: " + strings.Repeat("x", 200)
	tlsBeginning = "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + strings.Repeat("x", 200)
	wsBeginning  = "GET /ws HTTP/1.1\r\nHost: 192.0.2.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Padding: " + strings.Repeat("x", 200)
)

// maxMessage is the largest that a hotline reads, in octets: beyond, what is no message has to end.
const maxMessage = 16 << 10

// noisyConns sends octets by chance over TCP.
func noisyConns(ctx context.Context, w *town) (tally, error) {
	const many = 20
	return each(ctx, many, func(ctx context.Context, n int) bool {
		c, err := dialAs(ctx, mobHost(n%manyHosts), w.h.SIP)
		if err != nil {
			pause(ctx, mobTick)
			return false
		}
		defer c.Close() //nolint:errcheck // the far end may have closed it
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		random := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)})
		b := make([]byte, 4096)
		for range 2 * maxMessage / len(b) {
			_, _ = random.Read(b) // never fails
			if _, err := c.Write(b); err != nil {
				break
			}
		}
		pause(ctx, 2*mobTick)
		return true
	})
}

// scanners say over TCP, where nobody else can have said it, that they are scanners, each from a host of its own: each is banned.
func scanners(ctx context.Context, w *town) (tally, error) {
	const many = 20
	said := textOf("OPTIONS sip:{H} SIP/2.0", "Via: SIP/2.0/TCP {S};branch=z9hG4bKs{N};rport", "Max-Forwards: 70",
		"From: <sip:100@{S}>;tag=f{N}", "To: <sip:100@{H}>", "Call-ID: s{N}", "CSeq: 1 OPTIONS", "Contact: <sip:100@{S}>",
		"User-Agent: friendly-scanner", "Content-Length: 0", "", "")
	return each(ctx, many, func(ctx context.Context, n int) bool {
		c, err := dialAs(ctx, mobHost(scannerHosts+n), w.h.SIP)
		if err != nil {
			pause(ctx, mobTick)
			return false
		}
		defer c.Close() //nolint:errcheck // the far end may have closed it
		stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		source := c.LocalAddr().(*net.TCPAddr).AddrPort()
		if _, err := c.Write(said.fill(nil, w.h.SIP, n, source)); err != nil {
			return false
		}
		_, _ = c.Read(make([]byte, 1)) // the ban ends the connection
		pause(ctx, 2*mobTick)
		return true
	})
}

// TestPause: it ends with the context.
func TestPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pause(ctx, time.Hour)
}
