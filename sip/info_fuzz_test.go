package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzInfoKey reads whatever stands in an INFO's body: what comes of it is one key, or none, and a key that is written as a
// phone writes it is read as itself.
func FuzzInfoKey(f *testing.F) {
	for _, body := range []string{
		"Signal=5\r\nDuration=160\r\n", "Signal= *\r\n", "signal=11", "d", "16", "", "=\r\n=", "Signal=\r\nSignal=7",
		"Signal=5=6", "Signal=\x00", "Signal=５",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		k, ok := infoKey(body)
		require.Equal(t, ok, k.Valid(), "%q", k)
		if !ok {
			return
		}
		for _, again := range []string{k.String(), "Signal=" + k.String(), "Duration=160\nSIGNAL = " + strings.ToLower(k.String()) + "\r\n"} {
			read, ok := infoKey(again)
			require.True(t, ok, "%q", again)
			require.Equal(t, k, read, "%q", again)
		}
	})
}
