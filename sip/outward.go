package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// outward opens the connections that requests of ours leave by, one to each peer, and hands them to sipgo as if their peers
// had made them. sipgo would open them by itself, with no word about whom it trusts, and would read them past our bounds. It
// may be used from any goroutine.
type outward struct {
	ua  *UA
	to  map[string]*handover // by carrier
	one singleflight.Group

	mu     sync.Mutex
	failed map[outwardKey]*dialFailure // dialFailuresMost at most
	noTCP  map[flowKey]time.Time       // until when large requests are not tried there; likewise
}

// outwardKey is a peer as one trunk is to find it: another may believe its certificate.
type outwardKey struct {
	flowKey
	trunk string
}

// dialFailure is what a connection failed for the last time.
type dialFailure struct {
	err   error
	times int // in a row
	until time.Time
}

const (
	// connectWithin is how long a connection may take, its handshake included, in T1.
	connectWithin = 8
	// The wait after a connection that failed doubles from the first to the most, which is short: a carrier that is back
	// is to be used at once, and a call that fails meanwhile goes by the next trunk.
	connectFirst, connectMost = 250 * time.Millisecond, 4 * time.Second
	// dialFailuresMost bounds the peers of whom a failure is remembered: where a call's Contact points is a stranger's choice.
	dialFailuresMost = 256
)

func newOutward(u *UA) *outward {
	return &outward{
		ua: u, to: map[string]*handover{transportTCP: newHandover(), transportTLS: newHandover()},
		failed: make(map[outwardKey]*dialFailure), noTCP: make(map[flowKey]time.Time),
	}
}

// errNotOpened is what sipgo gets that would open a connection.
var errNotOpened = errors.New("sip: connections are opened by the user agent alone")

// opensNothing has sipgo open no connection: not for requests, which prepare is for, nor for responses to whoever has closed
// the connection of the request, and had us connect to any host that the Via names.
func opensNothing() sipmsg.TransportLayerOption {
	streams := func() *sipmsg.TransportTCP {
		return &sipmsg.TransportTCP{DialerCreate: func(net.Addr) net.Dialer {
			return net.Dialer{Control: func(string, string, syscall.RawConn) error { return errNotOpened }}
		}}
	}
	return sipmsg.WithTransportLayerTransports(sipmsg.TransportsConfig{
		TCP: streams(), TLS: &sipmsg.TransportTLS{TransportTCP: streams()},
	})
}

// serve has sipgo read the connections of a carrier until the UA closes.
func (o *outward) serve(carrier string) error {
	l := o.to[carrier]
	if carrier == transportTLS {
		_ = o.ua.transport.ServeTLS(l) // it ends with the listener, for which there is no other reason than Close
	} else {
		_ = o.ua.transport.ServeTCP(l)
	}
	return nil
}

func (o *outward) close() {
	for _, l := range o.to {
		_ = l.Close() // it cannot fail
	}
}

// prepareOne is prepare by one way.
func (u *UA) prepareOne(ctx context.Context, req *sipmsg.Request) error {
	carrier := strings.ToUpper(req.Transport())
	peer, host := parsePeer(req.Destination()), ""
	if !peer.IsValid() {
		var err error
		if peer, host, err = u.found(ctx, carrier, req.Destination()); err != nil {
			return err
		}
		req.SetDestination(peer.String())
	}
	if !reliable(carrier) {
		u.enlarge(ctx, req)
		return nil
	}
	if u.conns.carried(carrier, peer) != nil {
		return nil
	}
	if via := req.Via(); via != nil && isWebSocket(via.Transport) {
		return fmt.Errorf("%s to %s, which nobody else can open: %w", via.Transport, peer, net.ErrClosed)
	}
	key := flowKey{carrier, peer}
	to, _ := u.aims.find(key)
	return u.outward.connect(ctx, key, to, host)
}

// found looks up where a request goes that is addressed by a name: an address of it that a listener of ours reaches.
func (u *UA) found(ctx context.Context, carrier, dest string) (netip.AddrPort, string, error) {
	host, port := hostAndPort(dest)
	addrs, err := u.hosts.lookUpOnce(ctx, host)
	if err != nil {
		addrs = u.hosts.meant(host)
	}
	if len(addrs) == 0 {
		return netip.AddrPort{}, host, fmt.Errorf("look up %s: %w", host, err)
	}
	for _, a := range addrs {
		if _, ok := u.wayTo(strings.ToLower(carrier), netip.AddrPortFrom(a, port)); ok {
			return netip.AddrPortFrom(a, port), host, nil
		}
	}
	return netip.AddrPort{}, host, fmt.Errorf("reach %s: %w", host, errNoListener)
}

// connect returns when there is a connection to a peer, where a trunk is reached, if to is of one. host is the name that its
// address was found by, if it was.
func (o *outward) connect(ctx context.Context, key flowKey, to aim, host string) error {
	if o.ua.conns.carried(key.transport, key.source) != nil {
		return nil
	}
	who := outwardKey{key, to.trunk}
	if err := o.waits(who, time.Now()); err != nil {
		return err
	}
	name := strings.Join([]string{key.transport, key.source.String(), to.trunk, host}, " ")
	open := func() (any, error) { return nil, o.open(who, to, host) } //nolint:contextcheck // others may wait for it as well
	done := o.one.DoChan(name, open)
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errOpening: a fault of ours, which was contained.
var errOpening = errors.New("sip: a connection was not opened by a fault")

// open opens a connection, unless there is one; that which is about to be sipgo's is waited for.
func (o *outward) open(who outwardKey, to aim, host string) (err error) {
	u, key := o.ua, who.flowKey
	if !u.tasks.enter() {
		return ErrClosed
	}
	defer u.tasks.leave()
	defer u.contain("connect", func() { err = errOpening })
	ctx, cancel := context.WithTimeout(u.patience, connectWithin*u.o.T1)
	defer cancel()
	if there, err := u.conns.await(ctx, key); there {
		return err
	}
	t, err := o.dial(ctx, key, to, host)
	if err == nil && t != nil {
		if err = o.to[key.transport].give(ctx, t); err != nil {
			_ = t.Close() // if sipgo has it after all, its reader notices
		}
	}
	o.note(who, err, time.Now())
	u.connected(to, key.source, err)
	return err
}

// connected tells what became of a connection to a trunk.
func (u *UA) connected(to aim, peer netip.AddrPort, err error) {
	if to.trunk == "" || u.ctx.Err() != nil {
		return
	}
	u.metrics.connection(to.trunk, err)
	if err != nil {
		u.limited(zap.WarnLevel, "no connection to a trunk", zap.String("trunk", to.trunk), zap.Stringer("address", peer), zap.Error(err))
	}
}

// dial makes a connection, with its handshake, and has it known; nil where another was made meanwhile, for another trunk.
func (o *outward) dial(ctx context.Context, key flowKey, to aim, host string) (*trackedConn, error) {
	u := o.ua
	way, _ := u.wayTo(strings.ToLower(key.transport), key.source) // else no listener's address is ours; the host picks one
	var config *tls.Config
	if key.transport == transportTLS {
		config = u.clientTLS(to, host, key.source)
	}
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
	if a := way.ours.Addr(); a.IsValid() && !a.IsUnspecified() {
		d.LocalAddr = &net.TCPAddr{IP: a.AsSlice(), Zone: a.Zone()} // the carrier may know us by it
	}
	raw, err := d.DialContext(ctx, networkTCP, key.source.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", key.source, err)
	}
	t := &trackedConn{
		Conn: raw, raw: raw, transport: key.transport, peer: key.source, ours: way.ours, conns: u.conns,
		accepted: time.Now(), gone: make(chan struct{}), made: true, to: to,
	}
	t.in.known = t.known
	if !t.ours.IsValid() {
		t.ours, _ = addrPortOf(raw.LocalAddr())
	}
	if config != nil {
		client := tls.Client(&steady{Conn: raw}, config)
		t.Conn, t.shake = client, client.HandshakeContext
		if err := client.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // it was for nothing
			return nil, fmt.Errorf("TLS to %s: %w", key.source, err)
		}
	}
	t.endures(u.conns.l.idle)
	if why := u.conns.add(t); why != "" {
		t.cut() // likewise
		if there, err := u.conns.await(ctx, key); there {
			return nil, err
		}
		return nil, fmt.Errorf("connection to %s not taken: %s", key.source, why)
	}
	return t, nil
}

// waits tells why a peer is not tried just now; nil: it is.
func (o *outward) waits(key outwardKey, at time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.failed[key]
	if f == nil || !at.Before(f.until) {
		return nil
	}
	return fmt.Errorf("not tried again for %s: %w", f.until.Sub(at).Round(time.Millisecond), f.err)
}

// note remembers a failure, or forgets those before a success.
func (o *outward) note(key outwardKey, err error, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		delete(o.failed, key)
		delete(o.noTCP, key.flowKey)
		return
	}
	f := o.failed[key]
	if f == nil {
		f = &dialFailure{}
		makeRoom(o.failed, func(other *dialFailure) bool { return !at.Before(other.until) })
		o.failed[key] = f
	}
	const doublings = 10 // more reach connectMost anyway
	f.err, f.until = err, at.Add(min(connectFirst<<min(f.times, doublings), connectMost))
	f.times++
}

// forget has every peer tried again at once: the settings have changed.
func (o *outward) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.failed)
	clear(o.noTCP)
}

// makeRoom has a map of what is remembered of peers hold less than dialFailuresMost: what is over goes first.
func makeRoom[K comparable, V any](m map[K]V, over func(V) bool) {
	if len(m) < dialFailuresMost {
		return
	}
	for key, v := range m {
		if over(v) {
			delete(m, key)
		}
	}
	for key := range m {
		if len(m) < dialFailuresMost {
			return
		}
		delete(m, key)
	}
}
