package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ha1 runs the command with a standard input.
func ha1(stdin string, args ...string) (code int, out, complaints string) {
	o, e := newTerminal(), newTerminal()
	code = run(append([]string{"ha1"}, args...), &console{in: strings.NewReader(stdin), out: o, err: e})
	return code, o.String(), e.String()
}

// TestHA1: what the command prints is an entry of agents that check takes, and is never the password.
func TestHA1(t *testing.T) {
	t.Parallel()
	code, out, complaints := ha1("Circle of Life\r\nmore\n", "Mufasa", "--realm", "http-auth@example.org", "--digest", "md5,SHA-256")
	require.Zero(t, code, complaints)
	require.Equal(t, `  - id: "Mufasa"
    ha1:
      md5: 3d78807defe7de2157e2b0b6573a855f
      sha-256: 7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232
`, out)
	// Skills for all queues, so that nothing else is wrong.
	file := write(t, "agents:\n"+out+"    skills: {consult: 1, repair: 1, complaint: 1, gas-alarm: 1}\n")
	code, _, complaints = command(t, "check", file)
	require.Zero(t, code, complaints)
}

func TestHA1Refuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stdin, want string
		args        []string
	}{
		"nothing":   {"", errNoPassword.Error(), []string{"8001"}},
		"a line":    {"\nsecret\n", errNoPassword.Error(), []string{"8001"}},
		"long":      {strings.Repeat("x", maxPassword+1), errLongPassword.Error(), []string{"8001"}},
		"control":   {"sec\x07ret", errUntypable.Error(), []string{"8001"}},
		"algorithm": {"secret", `"sha-1"`, []string{"8001", "--digest", "sha-1"}},
		"id":        {"secret", "colon", []string{"80:01"}},
	} {
		code, out, complaints := ha1(c.stdin, c.args...)
		require.Equal(t, exitFault, code, name)
		require.Empty(t, out, name)
		require.Contains(t, complaints, c.want, name)
		require.NotContains(t, complaints, "secret", name)
	}
}
