package mediatest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// bridgeHeld: who holds in a bridge is sent nothing, and misses nothing: what comes after the hold has the next number.
func bridgeHeld(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMU)
	unbridge, err := e.Bridge(a, b, nil)
	require.NoError(t, err)
	defer unbridge()
	const packets = 10
	said := uint64(0)
	say := func() {
		t.Helper()
		p.Say(media.Tone(700, packets*media.FrameDuration))
		said += packets
		eventually(t, a, func(st media.Stats) bool { return st.PacketsIn == said })
	}
	say()
	heard := q.Take(packets)
	for _, hold := range []string{"a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0"} {
		q.Call(b, hold)
		say()
		q.Call(b)
		say()
		heard = append(heard, q.Take(packets)...)
		require.True(t, heard[len(heard)-packets].Marker, "it begins anew after %s", hold)
	}
	requireOneStream(t, heard)
	require.Equal(t, uint64(len(heard)), b.Stats().PacketsOut)
	require.True(t, Has(q.Heard(heard), 700))
}
