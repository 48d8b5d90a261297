package config

import "net/netip"

// Node is this node of a hotline of several, which [Config.State] makes one.
type Node struct {
	// Name tells it apart from the others, from start to start; key `name`, no default.
	Name string
	// Site tells apart hotlines that share a Redis; key `site`, the same at all nodes, default hotline.
	Site string
	// SIP is where it takes other nodes' INVITEs, by UDP, and where they reach it; key `sip`, no default. Port 0, a free one, is
	// accepted on loopback only.
	SIP netip.AddrPort
	// HTTP is where other nodes ask it; key `http`, default [HTTP.Listen], which then serves them too. Advertise is never
	// zero.
	HTTP Listener
	// Secret signs what nodes tell each other, but for what Redis holds; key `secret`, the same at all nodes, at least
	// 32 characters, no default.
	Secret Secret
	// CA is the file of certificates (PEM) that Redis' is held against; key `ca`, default those of the system.
	CA string
}
