package config

// Node is this node of a hotline of several, which [Config.State] makes one.
type Node struct {
	// Name tells it apart from the others, from start to start; key `name`, no default.
	Name string
	// Site tells apart hotlines that share a Redis; key `site`, the same at all nodes, default hotline.
	Site string
	// SIP is where it takes other nodes' INVITEs, by UDP; key `sip`, no default. Advertise is where they reach it, and Address
	// where nothing else was said.
	SIP Listener
	// HTTP is where other nodes ask it; key `http`, default [HTTP.Listen], which then serves them too. Advertise is as of SIP.
	HTTP Listener
	// Secret signs what nodes tell each other, but for what Redis holds; key `secret`, the same at all nodes, at least
	// 32 characters, no default.
	Secret Secret
	// CA is the file of certificates (PEM) that Redis' is held against; key `ca`, default those of the system.
	CA string
}
