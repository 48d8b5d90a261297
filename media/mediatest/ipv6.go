package mediatest

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// ipv6: all of a call over IPv6, whatever the engine does by itself with addresses: descriptions (RFC 8866 section 5.7),
// audio both ways, a stranger, a hold without an address, and reports.
func ipv6(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine, func(o *media.Options) { o.Address = netip.IPv6Loopback() })
	called, caller := newPhoneAt(t, netip.IPv6Loopback(), media.PCMA), newPhoneAt(t, netip.IPv6Loopback(), media.PCMU)
	reports := newControl(t, caller)
	a, _ := putThrough(t, e, caller, called, media.StreamOptions{}, reports.line())

	const packets = 25
	stranger := newPhoneAt(t, netip.IPv6Loopback(), media.PCMU)
	stranger.Aim(a)
	stranger.SSRC = caller.SSRC
	said := media.Tone(700, media.FrameDuration).ALaw
	caller.Send(coded(said, media.PCMU))
	for range packets - 1 {
		stranger.Sequence, stranger.Timestamp = caller.Sequence, caller.Timestamp
		stranger.Send(coded(media.Tone(1900, media.FrameDuration).ALaw, media.PCMU))
		caller.Send(coded(said, media.PCMU))
	}
	called.Say(media.Tone(1300, packets*media.FrameDuration))
	atCalled, atCaller := called.Take(packets), caller.Take(packets)
	require.True(t, Has(called.Heard(atCalled), 700))
	require.False(t, Has(called.Heard(atCalled), 1900))
	require.True(t, Has(caller.Heard(atCaller), 1300))
	require.Equal(t, a.Local(), atCaller[0].From)
	eventually(t, a, func(s media.Stats) bool { return s.Strangers == packets-1 && s.PacketsIn == packets })
	reports.until(func(packets map[byte][]byte) bool { return packets[senderReport] != nil })

	nowhere := describe(netip.AddrPortFrom(netip.IPv6Unspecified(), caller.Address().Port()), []string{"0 PCMU"}, nil)
	_, err := a.Answer(nowhere)
	require.NoError(t, err)
	require.True(t, a.Held())
}

// putThrough joins two phones of one machine, of which one calls, with further lines in its offer, and the other, whose stream
// is opened as o says, is called. Each is told of the audio at the very address that it has itself.
func putThrough(t *testing.T, e media.Engine, caller, called *Phone, o media.StreamOptions, lines ...string) (a, b media.Stream) {
	t.Helper()
	at := func(p *Phone) string {
		family := "IP6"
		if p.Address().Addr().Is4() {
			family = "IP4"
		}
		return fmt.Sprintf("c=IN %s %s\r\n", family, p.Address().Addr())
	}
	a, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	b, err = e.Open(o)
	require.NoError(t, err)
	require.Contains(t, caller.Call(a, lines...), at(caller))
	offer, err := b.Offer()
	require.NoError(t, err)
	require.Contains(t, string(offer), at(called))
	require.NoError(t, b.Accept(called.Describe()))
	called.Aim(b)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	t.Cleanup(unbridge)
	return a, b
}

// families: an engine bound at [::] has streams of either family, each by the address that its far end is told, which stays
// the same; and joins them.
func families(t *testing.T, newEngine Make) {
	t.Helper()
	four, six := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	e := open(t, newEngine, func(o *media.Options) { o.Address, o.Advertise = netip.IPv6Unspecified(), four })
	caller, called := newPhoneAt(t, four, media.PCMA), newPhoneAt(t, six, media.PCMU)
	_, b := putThrough(t, e, caller, called, media.StreamOptions{Advertise: six})
	const packets = 25
	caller.Say(media.Tone(700, packets*media.FrameDuration))
	called.Say(media.Tone(1300, packets*media.FrameDuration))
	require.True(t, Has(called.Heard(called.Take(packets)), 700))
	require.True(t, Has(caller.Heard(caller.Take(packets)), 1300))
	require.Contains(t, called.Call(b, "a=sendonly"), "c=IN IP6 ::1\r\n")
	_, err := b.Answer(caller.Describe())
	require.ErrorIs(t, err, media.ErrNotAcceptable)

	// Another address of the same family is told as it is asked for; of another family none can be where RTP is of one.
	outside := netip.MustParseAddr("192.0.2.7")
	c, err := open(t, newEngine).Open(media.StreamOptions{Advertise: outside})
	require.NoError(t, err)
	offer, err := c.Offer()
	require.NoError(t, err)
	require.Contains(t, string(offer), "c=IN IP4 192.0.2.7\r\n")
	require.Equal(t, four, c.Local().Addr())
	for _, advertise := range []netip.Addr{six, netip.IPv4Unspecified()} {
		_, err = open(t, newEngine).Open(media.StreamOptions{Advertise: advertise})
		require.ErrorIs(t, err, media.ErrBadOptions)
	}
}
