package main

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

// pretended is a machine whose files say so; the empty ones are not there.
func pretended(ephemeral, reserved string, limit uint64) machine {
	return machine{
		read: func(file string) ([]byte, error) {
			text := map[string]string{ephemeralFile: ephemeral, reservedFile: reserved}[file]
			if text == "" {
				return nil, errors.New("not there")
			}
			return []byte(text), nil
		},
		files: func() (uint64, bool) { return limit, limit > 0 },
		bind:  func(netip.Addr) error { return nil },
	}
}

func TestMachinePorts(t *testing.T) {
	t.Parallel()
	const usual = "32768\t60999\n"
	for name, c := range map[string]struct {
		ephemeral, reserved string
		low, high, sip      uint16
		paths               []string
		reserve             string // what the operator is told to set
	}{
		"apart":                  {usual, "\n", 20000, 24999, 5060, nil, ""},
		"no such system":         {"", "", 40000, 44999, 5060, nil, ""},
		"rubbish":                {"none\n", "", 40000, 44999, 5060, nil, ""},
		"within":                 {usual, "\n", 40000, 44999, 5060, []string{"media.ports"}, "40000-44999"},
		"at its lower end":       {usual, "", 30000, 32769, 5060, []string{"media.ports"}, "32768-32769"},
		"just below":             {usual, "", 30000, 32767, 5060, nil, ""},
		"at its upper end":       {usual, "", 60998, 61999, 5060, []string{"media.ports"}, "60998-60999"},
		"just above":             {usual, "", 61000, 61999, 5060, nil, ""},
		"a range of all":         {"1024 65535", "", 20000, 24999, 5060, []string{"sip.listen[1]", "media.ports"}, "5060,20000-24999"},
		"reserved":               {usual, "40000-44999\n", 40000, 44999, 5060, nil, ""},
		"reserved in part":       {usual, "8080,40100-40199,44000-65535\n", 40000, 44999, 5060, []string{"media.ports"}, "8080,40000-65535"},
		"reserved, other ones":   {usual, "8080,9148-9200", 40000, 44999, 5060, []string{"media.ports"}, "8080,9148-9200,40000-44999"},
		"reserved, in disorder":  {usual, "44000-44999,40000-43999", 40000, 44999, 5060, nil, ""},
		"reserved, rubbish":      {usual, "x,1-y,", 40000, 44999, 5060, []string{"media.ports"}, "40000-44999"},
		"SIP alone":              {usual, "", 20000, 24999, 50600, []string{"sip.listen[1]"}, "50600"},
		"SIP reserved":           {usual, "50600", 20000, 24999, 50600, nil, ""},
		"SIP beside the reserve": {usual, "50601", 20000, 24999, 50600, []string{"sip.listen[1]"}, "50600-50601"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cfg config.Config
			cfg.Media.Ports = config.PortRange{Low: c.low, High: c.high}
			loopback := netip.MustParseAddr("127.0.0.1")
			cfg.SIP.Listen = []config.Listener{
				{Network: "udp", Address: netip.AddrPortFrom(loopback, 0)}, // any port: the system's affair
				{Network: "tcp", Address: netip.AddrPortFrom(loopback, c.sip)},
			}
			var paths []string
			for _, f := range pretended(c.ephemeral, c.reserved, 0).judge(&cfg) {
				paths = append(paths, f.Path)
				require.True(t, f.Mild)
				want := "others, or these kept free: sysctl -w net.ipv4.ip_local_reserved_ports=" + c.reserve
				require.Equal(t, want, f.Want)
			}
			require.Equal(t, c.paths, paths)
		})
	}
}

func TestMachineFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		calls, agents int
		high          uint16 // of ports from 20000
		network       string
		need          uint64
	}{
		{1250, 4, 24999, "udp", 2*2500 + 1250 + 4 + 256}, // no more legs than pairs of ports
		{100, 4, 24999, "udp", 2*204 + 100 + 4 + 256},
		{100, 4, 24999, "wss", 2*204 + 100 + 4 + 256 + 3072}, // with the connections of strangers
		{1, 0, 20003, "tcp", 2*2 + 1 + 256 + 3072},
	} {
		var cfg config.Config
		cfg.SIP.MaxCalls, cfg.Agents = c.calls, make([]config.Agent, c.agents)
		cfg.Media.Ports = config.PortRange{Low: 20000, High: c.high}
		cfg.SIP.Listen = []config.Listener{{Network: "udp"}, {Network: c.network}}
		cfg.SIP.Abuse.Connections.All = 3072
		require.Empty(t, pretended("", "", 0).judge(&cfg), "a system that sets no limit")
		require.Empty(t, pretended("", "", c.need).judge(&cfg))
		require.Equal(t, []config.Finding{{
			Path: "sip.max_calls", Mild: true,
			Found: fmt.Sprintf("%d calls at once need up to %d open files, and the system allows %d", c.calls, c.need, c.need-1),
			Want: fmt.Sprintf("fewer, or LimitNOFILE=%d in the systemd unit, or ulimit -n %d by root before the start",
				c.need, c.need),
		}}, pretended("", "", c.need-1).judge(&cfg))
	}
}

// TestMachineAddresses: what is bound to an address that the machine does not have is warned of, each at its key.
func TestMachineAddresses(t *testing.T) {
	t.Parallel()
	ours, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	m := pretended("", "", 0)
	m.bind = func(a netip.Addr) error {
		if a != ours {
			return errors.New("not ours")
		}
		return nil
	}
	var cfg config.Config
	at := func(sip, media, http netip.Addr) (paths []string) {
		cfg.SIP.Listen = []config.Listener{{Network: "udp", Address: netip.AddrPortFrom(ours, 5060)}, {Network: "tcp", Address: netip.AddrPortFrom(sip, 5060)}}
		cfg.Media.Address, cfg.HTTP.Listen = media, netip.AddrPortFrom(http, 8080)
		cfg.Node.SIP.Address, cfg.Node.HTTP.Address = netip.AddrPortFrom(sip, 5080), netip.AddrPortFrom(http, 8081)
		for _, f := range m.judge(&cfg) {
			require.True(t, f.Mild)
			require.Equal(t, "192.0.2.2, to which nothing can be bound on this machine: not ours", f.Found)
			paths = append(paths, f.Path)
		}
		return paths
	}
	require.Empty(t, at(ours, ours, ours))
	require.Empty(t, at(netip.IPv4Unspecified(), netip.IPv6Unspecified(), netip.Addr{}), "every address, and none")
	require.Equal(t, []string{"sip.listen[1]", "media.address", "http.listen", "node.sip", "node.http"}, at(other, other, other))
}

// TestCheckForeignAddress: a file for another machine is good here, with a warning. 192.0.2.0/24 is nobody's (RFC 5737).
func TestCheckForeignAddress(t *testing.T) {
	t.Parallel()
	const file = "sip: {listen: [\"udp://127.0.0.1:0\"]}\nhttp: {listen: \"%s:8080\"}\n"
	code, said, complaints := command(t, "check", write(t, fmt.Sprintf(file, "127.0.0.1")))
	require.Zero(t, code, complaints)
	require.NotContains(t, said, "http.listen")
	code, said, complaints = command(t, "check", write(t, fmt.Sprintf(file, "192.0.2.1")))
	require.Zero(t, code, complaints)
	require.Contains(t, said, "http.listen: 192.0.2.1, to which nothing can be bound on this machine: ")
	require.Contains(t, said, "good: ")
}
