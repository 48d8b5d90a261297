package sip

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestFloodBesideCall: 2,000 REGISTERs and 2,000 INVITEs from strangers, as fast as they can be sent, beside a call that is
// up: most get no answer, the call is not disturbed, a trunk's next call is taken, and nothing is remembered of them.
func TestFloodBesideCall(t *testing.T) {
	t.Parallel()
	legs := make(chan call.Leg, 2)
	r := newRig(t, func(o *Options) {
		strangersOnly(o)
		o.Cores, o.CPUTime = 1, func() (time.Duration, error) { return 0, nil }
		o.OnIncoming = untilOver(legs)
	})
	trunk := r.from(t, 1)
	first := trunk.dialog(testNumber)
	first.answered()
	up := next(t, legs)
	const each = 2000
	flooding := make(chan error, 2)
	for i, method := range []string{"REGISTER", "INVITE"} {
		p := r.from(t, byte(20+i))
		go func() {
			var err error
			for n := range each {
				at := &net.UDPAddr{IP: net.IPv4(127, 0, byte(2+n>>8), byte(n))} // some 2,000 sources
				conn, e := net.DialUDP("udp", at, net.UDPAddrFromAddrPort(r.udp()))
				if e != nil {
					err = e
					break
				}
				m := p.dialog(fmt.Sprint(8000+n)).message(method, 1, newBranch(), "")
				_, e = conn.Write([]byte(strings.ReplaceAll(m, p.addr(), conn.LocalAddr().String())))
				_ = conn.Close()
				if e != nil && !strings.Contains(e.Error(), "refused") { // what our answer to the last met
					err = e
					break
				}
			}
			flooding <- err
		}()
	}
	second := trunk.dialog(testNumber)
	second.answered()
	another := next(t, legs)
	for range 2 {
		require.NoError(t, next(t, flooding))
	}
	require.Positive(t, r.dropped(dropInvites))
	sockets := newBacklogs(r.listeners)
	require.Eventually(t, func() bool { // the kernel drops from a full buffer whoever sends, and this trunk sends but once
		share, _ := sockets.look()
		return share == 0
	}, testWait, time.Millisecond)
	require.Eventually(t, func() bool { // and it is known whose work that was
		r.load.mu.Lock()
		defer r.load.mu.Unlock()
		return r.load.theirs > 0
	}, testWait, time.Millisecond)
	require.NoError(t, up.Context().Err())
	require.NoError(t, another.Context().Err())
	for _, k := range []*talk{first, second} {
		k.request("INFO", "")
		require.Contains(t, trunk.expect("SIP/2.0", "INFO").start, "SIP/2.0 ")
		k.request("BYE", "")
		trunk.status("BYE", 200)
	}
	r.quiet(t)
	require.Empty(t, r.Bans())
	require.Empty(t, r.sentry.bans.hosts)
	require.Empty(t, r.sentry.guesses.accounts)
}
