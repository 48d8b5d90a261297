//go:build linux

package flood

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// hellos connects by TLS from as many hosts as are let in at once, and has all of them say hello in one instant, and nothing more:
// by words that were written once, so that the hotline has all the work of a handshake, and the attacker none.
func hellos(ctx context.Context, w *town) (tally, error) {
	hello, err := clientHello(ctx)
	if err != nil {
		return tally{}, err
	}
	many := min(w.slots, allConnectsAtOnce)
	together := time.Now().Add(time.Duration(many)*apart + time.Second)
	come := func(ctx context.Context, w *town, n int) (net.Conn, error) {
		c, err := dialAs(ctx, mobHost(n%manyHosts), w.h.TLS)
		if err != nil {
			return nil, err
		}
		pause(ctx, time.Until(together))
		if _, err := c.Write(hello); err != nil {
			_ = c.Close() // the hotline may have closed it
			return nil, err
		}
		return c, nil
	}
	return unfinishedOf(many, come, "")(ctx, w)
}

// clientHello is the first that a client of TLS says.
func clientHello(ctx context.Context) ([]byte, error) {
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(theirs, attackerTLS()).HandshakeContext(ctx) // it ends with the pipe
	}()
	b := make([]byte, 4096)
	n, err := ours.Read(b) // a record is written whole
	_ = ours.Close()       // never fails
	<-done
	_ = theirs.Close() // nor this
	return b[:n], err
}
