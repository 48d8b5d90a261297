package testkit

import (
	"fmt"
	"testing"
)

// Addresses of an Office, which are those that the manual has: nobody else is in its networks.
const (
	OfficeServer = "192.168.1.5"  // the server's, on the office's own network
	OfficeDesk   = "192.168.1.20" // a phone's there
	OfficeApart  = "10.0.0.2"     // the server's towards the router, where it has a network card for that
	OfficePublic = "203.0.113.9"  // the router's, outside
	OfficeFar    = "198.51.100.1" // a carrier's
)

// officeCard is what the network card on the office's own network is called.
const officeCard = "lan0"

// Office is a server with private addresses, phones on its own network, and a router between it and everybody else. The router has
// the one public address: what leaves is sent from there, and what comes there goes nowhere but by Forward. From inside that
// address leads nowhere, as with most routers; outside nobody knows a way to the private ones.
type Office struct {
	// Server is at OfficeServer, and at OfficeApart if it has two network cards. Desk is at OfficeDesk, Outside at OfficeFar.
	Server, Desk, Outside *Network
	// Inner is the server's address that the router knows.
	Inner string

	router *Network
}

// StartOffice makes an office whose server has a network card for the router alone, or one for all, which then is on the office's
// network with the router. It goes with the test.
func StartOffice(tb testing.TB, oneCard bool) *Office {
	tb.Helper()
	o := &Office{Server: StartNetwork(tb), Desk: StartNetwork(tb), Outside: StartNetwork(tb), router: StartNetwork(tb)}
	server, desk := []string{OfficeServer + "/24"}, []string{OfficeDesk + "/24"}
	gateway := "10.0.0.1"
	if oneCard {
		o.Inner, gateway = OfficeServer, "192.168.1.1"
		o.router.Run(tb, "", "ip", "link", "add", "lan", "type", "bridge")
		Connect(tb, End{o.Server, officeCard, server}, End{o.router, "port1", nil})
		Connect(tb, End{o.Desk, officeCard, desk}, End{o.router, "port2", nil})
		for _, port := range []string{"port1", "port2"} {
			o.router.Run(tb, "", "ip", "link", "set", port, "master", "lan")
		}
		o.router.Run(tb, "", "ip", "addr", "add", gateway+"/24", "dev", "lan")
		o.router.Run(tb, "", "ip", "link", "set", "lan", "up")
		o.Desk.Run(tb, "", "ip", "route", "add", "default", "via", gateway)
	} else {
		o.Inner = OfficeApart
		Connect(tb, End{o.Server, officeCard, server}, End{o.Desk, officeCard, desk})
		Connect(tb, End{o.Server, "apart0", []string{OfficeApart + "/24"}}, End{o.router, "lan", []string{gateway + "/24"}})
	}
	o.Server.Run(tb, "", "ip", "route", "add", "default", "via", gateway)
	Connect(tb, End{o.router, "wan0", []string{OfficePublic + "/24"}}, End{o.Outside, "net0", []string{OfficeFar + "/24"}})
	o.router.Run(tb, "", "ip", "route", "add", OfficeFar+"/32", "dev", "wan0")
	o.Outside.Run(tb, "", "ip", "route", "add", OfficePublic+"/32", "dev", "net0")
	o.router.Run(tb, "", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
	return o
}

// Forward has the router forward ports of its public address to the server's, by UDP, each to the same port: those of SIP and of
// audio.
func (o *Office) Forward(tb testing.TB, sip int, audio PortRange) {
	tb.Helper()
	o.router.Run(tb, fmt.Sprintf(forwarding, sip, audio.First, audio.Last, o.Inner), "nft", "-f", "-")
}

// forwarding is what the router does: a port that somebody inside sends from is the same outside, as long as nobody else has it.
const forwarding = `
table ip office {
	chain forward {
		type nat hook prerouting priority dstnat;
		iifname "wan0" udp dport { %d, %d-%d } dnat to %s
	}
	chain translate {
		type nat hook postrouting priority srcnat;
		oifname "wan0" masquerade
	}
	chain pass {
		type filter hook forward priority filter; policy drop;
		iifname != "wan0" accept
		ct status dnat accept
		ct state established accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
	}
}
`
