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
sip: {listen: [udp://127.0.0.1:5060, "udp://[::1]:5060"]}
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

// A trunk that is registered to over UDP is refreshed each minute, and pinged, unless it says otherwise; another is not.
func TestTrunkRefresh(t *testing.T) {
	for keys, want := range map[string][2]time.Duration{
		`register: {address: udp://h.example:5060, username: u, password: p}`:                         {time.Minute, 30 * time.Second},
		`register: {address: udp://h.example:5060, username: u, password: p, refresh: 0s}, ping: 0s`:  {0, 0},
		`register: {address: udp://h.example:5060, username: u, password: p, refresh: 20s}, ping: 2m`: {20 * time.Second, 2 * time.Minute},
		`register: {address: tcp://h.example:5060, username: u, password: p}`:                         {0, 0},
		`register: {username: u, password: p}, address: udp://h.example:5060`:                         {time.Minute, 30 * time.Second},
		`register: {address: tcp://h.example:5060, username: u, password: p, refresh: 5s}, ping: 1s`:  {5 * time.Second, time.Second},
		`allow: [203.0.113.6], address: udp://h.example:5060`:                                         {0, 0},
	} {
		c := parse(t, "sip: {listen: [udp://127.0.0.1:5060, tcp://127.0.0.1:5060]}\ntrunks: [{name: a, numbers: {\"1\": {queue: consult}}, "+keys+"}]\n", nil)
		require.Equal(t, want, [2]time.Duration{c.Trunks[0].Register.Refresh, c.Trunks[0].Ping}, keys)
	}
}

// through may name several trunks, in groups that share the calls; one name is what it always was.
func TestThrough(t *testing.T) {
	c := parse(t, `
trunks:
  - {name: a, allow: [203.0.113.5], numbers: {"96777": {queue: consult}}, address: udp://192.0.2.1:5060, ping: 30s}
  - {name: b, allow: [203.0.113.6], numbers: {"96777": {queue: consult}}, address: udp://192.0.2.2:5060}
  - {name: c, allow: [203.0.113.7], numbers: {"96777": {queue: consult}}, address: udp://192.0.2.3:5060}
dial: [{prefix: "1", through: [{a: 3, b: 1}, c]}, {prefix: "2", through: c}]
`, nil)
	require.Equal(t, [][]config.DialWay{{{Trunk: "a", Weight: 3}, {Trunk: "b", Weight: 1}}, {{Trunk: "c", Weight: 1}}}, c.Dial[0].Ways)
	require.Equal(t, "a", c.Dial[0].Through)
	require.Nil(t, c.Dial[1].Ways)
	require.Equal(t, 30*time.Second, c.Trunks[0].Ping)
	require.Zero(t, c.Trunks[1].Ping)
}

// What a trunk shows to who is called, and whether it is believed: its own number, and yes.
func TestTrunkShows(t *testing.T) {
	c := parse(t, `
sip: {listen: [udp://127.0.0.1:5060]}
trunks:
  - {name: a, allow: [203.0.113.5], numbers: {"1": {queue: consult}}, address: udp://192.0.2.1:5060, shows: caller, trust: false}
  - {name: b, allow: [203.0.113.6], numbers: {"1": {queue: consult}}, address: udp://192.0.2.2:5060, trust: true}
  - {name: c, allow: [203.0.113.7], numbers: {"1": {queue: consult}}, address: udp://192.0.2.3:5060, shows: own}
`, nil)
	require.Equal(t, config.ShowCaller, c.Trunks[0].Shows)
	require.True(t, c.Trunks[0].Doubted)
	require.Empty(t, c.Trunks[1].Shows)
	require.False(t, c.Trunks[1].Doubted)
	require.Equal(t, config.ShowOwn, c.Trunks[2].Shows)
}

// A number is judged by the entry with the longest prefix, and by how long it is; what has a country code by none that has not.
func TestMayDial(t *testing.T) {
	c := parse(t, `
sip: {listen: [udp://127.0.0.1:5060]}
trunks: [{name: a, allow: [203.0.113.5], numbers: {"1": {queue: consult}}, address: udp://192.0.2.1:5060}]
dial: [{prefix: "0", through: a}, {prefix: "+86", through: a, digits: 12-13}, {prefix: "139", through: a, digits: 11}, {prefix: "00852", through: a}, {prefix: "13", through: a}]
`, nil)
	for number, want := range map[string]bool{
		"01062345678": true, "0123456789012345": false, "00442071234567": false, "0*1": false, "": false, "+": false,
		"+8613912345678": true, "+86755888888888": false, "+861006": false, "+860044207123": false, "+442071234567": false,
		"13912345678": true, "139": false, "139123456789": false, "13812345678": true, "138123456789": false, "13": true,
		"0085212345678": true, "00852123456789012": true, "008521234567890123": false, "008612345678": false,
	} {
		require.Equal(t, want, c.MayDial(number), number)
	}
}

// A carrier's access code and a number abroad is allowed to no prefix that has not both, however long numbers may be; a mobile
// number that looks like the beginning of it is.
func TestMayDialByCode(t *testing.T) {
	for dial, numbers := range map[string]map[string]bool{
		`{prefix: "1", through: a}, {prefix: "0", through: a}, {prefix: "+86", through: a}, {prefix: "0086", through: a}`: {
			"179090068340001": false, "017909006834000": false, "193006834000": false, "0193006834000": false, "0193004420712": false,
			"+86193006834000": false, "+860193006834000": false, "0086193006834000": false, "00860193004420712": false,
			"19300123456": true, "019300123456": true, "+8619300123456": true, "008619300123456": true, "10000": true, "02000000000": true,
			"01062000000": true, "13800000000": true,
		},
		`{prefix: "1", through: a, digits: 1-32}`: {
			"1790900683400": true, "17909006834000": false, "1790900442071234567": false, "193006834000": false, "1790913912345678": true,
		},
		`{prefix: "1790900683", through: a, digits: 14-15}, {prefix: "1", through: a, digits: 1-32}`: {
			"17909006834000": true, "1790900442071234": false,
		},
	} {
		c := parse(t, `
sip: {listen: [udp://127.0.0.1:5060]}
trunks: [{name: a, allow: [203.0.113.5], numbers: {"1": {queue: consult}}, address: udp://192.0.2.1:5060}]
dial: [`+dial+"]\n", nil)
		for number, want := range numbers {
			require.Equal(t, want, c.MayDial(number), "%s by %s", number, dial)
		}
	}
}

// How a trunk's numbers are written: as they come, unless it says so.
func TestNormalise(t *testing.T) {
	c := parse(t, `
trunks:
  - {name: a, allow: [203.0.113.5], numbers: {"1": {queue: consult}}, codecs: [pcmu], max_calls: 30, normalise: {area: "010", dialled: e164}}
  - {name: b, allow: [203.0.113.6], numbers: {"1": {queue: consult}}}
`, nil)
	require.Equal(t, config.Normalise{Area: "10", Shown: config.NumberNational, Dialled: config.NumberE164}, c.Trunks[0].Normalise)
	require.Equal(t, []config.Codec{config.PCMU}, c.Trunks[0].Codecs)
	require.Equal(t, 30, c.Trunks[0].MaxCalls)
	require.Zero(t, c.Trunks[1].Normalise)
	require.Empty(t, c.Trunks[1].Codecs)
}
