package config_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/config"
)

// A trunk that registers has the trunk's address where it names none, and gives its account to what is called through
// the trunk where that names none.
func TestTrunkRegister(t *testing.T) {
	c := parse(t, `
sip: {listen: [udp://127.0.0.1:5060]}
trunks:
  - {name: a, numbers: {"96777": {queue: consult}}, address: udp://sip.carrier.example:5060, register: {username: u, password: p}}
  - {name: b, numbers: {"96777": {queue: consult}}, address: udp://192.0.2.1:5060, username: v, password: q,
     register: {address: "udp://[2001:db8::1]:5062", username: u, password: p, expires: 10m}}
`, nil)
	at := config.TrunkAddress{Network: "udp", Host: "sip.carrier.example", Port: 5060}
	a, b := c.Trunks[0], c.Trunks[1]
	require.Equal(t, at, a.Register.Address)
	require.Equal(t, time.Hour, a.Register.Expires)
	require.Equal(t, []string{"u", "p"}, []string{a.Username, a.Password.Reveal()})
	require.Empty(t, a.Allow)
	require.Equal(t, "[2001:db8::1]:5062", b.Register.Address.HostPort())
	require.Equal(t, 10*time.Minute, b.Register.Expires)
	require.Equal(t, []string{"v", "q"}, []string{b.Username, b.Password.Reveal()})
	require.Equal(t, []string{"u", "p"}, []string{b.Register.Username, b.Register.Password.Reveal()})
}
