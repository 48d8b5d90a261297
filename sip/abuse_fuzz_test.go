package sip

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// FuzzSentry: whatever a stranger sends, by datagram nobody is banned for it, and by connection nobody but the sender; what
// is dropped has a reason of the closed set; a known host is never banned; and a nonce that is not ours proves nothing.
func FuzzSentry(f *testing.F) {
	f.Add("OPTIONS sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nUser-Agent: friendly-scanner\r\n\r\n", "nonce")
	f.Add("INVITE sip:1@h SIP/2.0\r\nvia: SIP/2.0/TCP h\r\nuser-agent:\r\n SIPVICIOUS\r\n\r\n", "")
	f.Add("SIP/2.0 200 OK\r\nServer: sipcli\r\n\r\n", "AAAA")
	f.Add("\r\n\r\n", strings.Repeat("A", 54))
	stranger, known := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")
	reasons := map[string]bool{"": true, dropBanned: true, dropScanner: true, dropInvites: true}
	f.Fuzz(func(t *testing.T, message, nonce string) {
		m, err := newMetrics(nil)
		require.NoError(t, err)
		s := newSentry(defaultLimits(), AbuseOptions{}, m)
		s.known = func(h netip.Addr) bool { return h == known }
		s.limited, s.banned = func(string, ...zap.Field) {}, func(netip.Addr) {}
		o := sketchBounded([]byte(message))
		for range 50 {
			require.True(t, reasons[s.refuses(o, stranger, false)])
		}
		require.Empty(t, s.bans.hosts, "a datagram is no proof")
		for range 50 {
			require.True(t, reasons[s.refuses(o, stranger, true)])
			s.offended(known, banLogin)
			require.True(t, reasons[s.refuses(o, known, true)])
		}
		for host := range s.bans.hosts {
			require.Equal(t, hostOf(stranger), host)
		}
		require.False(t, newNonces(1).heardBy(nonce, stranger))
	})
}
