//go:build linux

package flood

import "time"

// What a hotline lets strangers have by default, see AbuseOptions: a host, for which a /64 of IPv6 stands; a /48, a tenth of what
// all strangers may; and all of them. Rates are per second.
const (
	hostRequests, hostRequestsAtOnce = 50, 100
	siteRequests, siteRequestsAtOnce = 100, 200
	allRequests, allRequestsAtOnce   = 1000, 2000

	hostInvites, hostInvitesAtOnce = 5, 10
	allInvites, allInvitesAtOnce   = 100, 200

	hostConnects, hostConnectsAtOnce = 10, 64
	siteConnects, siteConnectsAtOnce = 20, 102
	allConnects, allConnectsAtOnce   = 200, 1024

	hostConnections = 64
	siteConnections = 307
	allConnections  = 3072
)

// rated is what is let through in a time of what may be so much a second, and at once.
func rated(each, atOnce int) func(d time.Duration) int {
	return func(d time.Duration) int { return atOnce + int(float64(each)*d.Seconds()) }
}

// atMost is no more than most of that.
func atMost(most int, of func(d time.Duration) int) func(d time.Duration) int {
	return func(d time.Duration) int { return min(most, of(d)) }
}
