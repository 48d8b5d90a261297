package sip

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

func TestTrunks(t *testing.T) {
	prefix := netip.MustParsePrefix
	numbers := map[string]call.Next{"96777": {Kind: call.Menu, Menu: "main"}}
	trunks := newTrunks([]TrunkOptions{
		{Name: "wide", Allow: []netip.Prefix{prefix("10.0.0.0/8"), prefix("2001:db8::/32")}},
		{Name: "narrow", Allow: []netip.Prefix{prefix("10.1.0.0/16"), {}}, Numbers: numbers},
		{Name: "host", Allow: []netip.Prefix{prefix("10.1.2.3/32")}},
		{Name: "late", Allow: []netip.Prefix{prefix("10.1.0.0/16")}},
		{Name: "mapped", Allow: []netip.Prefix{prefix("::ffff:172.16.0.0/108")}},
		{Name: "link", Allow: []netip.Prefix{prefix("fe80::/10")}},
	})
	for addr, want := range map[string]string{
		"10.200.0.1":        "wide",
		"10.1.9.9":          "narrow",
		"10.1.2.3":          "host",
		"::ffff:10.1.2.3":   "host",
		"2001:db8::5":       "wide",
		"172.31.0.1":        "mapped",
		"::ffff:172.16.0.1": "mapped",
		"fe80::1%eth0":      "link",
		"172.32.0.1":        "",
		"11.0.0.1":          "",
		"::1":               "",
	} {
		got, ok := trunks.match(netip.MustParseAddr(addr))
		require.Equal(t, want != "", ok, addr)
		if ok {
			require.Equal(t, want, got.name, addr)
		}
	}
	_, ok := trunks.match(netip.Addr{})
	require.False(t, ok)

	narrow, _ := trunks.match(netip.MustParseAddr("10.1.9.9"))
	delete(numbers, "96777") // what was handed in is copied
	next, ok := narrow.route("96777")
	require.True(t, ok)
	require.Equal(t, call.Next{Kind: call.Menu, Menu: "main"}, next)
	for _, number := range []string{"", "9677", "967777", "96119"} {
		_, ok := narrow.route(number)
		require.False(t, ok, number)
	}
}
