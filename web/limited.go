package web

import (
	"net"
	"net/netip"
)

// limited is a listener whose connections are bounded; what is beyond is closed at once, and never waits in the queue that
// others wait in.
type limited struct {
	net.Listener
	places *places
}

// Accept returns the next connection for which there is a place.
func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at, _ := netip.ParseAddrPort(c.RemoteAddr().String()) // none is one more stranger
		if free, ok := l.places.take(at.Addr().Unmap()); ok {
			return &placed{Conn: c, free: free}, nil
		}
		_ = c.Close() // nobody has been told of it
	}
}

// placed gives its place back when it is closed.
type placed struct {
	net.Conn
	free func()
}

func (p *placed) Close() error {
	defer p.free()
	return p.Conn.Close()
}
