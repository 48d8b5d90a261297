package call

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Token is what a claim on an agent is known by. The greater one is the later: of two nodes that both believe
// they have the agent, the phone's edge goes with the greater (docs/cluster.md).
type Token struct {
	// Epoch rises whenever claims are begun anew, so that no token from before is ever the greater.
	Epoch uint64 `json:"epoch"`
	// N rises with each claim in an epoch, and is never 0.
	N uint64 `json:"n"`
}

// Compare is below 0 when t is the earlier token, 0 when both are the same, else above 0.
func (t Token) Compare(x Token) int {
	return cmp.Or(cmp.Compare(t.Epoch, x.Epoch), cmp.Compare(t.N, x.N))
}

// String is the token as nodes write it to each other: epoch and n, in decimal, with a point between.
func (t Token) String() string { return fmt.Sprintf("%d.%d", t.Epoch, t.N) }

// ParseToken reads what String wrote. Errors: it is anything else.
func ParseToken(s string) (Token, error) {
	epoch, n, found := strings.Cut(s, ".")
	e, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil || !found {
		return Token{}, fmt.Errorf("no token: %q", s)
	}
	t := Token{Epoch: e}
	if t.N, err = strconv.ParseUint(n, 10, 64); err != nil || t.N == 0 || t.String() != s {
		return Token{}, fmt.Errorf("no token: %q", s)
	}
	return t, nil
}
