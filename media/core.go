package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Errors of Bridge, beside ErrClosed.
var (
	// ErrBridged: one of the streams is in a bridge already.
	ErrBridged = errors.New("media: stream is in a bridge already")
	// ErrForeign: a stream is not of this engine, or the two are the same one.
	ErrForeign = errors.New("media: not two streams of this engine")
)

// core is what all engines have in common, and the Engine that the outside sees: ports, the streams that are open,
// what is agreed with far ends, and bridges. How packets come and go, and who owns a line, is its transport's.
type core struct {
	o         Options
	log       *zap.Logger
	metrics   *metrics
	ports     *portPool
	teller    *teller
	transport transport

	mu      sync.Mutex // guards the following; nobody waits for a shard who holds it
	closed  bool
	opening sync.WaitGroup // streams that are to be served, begun before closed is set
	streams []*stream

	closing  sync.Once
	closeErr error
}

// transport is what one engine has and another has not: sockets, and *shards*. A shard is whatever does one thing at
// a time, a goroutine or a lock; each line belongs to one, and nothing of a line is touched but on its shard. So a
// line needs no lock, and a packet meets none.
type transport interface {
	// bind gives a line its two sockets, or neither. Errors: errPortTaken; the system's.
	bind(l *line, rtp, rtcp netip.AddrPort) error
	// serve begins to read the sockets of a line that was bound, and to turn the wheel for it. Errors: the system's;
	// then the line is not served, and its sockets are still open.
	serve(l *line) error
	// do has f done on the line's shard, and waits for it; f must neither block nor call do. It reports false when the
	// engine has ended and f was not done: every line is closed then.
	do(l *line, f func()) bool
	// gather brings lines to one shard, so that packets between them change hands without a lock. They are claimed for one
	// bridge or room, so that nobody else moves them meanwhile. With stay the first is where the others come to, since
	// packets pass between it and one that is not told of. It reports false when it cannot, because one is closed.
	gather(stay bool, lines ...*line) bool
	// paces are those of the wheels.
	paces() []*pace
	// end waits until nothing of this engine runs. All its lines are closed.
	end()
}

// newCore starts an engine. Errors: ErrBadOptions, the registry's, or the transport's.
func newCore(o Options, start func(c *core) (transport, error)) (Engine, error) {
	o, err := o.checked()
	if err != nil {
		return nil, err
	}
	c := &core{
		o: o, log: o.Logger, metrics: newMetrics(), ports: newPortPool(o.Ports, o.Rest), teller: newTeller(),
	}
	if c.transport, err = start(c); err != nil {
		return nil, fmt.Errorf("start media engine: %w", err)
	}
	if err := c.metrics.register(o.Registry); err != nil { // last, so that no metrics are left of an engine that is not
		c.transport.end()
		return nil, err
	}
	return c, nil
}

// Open implements Engine.
func (c *core) Open(o StreamOptions) (Stream, error) {
	if o.Advertise = o.Advertise.Unmap(); !o.Advertise.IsValid() {
		o.Advertise = c.o.Advertise
	}
	if o.Advertise.IsUnspecified() || !c.o.binds(o.Advertise) {
		return nil, fmt.Errorf("open stream: %w: RTP at %s cannot be told of as %s", ErrBadOptions, c.o.Address, o.Advertise)
	}
	s, at := newStream(c, o), c.o.boundFor(o.Advertise)
	port, err := c.ports.take(func(port uint16) error {
		return c.transport.bind(s.line, netip.AddrPortFrom(at, port), netip.AddrPortFrom(at, port+1))
	})
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	s.begin(o, netip.AddrPortFrom(at, port))
	if err := c.serve(s); err != nil {
		err = errors.Join(err, s.line.sockets.close())
		c.ports.release(port) // no sooner, or another stream could be given what is still bound
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return s, nil
}

// Lag implements Engine.
func (c *core) Lag() func() time.Duration {
	var wheels []func(time.Time) time.Duration
	for _, p := range c.transport.paces() {
		wheels = append(wheels, p.lag())
	}
	return func() (worst time.Duration) {
		now := time.Now()
		for _, lag := range wheels {
			worst = max(worst, lag(now))
		}
		return worst
	}
}

// serve has a stream served, unless the engine is closed. Errors: ErrClosed, the transport's.
func (c *core) serve(s *stream) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.opening.Add(1)
	c.streams = append(c.streams, s) // at once: a fault may close it before this is over
	c.mu.Unlock()
	defer c.opening.Done()
	if err := c.transport.serve(s.line); err != nil {
		c.forget(s)
		return err
	}
	return nil
}

// forget takes a closed stream from those that are open.
func (c *core) forget(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.streams, s); i >= 0 {
		c.streams = slices.Delete(c.streams, i, i+1)
	}
}

// Close implements Engine. It must not be called by a tap or a key function.
func (c *core) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.closing.Do(func() {
		c.opening.Wait()
		c.mu.Lock()
		streams := slices.Clone(c.streams)
		c.mu.Unlock()
		var errs []error
		for _, s := range streams {
			errs = append(errs, s.Close())
		}
		c.transport.end()
		c.teller.end()
		c.closeErr = errors.Join(errs...)
	})
	return c.closeErr
}

// negotiator for a stream at a port.
func (c *core) negotiator(o StreamOptions, port uint16) negotiator {
	return negotiator{
		local:  netip.AddrPortFrom(o.Advertise, port),
		codecs: preferring(o.Prefer, c.codecsFor(o)), security: o.Secure,
		session: rand.Uint64() >> 2, // kept within what every phone's integer holds
	}
}

// codecsFor are those of a stream.
func (c *core) codecsFor(o StreamOptions) []Codec {
	if len(o.Codecs) > 0 {
		return slices.Clone(o.Codecs)
	}
	return c.o.Codecs
}

// ours returns the streams behind what the outside has of them. Errors: ErrForeign.
func (c *core) ours(streams ...Stream) ([]*stream, error) {
	found := make([]*stream, len(streams))
	for i, s := range streams {
		own, isOurs := s.(*stream)
		if !isOurs || own.core != c || slices.Contains(found[:i], own) {
			return nil, ErrForeign
		}
		found[i] = own
	}
	return found, nil
}
