package media

import (
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	good := Options{Address: netip.MustParseAddr("127.0.0.1"), Ports: PortRange{20000, 20099}}
	o, err := good.checked()
	require.NoError(t, err)
	require.Equal(t, []Codec{PCMA, PCMU}, o.Codecs)
	require.Zero(t, o.Rest, "none was asked for")
	require.Equal(t, good.Address, o.Advertise)
	for want, change := range map[string]func(*Options){
		"no address to bind":            func(o *Options) { o.Address = netip.Addr{} },
		"an address to advertise":       func(o *Options) { o.Address = netip.IPv4Unspecified() },
		"of different families":         func(o *Options) { o.Advertise = netip.IPv6Loopback() },
		"port range 20001-20002":        func(o *Options) { o.Ports = PortRange{20001, 20002} },
		"rest -1ns is negative":         func(o *Options) { o.Rest = -1 },
		"timeout -1ns is negative":      func(o *Options) { o.Timeout = -1 },
		`codec "opus" is not known`:     func(o *Options) { o.Codecs = []Codec{"opus"} },
		`codec "pcma" stands twice`:     func(o *Options) { o.Codecs = []Codec{PCMA, PCMA} },
		"no pair of an even port":       func(o *Options) { o.Ports = PortRange{} },
		"advertised address 2001:db8::": func(o *Options) { o.Advertise = netip.MustParseAddr("2001:db8::") },
	} {
		o := good
		change(&o)
		_, err := NewPortable(o)
		require.ErrorIs(t, err, ErrBadOptions)
		require.ErrorContains(t, err, want)
	}
}

func TestMetricsTwice(t *testing.T) {
	registry := prometheus.NewRegistry()
	require.NoError(t, newMetrics().register(registry))
	var already prometheus.AlreadyRegisteredError
	require.ErrorAs(t, newMetrics().register(registry), &already)
}
