package media

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// portable is the transport that runs wherever Go does: net.UDPConn sockets, a goroutine for each that reads it, and
// one that turns the wheel. It has one shard, which is a lock.
type portable struct {
	log     *zap.Logger
	stop    context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex // the shard: guards all lines, and the following
	wheel wheel
	bench workbench
	tally *tally
}

// NewPortable starts an engine that works on every system; it must be closed. Errors: ErrBadOptions, or the
// registry's.
func NewPortable(o Options) (Engine, error) {
	return newCore(o, func(c *core) (transport, error) {
		ctx, stop := context.WithCancel(context.Background())
		t := &portable{log: c.log, stop: stop, tally: c.metrics.tally()}
		t.running.Go(func() { t.turn(ctx) })
		return t, nil
	})
}

// connections are the sockets of a line of this engine.
type connections struct {
	owner     *portable
	line      *line
	rtp, rtcp *net.UDPConn
}

// bind implements transport.
func (t *portable) bind(l *line, rtp, rtcp netip.AddrPort) error {
	voice, err := listen(rtp)
	if err != nil {
		return err
	}
	control, err := listen(rtcp)
	if err != nil {
		return errors.Join(err, voice.Close())
	}
	l.sockets = &connections{owner: t, line: l, rtp: voice, rtcp: control}
	l.tally = t.tally
	return nil
}

// listen binds a UDP port. Errors: errPortTaken; the system's.
func listen(address netip.AddrPort) (*net.UDPConn, error) {
	network := "udp4" // not "udp": a dual-stack socket gives and wants mapped addresses
	if address.Addr().Is6() {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(address))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, errPortTaken
	}
	if err != nil {
		return nil, fmt.Errorf("bind RTP at %s: %w", address, err)
	}
	return conn, nil
}

// serve implements transport.
func (t *portable) serve(l *line) error {
	c := l.sockets.(*connections)
	t.do(l, func() { t.wheel.add(l) })
	t.running.Go(func() {
		t.read(c.rtp, func(b []byte, from netip.AddrPort, now time.Time) { l.datagram(&t.bench, b, from, now) })
	})
	t.running.Go(func() { t.read(c.rtcp, l.controlContained) })
	return nil
}

// readFailures is how many failures of a socket in a row end its reading: a socket that only fails
// must not spin.
const readFailures = 100

// read is the goroutine of one socket: take has each datagram, on the shard.
func (t *portable) read(conn *net.UDPConn, take func(b []byte, from netip.AddrPort, now time.Time)) {
	var buf [maxDatagram]byte
	for failures := 0; failures < readFailures; {
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failures++
			continue
		}
		failures = 0
		now := time.Now()
		t.mu.Lock()
		take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), now)
		t.mu.Unlock()
	}
	t.log.Error("socket fails, reading given up", zap.Stringer("local", conn.LocalAddr()))
}

// turn is the goroutine of the wheel. It returns when ctx is done.
func (t *portable) turn(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	t.wheel.begin()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		t.mu.Lock()
		t.wheel.turn(t.bench.frame[:], time.Now)
		wait := time.Until(t.wheel.due)
		t.mu.Unlock()
		timer.Reset(wait) // at once, while in arrears
	}
}

// do implements transport. A fault in f is the line's.
func (t *portable) do(l *line, f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer l.contain("media: command")
	f()
	return true
}

// gather implements transport: there is but one shard.
func (t *portable) gather(bool, ...*line) bool { return true }

// paces implements transport.
func (t *portable) paces() []*pace { return []*pace{&t.wheel.pace} }

// end implements transport.
func (t *portable) end() {
	t.stop()
	t.running.Wait()
}

func (c *connections) send(b []byte, to netip.AddrPort) bool {
	_, err := c.rtp.WriteToUDPAddrPort(b, to)
	return err == nil
}

func (c *connections) report(b []byte, to netip.AddrPort) { _, _ = c.rtcp.WriteToUDPAddrPort(b, to) }

// close implements sockets. The goroutines that read end by themselves, and the engine waits for them.
func (c *connections) close() error {
	c.owner.wheel.remove(c.line)
	return errors.Join(c.rtp.Close(), c.rtcp.Close())
}
