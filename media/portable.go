package media

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"
)

// Errors of Bridge, beside ErrClosed.
var (
	// ErrBridged: one of the streams is in a bridge already.
	ErrBridged = errors.New("media: stream is in a bridge already")
	// ErrForeign: a stream is not of this engine, or the two are the same one.
	ErrForeign = errors.New("media: not two streams of this engine")
)

// Portable is the engine that runs wherever Go does: net.UDPConn sockets, a goroutine a stream that reads its RTP, and
// one goroutine, the wheel, that sends whatever is ours to send on all streams, and keeps their RTCP sockets drained.
// A bridged packet is sent on by the goroutine that read it.
//
// Lock order: a bridge's gate, a receiver's, a sender's. No lock is held while a key is told; the gate
// is held (shared) while a tap is.
type Portable struct {
	o       Options
	log     *zap.Logger
	metrics *metrics
	ports   *portPool
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards closed, and changes of streams
	closed  bool
	streams atomic.Pointer[[]*stream] // never changed in place: the wheel reads it without a lock
}

var _ Engine = (*Portable)(nil)

// NewPortable starts an engine; it must be closed. Errors: ErrBadOptions, or the registry's.
func NewPortable(o Options) (*Portable, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registry)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	e := &Portable{o: o, log: o.Logger, metrics: m, ports: newPortPool(o.Ports, o.Rest), stop: stop}
	e.streams.Store(new([]*stream))
	e.running.Go(func() { e.turn(ctx) })
	return e, nil
}

// Open implements Engine.
func (e *Portable) Open(o StreamOptions) (Stream, error) {
	s := newStream(e)
	port, err := e.ports.take(s.bind)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	s.begin(o, port)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errors.Join(ErrClosed, s.hangUpSockets())
	}
	streams := append(slices.Clone(*e.streams.Load()), s)
	e.streams.Store(&streams)
	e.running.Go(s.readRTP)
	return s, nil
}

// forget takes a closed stream from the wheel.
func (e *Portable) forget(s *stream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	streams := slices.DeleteFunc(slices.Clone(*e.streams.Load()), func(other *stream) bool { return other == s })
	e.streams.Store(&streams)
}

// Close implements Engine. It must not be called by a tap or a key function.
func (e *Portable) Close() error {
	e.mu.Lock()
	e.closed = true
	streams := *e.streams.Load()
	e.mu.Unlock()
	var errs []error
	for _, s := range streams {
		errs = append(errs, s.Close())
	}
	e.stop()
	e.running.Wait()
	return errors.Join(errs...)
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

// negotiator for a stream at a port.
func (e *Portable) negotiator(o StreamOptions, port uint16) negotiator {
	return negotiator{
		local:   netip.AddrPortFrom(e.o.Advertise, port),
		codecs:  preferring(o.Prefer, e.o.Codecs),
		session: rand.Uint64() >> 2, // kept within what every phone's integer holds
	}
}
