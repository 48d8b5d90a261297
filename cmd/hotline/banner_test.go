package main

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

// Whoever can call by a trunk is told how, and of a trunk by registration no address that there is not.
func TestBannerOfTrunks(t *testing.T) {
	t.Parallel()
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.5/32")}
	account := config.TrunkRegister{Username: "075500000000", Address: config.TrunkAddress{Network: "udp", Host: "sip.carrier.example", Port: 5060}}
	for want, trunk := range map[string]config.Trunk{
		"from 127.0.0.0/8, 192.0.2.5/32, without registration or password":                                                         {Allow: here},
		"with the password of its login":                                                                                           {Login: config.TrunkLogin{Username: "carrier"}},
		"through the carrier that it registers to at sip.carrier.example:5060":                                                     {Register: account},
		"from 127.0.0.0/8, without registration or password; through the carrier that it registers to at sip.carrier.example:5060": {Allow: here[:1], Register: account},
	} {
		require.Equal(t, want, whoRings(trunk))
	}
}
