package config_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

// What Init writes is accepted as it stands, on any address, with passwords that nobody knows.
func TestInitIsAccepted(t *testing.T) {
	seen := map[string]bool{}
	for _, text := range []string{"192.168.1.20", "127.0.0.1", "2001:db8::7", "::ffff:10.0.0.9"} {
		address := netip.MustParseAddr(text)
		var b bytes.Buffer
		require.NoError(t, config.Init(&b, config.InitOptions{Address: address}))
		c := parse(t, b.String(), nil)
		require.Equal(t, netip.AddrPortFrom(address.Unmap(), 5060), c.SIP.Listen[0].Address)
		require.Equal(t, address.Unmap(), c.Media.Advertise)
		require.Len(t, c.Trunks[0].Allow, 1)
		require.True(t, c.Trunks[0].Allow[0].IsSingleIP())
		require.Len(t, c.Agents, 4)
		for _, a := range c.Agents {
			p := a.Password.Reveal()
			require.Regexp(t, "^[a-hjkmnp-z2-9]{16}$", p)
			require.False(t, seen[p], "the same password twice")
			seen[p] = true
		}
		require.Len(t, c.GeneratedTokens(), 1)
	}
}

// Beyond addresses, secrets and the trunk's name, Init's file means what the defaults mean.
func TestInitIsReferenceOtherwise(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, config.Init(&b, config.InitOptions{Address: netip.MustParseAddr("127.0.0.1")}))
	got, want := parse(t, b.String(), nil), parse(t, readReference(t), nil)
	got.Trunks, want.Trunks = nil, nil
	got.HTTP.Tokens, want.HTTP.Tokens = nil, nil
	for i := range got.Agents {
		got.Agents[i].Password = want.Agents[i].Password
	}
	want.Dial = nil
	require.Equal(t, want, got)
}

func TestInitErrors(t *testing.T) {
	good := netip.MustParseAddr("192.0.2.1")
	for _, a := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("fe80::1%eth0")} {
		require.Error(t, config.Init(io.Discard, config.InitOptions{Address: a}))
	}
	require.ErrorIs(t, config.Init(io.Discard, config.InitOptions{Address: good, Rand: bytes.NewReader([]byte("few"))}),
		io.ErrUnexpectedEOF)
	require.ErrorIs(t, config.Init(brokenWriter{}, config.InitOptions{Address: good}), errBroken)
	require.ErrorIs(t, config.Init(io.Discard, config.InitOptions{Address: good, Rand: iotest.ErrReader(errBroken)}), errBroken)
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestDetectAddress(t *testing.T) {
	a, err := config.DetectAddress()
	if err != nil {
		// A machine with nothing but loopback must say so, and nothing else.
		require.ErrorIs(t, err, config.ErrNoAddress)
		return
	}
	require.True(t, a.Is4())
	require.True(t, a.IsGlobalUnicast())
	require.False(t, a.IsLoopback())
	require.NoError(t, config.Init(io.Discard, config.InitOptions{Address: a}))
}
