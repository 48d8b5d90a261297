package media

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/stretchr/testify/require"
)

// What is not the far end's leaves no trace but its count: it takes no lock on the source, and no numbers. That is
// looked at before anything else is.
func TestReceiveAuthentic(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		near, far := netip.MustParseAddrPort("192.0.2.7:4000"), netip.MustParseAddrPort("203.0.113.9:9")
		var followed []netip.AddrPort
		r := newReceiver(netip.Addr{}, func(to netip.AddrPort) { followed = append(followed, to) })
		a := &agreement{codec: PCMA, remote: near, secure: &protection{out: s, in: o}}
		a.receive[8] = payloadPCMA
		r.agree(a)
		var p rtp.Packet
		now := time.Now()
		for number := range uint16(2 * strangerRun) {
			require.Equal(t, payloadNone, r.datagram(&p, unsealed(9, number), far, now).kind)
			require.Equal(t, payloadNone, r.datagram(&p, unsealed(9, number), near, now).kind, "from the right address too")
		}
		require.Equal(t, []netip.AddrPort{near}, followed)
		require.Equal(t, Stats{Secure: true, Unauthentic: 4 * strangerRun}, r.snapshot())
		require.False(t, r.source.locked.IsValid())

		again := sealed(t, s, 7, 5)
		packet := append([]byte(nil), again...)
		require.Equal(t, payloadPCMA, r.datagram(&p, packet, near, now).kind)
		require.Equal(t, unsealed(7, 5)[rtpHeaderSize:], p.Payload)
		require.Equal(t, payloadNone, r.datagram(&p, again, near, now).kind)
		require.Equal(t, uint64(1), r.snapshot().Duplicate)
		require.Equal(t, uint64(1), r.snapshot().PacketsIn)
	})
}

// What was on its way under the old key is taken until the new one is in use; what was plain is not.
func TestOpenersChange(t *testing.T) {
	eachSuite(t, func(t *testing.T, s *sealer, o *opener) {
		t.Helper()
		key := newMasterKey(s.key.suite)
		newer, err := newSealer(key)
		require.NoError(t, err)
		next, err := newOpener(key)
		require.NoError(t, err)
		var both openers
		arrives := func(b []byte) authenticity {
			_, what := both.rtp(b)
			return what
		}
		require.Equal(t, authentic, arrives(unsealed(7, 1)), "nothing is encrypted yet")
		both.agree(&protection{out: s, in: o})
		require.Equal(t, notAuthentic, arrives(unsealed(7, 2)))
		require.Equal(t, authentic, arrives(sealed(t, s, 7, 3)))
		both.agree(&protection{out: s, in: o})
		require.Nil(t, both.before, "the same again")
		both.agree(&protection{out: newer, in: next})
		require.Equal(t, authentic, arrives(sealed(t, s, 7, 4)))
		require.Equal(t, authentic, arrives(sealed(t, newer, 7, 5)))
		require.Equal(t, notAuthentic, arrives(sealed(t, s, 7, 6)))
		both.agree(nil)
		require.Equal(t, notAuthentic, arrives(sealed(t, newer, 7, 7)), "what was on its way would be noise")
		require.Equal(t, notAuthentic, arrives(sealed(t, newer, 7, 8)))
		require.Equal(t, authentic, arrives(unsealed(7, 9)), "and plain again")
		require.Nil(t, both.before, "the old key is forgotten")
	})
}
