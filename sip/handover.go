package sip

import (
	"context"
	"net"
	"sync"
)

// handover is a listener of connections that we made, as sipgo takes them.
type handover struct {
	ready chan *trackedConn
	done  chan struct{}
	once  sync.Once
}

func newHandover() *handover {
	return &handover{ready: make(chan *trackedConn), done: make(chan struct{})}
}

// Accept returns the next connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case t := <-h.ready:
		return t, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// give hands a connection over, and returns when sipgo has it. Errors: net.ErrClosed; ctx's.
func (h *handover) give(ctx context.Context, t *trackedConn) error {
	select {
	case h.ready <- t:
		return t.ready(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.done:
		return net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener: of no port, since nobody connects here.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }
