// Package hep sends what the hotline says and hears by SIP to a capture server such as Homer, by HEP version 3 (also
// called EEP) over UDP: one packet for each message, with the id of the call that it belongs to as the correlation
// id, so that the legs of one call stand together there. Package cmd/hotline shows it the messages.
//
// Nothing of SIP waits for it: Send puts a message into a bounded queue, or counts that there was no room. One
// goroutine, that of Run, takes them out, hides telephone numbers unless it is told not to, and writes them to the
// socket, which it opens anew when it fails. Every other method may be called from any goroutine.
package hep

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"hotline/call"
)

const (
	// queueMost and queueOctets bound what waits to be sent: some seconds of a busy edge.
	queueMost   = 8192
	queueOctets = 16 << 20
	// settles is how long a message waits before it is sent: an INVITE that comes in belongs to a call only once it
	// has passed the door. The times that are sent are those of the wire.
	settles = 250 * time.Millisecond
	// The shortest and the longest wait before a socket that failed is opened anew.
	retryFirst = time.Second
	retryMost  = 30 * time.Second
	// closeWithin bounds what is sent of what waits still when Run ends.
	closeWithin = time.Second
	// logEvery is how often at most it is logged that nothing can be sent.
	logEvery = time.Minute
)

// Target is where messages go, and how.
type Target struct {
	// Address is HOST:PORT of the capture server; a name is looked up each time that the socket is opened.
	Address string
	// ID is the capture id, by which the server tells this node from others (chunk 0x000c).
	ID uint32
	// Key is the server's password for us (chunk 0x000e); empty: none is sent. HEP sends it as it is, and the
	// messages too.
	Key string
	// Full sends telephone numbers, and the bodies of what is no session description, as they are. They are hidden by
	// call.MaskMessage otherwise, all but those of Open.
	Full bool
	Open []string
}

// Options wire an exporter.
type Options struct {
	// CallOf is the id of the call that a SIP Call-ID belongs to; empty when there is none. nil: none ever does.
	CallOf func(sipCallID string) string
	// Registry takes the metrics; nil is silent. Logger; nil is silent.
	Registry prometheus.Registerer
	Logger   *zap.Logger
}

// Exporter sends messages to a capture server. Make one with New.
type Exporter struct {
	o       Options
	queue   *queue
	target  atomic.Pointer[Target] // nil: none
	changed chan struct{}          // has room for one: target is another
	metrics *metrics

	// What follows is Run's own.
	conn    net.Conn
	to      *Target // that conn goes to
	retry   time.Duration
	retryAt time.Time
	logged  time.Time
	packet  []byte // the last one's octets, used again
}

// New returns an exporter that sends nothing until it has a target, and runs. The error is the registry's.
func New(o Options) (*Exporter, error) {
	if o.CallOf == nil {
		o.CallOf = func(string) string { return "" }
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	m, err := newMetrics(o.Registry)
	if err != nil {
		return nil, fmt.Errorf("register HEP metrics: %w", err)
	}
	return &Exporter{o: o, queue: newQueue(), changed: make(chan struct{}, 1), metrics: m}, nil
}

// Aim has messages go to a target from now on, those that wait already too; nil: nowhere, and they are forgotten.
func (e *Exporter) Aim(t *Target) {
	if t == nil {
		e.target.Store(nil)
	} else {
		own := *t
		e.target.Store(&own)
	}
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// Send queues a message. It never waits: without room for the message it is dropped, and counted.
func (e *Exporter) Send(m call.WireMessage) {
	if e.target.Load() == nil {
		return
	}
	if !e.queue.put(m) {
		e.metrics.dropped.Inc()
	}
}

// Run sends until ctx is done, and then what waits still, as far as it goes out at once. It returns nil.
func (e *Exporter) Run(ctx context.Context) error {
	defer e.hangUp()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(e.turn(ctx, time.Now()))
		select {
		case <-timer.C:
		case <-e.changed:
		case <-e.queue.bell:
			if !e.pause(ctx, settles) { // what rang it waits that long, and so may what comes meanwhile
				e.rest()
				return nil
			}
		case <-ctx.Done():
			e.rest()
			return nil
		}
	}
}

// pause waits for d; false: ctx is done.
func (*Exporter) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// idle is how long there is nothing to do when nothing waits.
const idle = time.Hour

// turn sends what is due, and returns how long nothing will be.
func (e *Exporter) turn(ctx context.Context, now time.Time) time.Duration {
	t := e.target.Load()
	if t != e.to {
		e.hangUp()
		e.retry, e.retryAt = 0, time.Time{}
	}
	if t == nil {
		e.queue.take(now)
		return idle
	}
	if now.Before(e.retryAt) {
		return e.retryAt.Sub(now)
	}
	if e.conn == nil && !e.open(ctx, t) {
		return e.retry
	}
	due, next := e.queue.take(now.Add(-settles))
	e.sendAll(due, t)
	switch {
	case e.conn == nil: // it failed
		return e.retry
	case next.IsZero():
		return idle
	default:
		return max(next.Add(settles).Sub(now), 0)
	}
}

// open connects the socket, which for UDP asks nobody but the resolver of names.
func (e *Exporter) open(ctx context.Context, t *Target) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", t.Address)
	if err != nil {
		e.failed(err, t)
		return false
	}
	e.conn, e.to = conn, t
	return true
}

// failed closes the socket, and says when to try again: twice as long after each time.
func (e *Exporter) failed(err error, t *Target) {
	e.hangUp()
	e.to = t
	e.retry = min(max(2*e.retry, retryFirst), retryMost)
	now := time.Now()
	e.retryAt = now.Add(e.retry)
	if now.Sub(e.logged) >= logEvery {
		e.logged = now
		e.o.Logger.Warn("SIP messages not sent to the HEP server, tried again; see that it runs, or correct observe.hep.address",
			zap.String("address", t.Address), zap.Duration("in", e.retry), zap.Error(err))
	}
}

func (e *Exporter) hangUp() {
	if e.conn != nil {
		_ = e.conn.Close() // a socket of datagrams has nothing left to say
	}
	e.conn, e.to = nil, nil
}

// sendAll sends messages. Those behind one that fails are lost too: by then they are old, and more wait.
func (e *Exporter) sendAll(due []call.WireMessage, t *Target) {
	for i := range due {
		if err := e.send(&due[i], t); err != nil {
			e.metrics.failed.Add(float64(len(due) - i))
			e.failed(err, t)
			return
		}
	}
	if len(due) > 0 {
		e.retry = 0
	}
}

// send writes one message. What is too large for a datagram is counted, and no error.
func (e *Exporter) send(m *call.WireMessage, t *Target) error {
	p := packet{
		at: m.At, protocol: protocolOf(m.Transport), source: m.Local, target: m.Remote, capture: t.ID, key: t.Key,
		correlation: m.Call, payload: m.Data,
	}
	if m.Received {
		p.source, p.target = m.Remote, m.Local
	}
	if p.correlation == "" && m.CallID != "" {
		p.correlation = e.o.CallOf(m.CallID)
	}
	if !t.Full {
		p.payload = call.MaskMessage(m.Data, t.Open...)
	}
	var fits bool
	if e.packet, fits = p.appendTo(e.packet[:0]); !fits {
		e.metrics.dropped.Inc()
		return nil
	}
	if _, err := e.conn.Write(e.packet); err != nil {
		return fmt.Errorf("send to %s: %w", t.Address, err)
	}
	e.metrics.sent.Inc()
	return nil
}

// rest sends what waits when Run ends.
func (e *Exporter) rest() {
	t := e.target.Load()
	if t == nil || t != e.to || e.conn == nil {
		return
	}
	if err := e.conn.SetWriteDeadline(time.Now().Add(closeWithin)); err != nil && !errors.Is(err, net.ErrClosed) {
		return
	}
	due, _ := e.queue.take(time.Now())
	e.sendAll(due, t)
}
