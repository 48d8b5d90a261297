package mediatest

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// keyTones are the frequencies of keys, in Hz (ITU-T Q.23).
var keyTones = map[media.Key][2]float64{
	'1': {697, 1209}, '5': {770, 1336}, '7': {852, 1209}, '9': {852, 1477}, '#': {941, 1477}, 'D': {941, 1633},
}

// dual is a key as a telephone without events sounds it, at −9 dBm0 for each tone.
func dual(k media.Key, d time.Duration) media.Clip {
	pcm := make([]int16, d*media.SampleRate/time.Second)
	for i := range pcm {
		t := 2 * math.Pi * float64(i) / media.SampleRate
		pcm[i] = int16(8000 * (math.Sin(keyTones[k][0]*t) + math.Sin(keyTones[k][1]*t)))
	}
	return media.Clip{ALaw: media.EncodeALaw(pcm)}
}

// hush is the silence of 60 ms after a key.
func hush() media.Clip { return media.Clip{ALaw: media.EncodeALaw(make([]int16, 60*8))} }

// sound presses keys by their tones: 60 ms each, and 60 ms of silence after it.
func sound(p *Phone, keys string) {
	for _, k := range keys {
		p.Say(dual(media.Key(k), 60*time.Millisecond))
		p.Say(hush())
	}
}

// hasKey reports whether the tones of a key are heard in A-law, both of them.
func hasKey(alaw []byte, k media.Key) bool {
	return Has(alaw, keyTones[k][0]) && Has(alaw, keyTones[k][1])
}

// toneless calls a stream from a phone that has no telephone-events.
func toneless(t *testing.T, e media.Engine, codec media.Codec) (media.Stream, *Phone) {
	t.Helper()
	s, err := e.Open(media.StreamOptions{})
	require.NoError(t, err)
	p := NewPhone(t, codec)
	p.Event = 0
	require.NotContains(t, p.Call(s), "telephone-event")
	return s, p
}

func keysByTones(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	for _, codec := range []media.Codec{media.PCMA, media.PCMU} {
		s, p := toneless(t, e, codec)
		heard := keys(s)
		sound(p, "1599#D")
		require.Equal(t, "1599#D", pressed(t, heard, 6), "%s", codec)
		s.Press('9') // the same again, by INFO

		p.Say(dual('7', 200*time.Millisecond)) // a phone that leaves silence out
		p.Timestamp += 800
		p.Say(dual('7', 60*time.Millisecond))
		require.Equal(t, "77", pressed(t, heard, 2))
		p.Say(hush())

		p.Say(dual('5', 100*time.Millisecond)) // two packets of a long key lost: one key
		p.Sequence += 2
		p.Timestamp += 320
		p.Say(dual('5', 100*time.Millisecond))
		p.Say(hush())
		sound(p, "1")
		require.Equal(t, "51", pressed(t, heard, 2))

		p.SSRC++ // a new sender, in the middle of its time
		p.Sequence, p.Timestamp = 4711, 815
		sound(p, "1")
		require.Equal(t, "1", pressed(t, heard, 1))
		require.Empty(t, heard)
	}
}

// keysNotByTones: what is not to be looked for is not found. Keys are told in order, so the one after says that
// there was none before it.
func keysNotByTones(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	s, p := stream(t, e, media.PCMA)
	heard := keys(s)
	sound(p, "15")
	p.Press(9, 3, nil)
	require.Equal(t, "9", pressed(t, heard, 1), "a phone that agreed to events sends its keys by them")

	s, p = toneless(t, e, media.PCMA)
	heard = keys(s)
	s.Press('#')
	sound(p, "15")
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 12 })
	s.Press('9')
	require.Equal(t, "#9", pressed(t, heard, 2), "INFO was first")

	s, p = toneless(t, open(t, newEngine, func(o *media.Options) { o.NoInband = true }), media.PCMA)
	heard = keys(s)
	sound(p, "15")
	eventually(t, s, func(st media.Stats) bool { return st.PacketsIn == 12 })
	s.Press('9')
	require.Equal(t, "9", pressed(t, heard, 1), "switched off")
}

// keysSentAsTones: a far end without events hears the key's two tones for 100 ms, in the one stream.
func keysSentAsTones(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	for _, codec := range []media.Codec{media.PCMA, media.PCMU} {
		s, p := toneless(t, e, codec)
		require.ErrorIs(t, s.SendKey(t.Context(), 'x'), media.ErrNoKeys)
		for _, k := range []media.Key{'#', '1'} {
			require.NoError(t, s.SendKey(t.Context(), k))
			packets := p.Until(audible)
			packets = append(packets[len(packets)-1:], p.Take(7)...)
			requireOneStream(t, packets)
			require.True(t, hasKey(p.Heard(packets[:5]), k), "%s in %s", k, codec)
			for _, pause := range packets[5:] {
				require.True(t, pause.Silent(), "between keys there is silence")
			}
		}
	}
}
