package sip

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/internal/testkit"
)

// Where a leg's far end is told to send audio, by the listeners ("network at advertise"), where RTP is bound and what the engine tells by
// itself. "" is the engine's.
func TestAudioAt(t *testing.T) {
	t.Parallel()
	const (
		lan    = "UDP 192.168.1.5:5060"
		every  = "UDP 0.0.0.0:5060 203.0.113.9"
		dmz    = "UDP 10.0.0.2:5060 203.0.113.9"
		named  = "TLS 10.0.0.2:5061 sip.example.com"
		told   = "0.0.0.0 203.0.113.9"
		six    = "UDP [2001:db8::5]:5060"
		sdp    = "v=0\r\no=- 1 1 IN %[1]s\r\ns=-\r\nc=IN %[1]s\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
		media4 = "0.0.0.0 198.51.100.7"
		media6 = ":: 2001:db8::7"
	)
	for name, c := range map[string]struct {
		listen        []string
		audio         string // where RTP is bound, and what is told
		by, to, offer string // the way, and the family of the far end's offer
		want          string
	}{
		"nothing said":                      {[]string{lan, dmz}, "", "192.168.1.5:5060", "192.168.1.20:5060", "", ""},
		"one listener":                      {[]string{every}, media4, "0.0.0.0:5060", "192.168.1.20:5060", "", ""},
		"one address":                       {[]string{every, "TCP 0.0.0.0:5060 203.0.113.9"}, media4, "0.0.0.0:5060", "192.168.1.20:5060", "", ""},
		"inside":                            {[]string{dmz, lan}, media4, "192.168.1.5:5060", "192.168.1.20:5060", "", "192.168.1.5"},
		"outside":                           {[]string{dmz, lan}, media4, "10.0.0.2:5060", "198.51.100.1:5060", "", "203.0.113.9"},
		"a connection's own end":            {[]string{"TCP 192.168.1.5:5080", "TCP 0.0.0.0:5060 203.0.113.9"}, media4, "TCP 10.0.0.2:5060", "198.51.100.1:5060", "", "203.0.113.9"},
		"RTP is bound elsewhere":            {[]string{dmz, lan, every}, "10.0.0.2 203.0.113.7", "192.168.1.5:5060", "192.168.1.20:5060", "", ""},
		"RTP is bound there":                {[]string{dmz, lan, "UDP 0.0.0.0:5080 203.0.113.8"}, "10.0.0.2 203.0.113.7", "10.0.0.2:5060", "198.51.100.1:5060", "", "203.0.113.9"},
		"a proxy of this host":              {[]string{"UDP 127.0.0.1:5080", lan, dmz}, media4, "127.0.0.1:5080", "127.0.0.1:9999", "", ""},
		"loopback does not tell apart":      {[]string{"UDP 127.0.0.1:5080", every}, media4, "0.0.0.0:5060", "192.168.1.20:5060", "", ""},
		"loopback that says what it is":     {[]string{"UDP 127.0.0.1:5080 192.168.1.5", every}, media4, "127.0.0.1:5080", "127.0.0.1:9999", "", "192.168.1.5"},
		"a name, and no address":            {[]string{dmz, named}, told, "TLS 10.0.0.2:5061", "198.51.100.1:5061", "", ""},
		"a name, beside the inside":         {[]string{dmz, lan, named}, told, "TLS 10.0.0.2:5061", "198.51.100.1:5061", "", ""},
		"a name, and the inside":            {[]string{dmz, lan, named}, told, "192.168.1.5:5060", "192.168.1.20:5060", "", "192.168.1.5"},
		"another transport says it":         {[]string{dmz, "TCP 10.0.0.2:5060", lan}, told, "TCP 10.0.0.2:5060", "198.51.100.1:5060", "", ""},
		"one network card, inside":          {[]string{"UDP 192.168.1.5:5080 203.0.113.9", lan}, told, "192.168.1.5:5060", "192.168.1.20:5060", "", "192.168.1.5"},
		"one network card, outside":         {[]string{"UDP 192.168.1.5:5080 203.0.113.9", lan}, told, "192.168.1.5:5080", "198.51.100.1:5060", "", "203.0.113.9"},
		"a WebSocket":                       {[]string{"WS 192.168.1.5:5080", lan, dmz}, media4, "WS 192.168.1.5:5080", "192.168.1.20:5060", "", ""},
		"IPv6, with audio of IPv4":          {[]string{six, lan}, media4, "[2001:db8::5]:5060", "[2001:db8::9]:5060", "", ""},
		"both, called by IPv6":              {[]string{six, lan}, media6, "[2001:db8::5]:5060", "[2001:db8::9]:5060", "", ""},
		"both, called by IPv4":              {[]string{six, lan}, media6, "192.168.1.5:5060", "192.168.1.20:5060", "", "192.168.1.5"},
		"both, of IPv4 by IPv6":             {[]string{six, lan}, media6, "[2001:db8::5]:5060", "[2001:db8::9]:5060", "IP4 192.168.1.20", "192.168.1.5"},
		"both, of IPv6 by IPv4":             {[]string{six, lan}, media6, "192.168.1.5:5060", "192.168.1.20:5060", "IP6 2001:db8::9", ""},
		"both, told IPv4, of IPv6 by IPv6":  {[]string{lan, six}, ":: 203.0.113.7", "[2001:db8::5]:5060", "[2001:db8::9]:5060", "IP6 2001:db8::9", "2001:db8::5"},
		"both, and IPv6 on loopback alone":  {[]string{lan, "UDP [::1]:5060"}, ":: 203.0.113.7", "[::1]:5060", "[::1]:9999", "", ""},
		"both, and no listener of the like": {[]string{six}, media6, "[2001:db8::5]:5060", "[2001:db8::9]:5060", "IP4 192.168.1.20", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := new(UA)
			for _, text := range c.listen {
				f := strings.Fields(text)
				l := &listener{transport: f[0], bound: netip.MustParseAddrPort(f[1])}
				if len(f) > 2 {
					at, err := netip.ParseAddr(f[2])
					if l.advertise = netip.AddrPortFrom(at, 0); err != nil {
						l.name = f[2]
					}
				}
				u.listeners = append(u.listeners, l)
			}
			if bound, told, ok := strings.Cut(c.audio, " "); ok {
				u.o.Audio = AudioOptions{Address: netip.MustParseAddr(bound), Advertise: netip.MustParseAddr(told)}
			}
			transport, by, ok := strings.Cut(c.by, " ")
			if !ok {
				transport, by = transportUDP, c.by
			}
			if c.offer != "" {
				c.offer = fmt.Sprintf(sdp, c.offer)
			}
			at := u.audioAt(hop{transport: transport, dest: c.to, ours: netip.MustParseAddrPort(by)}, []byte(c.offer))
			got := ""
			if at.IsValid() {
				got = at.String()
			}
			require.Equal(t, c.want, got)
		})
	}
}

// The stream of a call, and of a ring, is told of by the address of the leg's listener, whether the offer is the far end's or ours.
func TestAudioOfListeners(t *testing.T) {
	t.Parallel()
	for i, s := range sides[:2] {
		t.Run(s.bound, func(t *testing.T) {
			t.Parallel()
			legs := make(chan call.Leg, 1)
			sided := onSides(t, testkit.FreePorts(t, 1))
			r := newRig(t, func(o *Options) {
				sided(o)
				o.Audio = AudioOptions{Address: netip.IPv4Unspecified(), Advertise: netip.MustParseAddr("203.0.113.7")}
				o.OnIncoming = func(ctx context.Context, in call.Incoming) { untilOver(legs)(ctx, in) }
			})
			want, _, _ := strings.Cut(s.advertised, ":")
			told := func() string {
				all := r.engine.opened()
				return all[len(all)-1].o.Advertise.String()
			}
			p := newPeer(t, networkUDP, r.Addrs()[i])
			p.register(r)
			inv, out := p.rungBy(r)
			require.Equal(t, want, told())
			p.respond(inv, 486, "Busy Here", "x", "")
			p.expect("ACK", "ACK")
			refusedFor(t, next(t, out), call.CauseBusy)

			k := newPeer(t, networkUDP, r.Addrs()[i]).dialog(testNumber)
			k.answered()
			require.Equal(t, want, told())
			next(t, legs).Hangup(call.CauseBye)
			k.p.respond(k.p.expect("BYE sip:caller@"+k.p.addr(), "BYE"), 200, "OK", "", "")
		})
	}
}
