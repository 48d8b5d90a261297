package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// Each 200 without its ACK is kept and resent for 64·T1. A far end that offers on and on, and acknowledges nothing, is told
// to wait (RFC 3261 section 14.2); what it acknowledges makes room.
func TestUnackedAreBounded(t *testing.T) {
	t.Parallel()
	_, k, l, commands := upWith(t, nil)
	first := k.seq + 1
	for range unackedMost {
		k.request("INVITE", sdpGood, sdpHeader)
		_, err := next(t, commands).(call.Reoffered).Accept()
		require.NoError(t, err)
		require.Equal(t, 200, k.finalOf("INVITE", k.seq).code(t))
	}
	k.request("INVITE", sdpGood, sdpHeader)
	w := k.finalOf("INVITE", k.seq)
	require.Equal(t, 500, w.code(t))
	later(t, w)
	k.ack(w, "")
	require.Empty(t, commands)
	k.p.write(k.message("ACK", first, newBranch(), ""))
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acks) < unackedMost
	}, testWait, time.Millisecond)
	k.request("INVITE", sdpGood, sdpHeader)
	_, err := next(t, commands).(call.Reoffered).Accept()
	require.NoError(t, err)
	require.Equal(t, 200, k.finalOf("INVITE", k.seq).code(t))
	k.bye()
}
