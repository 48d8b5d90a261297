package sip

import (
	"context"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// A connection that closes waits for no leg, not even for one that it brought, whose lock is held while a response is written
// to a peer that does not read: sipgo has its table locked, which everybody needs who is served over a connection.
func TestConnectionClosesBesideABusyLeg(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = unanswered(legs)
	})
	caller, other := newPeer(t, "tcp", r.tcp()), newPeer(t, "tcp", r.tcp())
	caller.dialog(testNumber).invite()
	l, ok := next(t, legs).(*leg)
	require.True(t, ok)
	l.mu.Lock()
	unlock := sync.OnceFunc(l.mu.Unlock)
	defer unlock()
	require.NoError(t, caller.conn.Close())
	require.Eventually(t, func() bool { return !r.conns.alive(transportTCP, parsePeer(caller.addr())) }, testWait, time.Millisecond)
	other.dialog(testNumber).request("OPTIONS", "")
	other.status("OPTIONS", 200)
	require.NoError(t, l.Context().Err())
	unlock()
	require.Equal(t, call.CauseTransport, ended(t, l).Why)
}

// What came over a connection after one from the same address ended is not ended with that.
func TestCallOverTheNextConnection(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 1)
	r := newRig(t, func(o *Options) {
		o.OnIncoming = unanswered(legs)
	})
	before := time.Now()
	caller := newPeer(t, "tcp", r.tcp())
	caller.dialog(testNumber).invite()
	l, ok := next(t, legs).(*leg)
	require.True(t, ok)
	end := connEnd{transport: transportTCP, peer: parsePeer(caller.addr()), at: before}
	r.legs.connClosed(end)
	require.NoError(t, l.Context().Err())
	end.at = time.Now()
	r.legs.connClosed(end)
	require.Equal(t, call.CauseTransport, ended(t, l).Why)
}

// The ACK of a re-INVITE whose way is not known yet keeps nobody from the leg: not the far end's BYE, and not Close.
func TestACKOnItsWayHoldsNoLeg(t *testing.T) {
	t.Parallel()
	r, k, l, _ := upWith(t, nil)
	asked, found := make(chan string, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(found) })
	defer release()
	r.hosts.resolve = func(_ context.Context, name string) ([]netip.Addr, error) {
		asked <- name
		<-found
		return []netip.Addr{parsePeer(k.p.addr()).Addr()}, nil
	}
	r.ask(l)
	_, port := hostAndPort(k.p.addr())
	req := k.p.expect("INVITE", "INVITE")
	k.p.respond(req, 200, "OK", "", sdpGood, "Contact: <sip:gw@slow.test:"+strconv.Itoa(int(port))+">")
	require.Equal(t, "slow.test", next(t, asked))
	k.bye()
	require.Equal(t, call.CauseBye, ended(t, l).Why)
	release()
	k.p.expect("ACK sip:gw@slow.test", "ACK")
}

// Close waits no longer than it says for far ends, though a leg's lock is held for one.
func TestCloseHurriesWhoeverHoldsALeg(t *testing.T) {
	t.Parallel()
	r, _, l, _ := upWith(t, func(o *Options) { o.T1 = 20 * time.Millisecond })
	l.mu.Lock()
	unlock := sync.OnceFunc(l.mu.Unlock)
	defer unlock()
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	next(t, r.patience.Done())
	unlock()
	require.NoError(t, next(t, closed))
}
