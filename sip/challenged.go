package sip

import (
	"fmt"

	sipmsg "github.com/emiago/sipgo/sip"
)

// challenged notes a 401 or 407 to a request of ours within a dialog, for authorized, and reports whether it may be
// answered: by a leg that a trunk with a password for us made, and as often as that to an INVITE is.
func (l *leg) challenged(res *sipmsg.Response) bool {
	if res.StatusCode != sipmsg.StatusUnauthorized && res.StatusCode != sipmsg.StatusProxyAuthRequired {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.challenges[res.StatusCode]
	if l.authorize == nil || c.times > 0 && !stale(res) || c.times >= maxChallenges {
		return false
	}
	if l.challenges == nil {
		l.challenges = make(map[int]challenge)
	}
	l.challenges[res.StatusCode] = challenge{res: res, times: c.times + 1}
	return true
}

// unchallenged forgets the challenges: their nonces are for one try.
func (l *leg) unchallenged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.challenges = nil
}

// authorized adds the credentials that were asked for to a request. The caller holds l.mu.
func (l *leg) authorized(req *sipmsg.Request) error {
	for _, c := range l.challenges {
		if err := l.authorize(req, c.res); err != nil {
			return fmt.Errorf("answer a challenge: %w", err)
		}
	}
	return nil
}
