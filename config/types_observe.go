package config

// Observe is who else sees what is said by SIP.
type Observe struct {
	HEP HEP
}

// HEP is a capture server, such as Homer, that is sent every SIP message by HEP version 3; key `observe.hep`.
type HEP struct {
	// Address is where it listens for UDP, HOST:PORT; key `address`, as udp://HOST:PORT, default none: nothing is sent.
	Address string
	// ID is the capture id that it knows this node by; key `id`, 1 to 2147483647, default 2001.
	ID uint32
	// Password is what it asks of us; key `password`, default none.
	Password Secret
	// FullNumbers: telephone numbers are sent as they are; key `numbers`, masked (default) or full.
	FullNumbers bool
}
