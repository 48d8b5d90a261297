package sip

import (
	"strings"

	"hotline/call"
)

// code is where a user leads that begins with a feature code; digits may follow it. Only agents' phones dial
// codes.
func (u *UA) code(user string) (call.Next, bool) {
	for _, c := range u.plan().codes {
		rest, ok := strings.CutPrefix(user, c)
		if ok && c != "" && strings.Trim(rest, "0123456789") == "" {
			return call.Next{Kind: call.Code, Code: user}, true
		}
	}
	return call.Next{}, false
}
