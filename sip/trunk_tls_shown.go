package sip

import (
	"crypto/tls"
	"time"
)

// secured are the connections by TLS that we made, and that live.
func (c *conns) secured() (made []*trackedConn) {
	for _, t := range c.all() {
		if t.made && t.transport == transportTLS && !t.dead.isClosed() {
			made = append(made, t)
		}
	}
	return made
}

// shownUntil is when the first of the certificates ends that a trunk showed on connections made to it, be it that they were made
// for another at the same address; the zero time when it showed none.
func (t *trunk) shownUntil(made []*trackedConn) (until time.Time) {
	for _, one := range made {
		if one.to.trunk != t.name && !t.isAt(one.to) {
			continue
		}
		conn, ok := one.Conn.(*tls.Conn)
		if !ok {
			continue
		}
		if shown := conn.ConnectionState().PeerCertificates; len(shown) > 0 && (until.IsZero() || shown[0].NotAfter.Before(until)) {
			until = shown[0].NotAfter
		}
	}
	return until
}
