package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A refusal that comes again was not acknowledged, or its ACK was lost: it gets the same again at once (RFC 3261
// section 17.1.1.2), however often.
func TestRefusalAcknowledgedAgain(t *testing.T) {
	t.Parallel()
	_, p, inv, out := ringPhone(t, time.Second)
	p.respond(inv, 486, "Busy", "a1", "")
	ack := p.expect("ACK", "ACK")
	require.Equal(t, viaBranch(inv), viaBranch(ack))
	require.Error(t, next(t, out).err)
	for range 3 {
		p.respond(inv, 486, "Busy", "a1", "")
		again, err := p.read(testWait)
		require.NoError(t, err)
		require.Equal(t, "ACK", again.method())
		require.Equal(t, inv.header("via"), again.header("via"))
		require.Equal(t, ack.header("to"), again.header("to"))
		require.Equal(t, ack.header("from"), again.header("from"))
		require.Equal(t, ack.header("cseq"), again.header("cseq"))
		require.Equal(t, ack.start, again.start)
	}
}
