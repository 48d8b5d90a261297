package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

// Whoever can call by a trunk is told how, and of a trunk by registration no address that there is not.
func TestBannerOfTrunks(t *testing.T) {
	t.Parallel()
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.5/32")}
	account := config.TrunkRegister{Username: "075500000000", Address: config.TrunkAddress{Network: "udp", Host: "sip.carrier.example", Port: 5060}}
	tls := config.TrunkAddress{Network: "tls", Host: "sip.carrier.example", Port: 5061}
	tcp := config.TrunkAddress{Network: "tcp", Host: "2001:db8::5", Port: 5060}
	for want, trunk := range map[string]config.Trunk{
		"from 127.0.0.0/8, 192.0.2.5/32, without registration or password":                                                         {Allow: here},
		"with the password of its login":                                                                                           {Login: config.TrunkLogin{Username: "carrier"}, Address: tls},
		"through the carrier that it registers to at sip.carrier.example:5060":                                                     {Register: account},
		"from 127.0.0.0/8, without registration or password; through the carrier that it registers to at sip.carrier.example:5060": {Allow: here[:1], Register: account},
		"over the connection to sip.carrier.example:5061 that its ping keeps open":                                                 {Address: tls, Ping: time.Minute},
		"from 127.0.0.0/8, without registration or password; over the connection to [2001:db8::5]:5060 that its ping keeps open":   {Allow: here[:1], Address: tcp, Ping: time.Minute},
	} {
		require.Equal(t, want, whoRings(trunk))
	}
}
