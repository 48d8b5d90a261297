package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Where RTP is of both families, a listener whose family nobody says an address of for audio is warned of, once.
func TestAudioOfBothFamilies(t *testing.T) {
	t.Parallel()
	const four, six = `"udp://192.0.2.1:5060"`, `"udp://[2001:db8::1]:5060"`
	const loop = `"udp://[::1]:5060", "tcp://[::1]:5060"`
	for name, c := range map[string]struct {
		listen, media string
		warned        string // its path
		family        string
	}{
		"loopback alone":             {four + ", " + loop, `{address: "::", advertise: 192.0.2.1}`, "sip.listen[1]", "IPv6"},
		"advertised by the engine":   {four + ", " + loop, `{address: "::", advertise: "2001:db8::1"}`, "", ""},
		"by itself":                  {four + `, {address: "udp://[::1]:5060", advertise: "2001:db8::1"}`, `{address: "::", advertise: 192.0.2.1}`, "", ""},
		"by another":                 {four + ", " + six + ", " + loop, `{address: "::", advertise: 192.0.2.1}`, "", ""},
		"its own":                    {four + ", " + six, `{address: "::", advertise: 192.0.2.1}`, "", ""},
		"of another family":          {four + `, {address: "udp://[::]:5060", advertise: 192.0.2.1}`, `{address: "::", advertise: 192.0.2.1}`, "sip.listen[1]", "IPv6"},
		"IPv4 on loopback":           {six + `, "udp://127.0.0.1:5060"`, `{address: "::", advertise: "2001:db8::1"}`, "sip.listen[1]", "IPv4"},
		"RTP of one family":          {four + ", " + loop, `{address: 192.0.2.1}`, "", ""},
		"a WebSocket, which is told": {four + `, {address: "ws://[::1]:5060", origins: ["https://desk.example"]}`, `{address: "::", advertise: 192.0.2.1}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const trunk = "\ntrunks: [{name: city, allow: [192.0.2.9], numbers: {\"96777\": {menu: main}}}]\nagents: [{id: \"8001\", password: long-enough-for-anybody, skills: {repair: 1, complaint: 1, consult: 1, gas-alarm: 1}}]\n"
			var paths []string
			for _, w := range parse(t, "sip: {listen: ["+c.listen+"]}\nmedia: "+c.media+trunk, map[string]string{}).Warnings {
				if w.Path == c.warned {
					require.Contains(t, w.Found, "no "+c.family+" address for audio")
				}
				paths = append(paths, w.Path)
			}
			if c.warned == "" {
				require.Empty(t, paths)
				return
			}
			require.Equal(t, []string{c.warned}, paths)
		})
	}
}
