package mediatest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// bridgeTones: a key passed on to a far end without events is heard there as its tones, in place of what the other
// party says, however it came.
func bridgeTones(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := toneless(t, e, media.PCMU)
	heard, tap := keys(a), &ear{}
	unbridge, err := e.Bridge(a, b, tap)
	require.NoError(t, err)
	defer unbridge()
	p.Say(media.Tone(700, 100*time.Millisecond))
	packets := q.Take(5)
	p.Press(5, 4, nil)
	packets = append(packets, q.Take(8)...)
	require.True(t, hasKey(q.Heard(packets[5:10]), '5'))
	p.Press(9, 4, nil)
	packets = append(packets, q.Take(8)...)
	require.True(t, hasKey(q.Heard(packets[13:18]), '9'))
	p.Say(media.Tone(700, 100*time.Millisecond))
	packets = append(packets, q.Take(5)...)
	requireOneStream(t, packets)
	require.True(t, Has(q.Heard(packets[21:]), 700), "the parties hear each other again")
	require.Equal(t, "59", pressed(t, heard, 2))
	require.Len(t, tap.side(t, media.SideA, 10), 10, "the tap hears what was said only")

	b.Press('1') // the other way, by INFO, to a phone that has events
	events := p.Take(8)
	requireEvent(t, p, events, 1)
	require.Empty(t, heard)
}

// requireEvent checks that packets are one whole event of a key.
func requireEvent(t *testing.T, p *Phone, packets []Packet, event byte) {
	t.Helper()
	require.Len(t, packets, 8)
	for i, k := range packets {
		require.Equal(t, p.Event, k.Payload, "packet %d", i)
		require.Equal(t, event, k.Audio[0], "packet %d", i)
		require.Equal(t, packets[0].Timestamp, k.Timestamp, "packet %d", i)
		require.Equal(t, packets[0].Sequence+uint16(i), k.Sequence, "packet %d", i)
		require.Equal(t, i == 0, k.Marker, "packet %d", i)
		require.Equal(t, i >= 5, k.Audio[1]&0x80 != 0, "end bit of packet %d", i)
	}
}

// bridgeEvents: a key that comes as tones, or by INFO, reaches a far end that has events as one event, once; the rest
// of the tones, or the events that were sent beside INFO, do not.
func bridgeEvents(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := toneless(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMU)
	heard := keys(a)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	isEvent := func(k Packet) bool { return k.Payload == q.Event }
	p.Say(media.Tone(1500, 100*time.Millisecond))
	packets := q.Take(5)
	p.Say(dual('5', 400*time.Millisecond))
	p.Say(hush())
	packets = append(packets, q.Until(isEvent)...)
	require.LessOrEqual(t, len(packets), 5+2+1, "of the tones, what came before they were known")
	begin := len(packets) - 1
	packets = append(packets, q.Take(7)...)
	requireEvent(t, q, packets[begin:], 5)
	require.Equal(t, "5", pressed(t, heard, 1))
	p.Say(media.Tone(1500, 100*time.Millisecond))
	packets = append(packets, q.Take(5)...)
	require.True(t, Has(q.Heard(packets[begin+8:]), 1500), "and the parties hear each other again")
	requireInOrder(t, packets)
	unbridge()

	c, r := stream(t, e, media.PCMA)
	unbridge, err = e.Bridge(c, b, nil)
	require.NoError(t, err)
	defer unbridge()
	c.Press('7')
	events := q.Until(isEvent)
	events = append(events[len(events)-1:], q.Take(7)...)
	requireEvent(t, q, events, 7)
	r.Press(7, 4, nil)
	r.Say(media.Tone(1500, 100*time.Millisecond))
	after := q.Take(5)
	require.True(t, Has(q.Heard(after), 1500), "not the same key once more")
	requireInOrder(t, append(events, after...))
}

// requireInOrder checks that packets are one RTP stream without a gap, events among them.
func requireInOrder(t *testing.T, packets []Packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		a, b := packets[i-1], packets[i]
		require.Equal(t, a.SSRC, b.SSRC, "SSRC of packet %d", i)
		require.Equal(t, a.Sequence+1, b.Sequence, "sequence number of packet %d", i)
		require.GreaterOrEqual(t, int32(b.Timestamp-a.Timestamp), int32(0), "timestamp of packet %d", i)
	}
}

// bridgePassesTones: between two phones without events, tones pass as they are, and are told once.
func bridgePassesTones(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := toneless(t, e, media.PCMA)
	b, q := toneless(t, e, media.PCMA)
	heard := keys(a)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	key := dual('9', 100*time.Millisecond)
	p.Say(key)
	p.Say(hush())
	packets := q.Take(8)
	requireOneStream(t, packets)
	require.Equal(t, append(key.ALaw, hush().ALaw...), joined(packets), "nothing beside it")
	require.Equal(t, "9", pressed(t, heard, 1))
}
