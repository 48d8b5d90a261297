package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A token that can be guessed is a warning, which names it and does not show it; one that is not set, since one is made, is none.
func TestShortTokens(t *testing.T) {
	c := parse(t, `
http:
  tokens:
    - {name: short, role: supervisor, token: "fifteen-octets."}
    - {name: long, role: supervisor, token: "sixteen-octets.."}
    - {name: made, role: supervisor, token: "${NOT_SET}"}
`, nil)
	require.Len(t, c.Warnings, 1)
	require.Equal(t, "http.tokens[0].token", c.Warnings[0].Path)
	require.NotContains(t, c.Warnings[0].Found+c.Warnings[0].Want, "fifteen")
}
