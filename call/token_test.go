package call_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestToken: what is written is read, nothing else is, and the greater token is the later.
func TestToken(t *testing.T) {
	for _, token := range []call.Token{{Epoch: 0, N: 1}, {Epoch: 7, N: 12}, {Epoch: 1<<64 - 1, N: 1<<64 - 1}} {
		read, err := call.ParseToken(token.String())
		require.NoError(t, err)
		require.Equal(t, token, read)
	}
	for _, bad := range []string{"", "1", ".", "1.", ".1", "1.0", "+1.1", "01.1", "1.1 ", "1.1.1", "-1.1", "18446744073709551616.1"} {
		_, err := call.ParseToken(bad)
		require.Error(t, err, bad)
	}
	require.Negative(t, call.Token{Epoch: 1, N: 9}.Compare(call.Token{Epoch: 2, N: 1}))
	require.Positive(t, call.Token{Epoch: 1, N: 9}.Compare(call.Token{Epoch: 1, N: 8}))
	require.Zero(t, call.Token{Epoch: 1, N: 9}.Compare(call.Token{Epoch: 1, N: 9}))
}
