package config

import (
	"net/netip"
	"time"
)

// Abuse bounds what strangers may have: hosts that are no trunk and have no agent's phone registered. An IPv6 network of
// 64 bits counts as one host.
type Abuse struct {
	// Requests bounds what strangers send, per second; at once they may send twice that. Key `requests`, each 1 to
	// 10000, default 50, all 1 to 100000, default 1000.
	Requests PerHost
	// Invites bounds their INVITEs in the same way; key `invites`, default 5 and 100.
	Invites PerHost
	// Connections bounds the connections that they have open at once; key `connections`, each 1 to 4000, default 64,
	// all 1 to 4000, default 3072.
	Connections PerHost
	// Failures bounds wrong passwords within 10 minutes: of one host before it is banned, of all strangers, and for one
	// account, before no more are looked at but from its homes (sip.Home). Key `failures`, each 1 to
	// 1000, default 10, all 1 to 100000, default 1000, account 1 to 10000, default 30.
	Failures Failures
	// Ban is how long bans are; key `ban`.
	Ban Ban
	// Never are never banned; key `never`, default none.
	Never []netip.Prefix
	// Scanners are what User-Agents have in them of whom nothing is answered to, in whatever case; key `scanners`, nil
	// unless it was written: those that are well known.
	Scanners []string
}

// PerHost is a bound for each stranger, key `each`, and for all of them, key `all`.
type PerHost struct{ Each, All int }

// Failures is PerHost, and a bound for each account; key `account`.
type Failures struct {
	PerHost

	Account int
}

// Ban is how long a source is banned at first, key `first`, 1s to 24h, default 1m. Each further ban is twice as long as
// the one before, up to Most; key `most`, 1s to 30d, default 24h.
type Ban struct{ First, Most time.Duration }
