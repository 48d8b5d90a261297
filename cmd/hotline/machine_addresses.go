package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"hotline/config"
)

// bindable tells why the system binds nothing to an address; nil if it does. Only the system knows: it may take addresses that no
// interface has, such as all of 127.0.0.0/8, or any where net.ipv4.ip_nonlocal_bind is set.
func bindable(a netip.Addr) error {
	c, err := new(net.ListenConfig).ListenPacket(context.Background(), "udp", netip.AddrPortFrom(a, 0).String())
	if err != nil {
		if system, ok := errors.AsType[syscall.Errno](err); ok {
			return system
		}
		return err
	}
	return c.Close()
}

// judgeAddresses finds what is to be bound to an address that this machine does not have. It is no fault of the file, which may
// be for another machine.
func (m machine) judgeAddresses(cfg *config.Config) (findings []config.Finding) {
	judge := func(path string, a netip.Addr) {
		if !a.IsValid() || a.IsUnspecified() {
			return
		}
		if err := m.bind(a); err != nil {
			findings = append(findings, config.Finding{
				Path: path, Mild: true,
				Found: fmt.Sprintf("%v, to which nothing can be bound on this machine: %v", a, err),
				Want:  "an address of the machine that it runs on (ip address shows them)",
			})
		}
	}
	for i, l := range cfg.SIP.Listen {
		judge(fmt.Sprintf("sip.listen[%d]", i), l.Address.Addr())
	}
	judge("media.address", cfg.Media.Address)
	judge("http.listen", cfg.HTTP.Listen.Addr())
	judge("node.sip", cfg.Node.SIP.Address.Addr())
	judge("node.http", cfg.Node.HTTP.Address.Addr())
	return findings
}
