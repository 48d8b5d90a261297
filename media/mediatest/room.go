package mediatest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// rooms are the cases of rooms.
func rooms(t *testing.T, newEngine Make) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Make){
		"a room of three":                    roomOfThree,
		"a room passes on as a bridge does":  roomPasses,
		"a room's keys":                      roomKeys,
		"a room and who holds":               roomHold,
		"a room's fault costs one stream":    roomFault,
		"a room refuses what it cannot join": roomRefuses,
		"a room loses a party":               roomLeft,
		"from bridge to room and back":       roomContinuity,
		"one takes the place of the other":   succeeded,
		"and of no other":                    succeededOnlyByTheSame,
	} {
		t.Run(name, func(t *testing.T) { test(t, newEngine) })
	}
}

// The ways in which a supervisor, the third, takes part in what a caller and an agent say.
var (
	listening  = [][]int{{1}, {0}, {0, 1}}
	whispering = [][]int{{1}, {0, 2}, {0, 1}}
	joined3    = [][]int{{1, 2}, {0, 2}, {0, 1}}
)

// tones are what the phones of a room say, each its own.
var tones = [3]float64{700, 1300, 2100}

// parties of streams who hear each other so.
func parties(hears [][]int, streams ...media.Stream) []media.Party {
	all := make([]media.Party, len(streams))
	for i, s := range streams {
		all[i] = media.Party{Stream: s, Hears: hears[i]}
	}
	return all
}

// converse has phones say their tones at once, in step with the clock, for so many frames.
func converse(phones []*Phone, frames int) {
	said := make([][]byte, len(phones))
	for i, p := range phones {
		said[i] = coded(media.Tone(tones[i], time.Duration(frames)*media.FrameDuration).ALaw, p.Codec)
	}
	beat := time.NewTicker(media.FrameDuration)
	defer beat.Stop()
	for n := range frames {
		for i, p := range phones {
			p.Send(said[i][n*160 : (n+1)*160])
		}
		<-beat.C
	}
}

// rest takes what has come already.
func (p *Phone) rest() (packets []Packet) {
	for {
		select {
		case packet := <-p.received:
			packets = append(packets, packet)
		default:
			return packets
		}
	}
}

// room3 is a room of three phones, one of them of the other law, and its tap.
func room3(t *testing.T, newEngine Make, hears [][]int) (media.Room, []media.Stream, []*Phone, *ear) {
	t.Helper()
	e := open(t, newEngine)
	streams, phones := make([]media.Stream, 3), make([]*Phone, 3)
	for i, codec := range []media.Codec{media.PCMA, media.PCMU, media.PCMA} {
		streams[i], phones[i] = stream(t, e, codec)
	}
	tap := &ear{}
	r, err := e.Mix(tap, parties(hears, streams...)...)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r, streams, phones, tap
}

// share is in how much of A-law audio a tone can be heard, by pieces of 50 ms: over a longer time a tone may cancel itself
// out, since a mix waits longer, or skips, where a loaded machine is late with its packets.
func share(alaw []byte, freq float64) float64 {
	const piece = 400
	heard := 0
	for at := 0; at+piece <= len(alaw); at += piece {
		if Has(alaw[at:at+piece], freq) {
			heard++
		}
	}
	return float64(heard) / float64(max(1, len(alaw)/piece))
}

// requireHears checks whose tones are heard in audio, and whose are not.
func requireHears(t *testing.T, audio []byte, who string, whom []int) {
	t.Helper()
	for i, freq := range tones {
		want := false
		for _, j := range whom {
			want = want || i == j
		}
		if want {
			require.Greater(t, share(audio, freq), 0.5, "%s hears %d", who, i)
		} else {
			require.Less(t, share(audio, freq), 0.1, "%s does not hear %d", who, i)
		}
	}
}

const (
	roomFrames = 60 // said in each mode
	roomLead   = 15 // of which as many may still be of before, or wait
	roomHeard  = 35 // that are looked at
)

// roomOfThree: in each mode each hears whom they are to, and nobody else nor themselves; the tap hears party 0, and what
// party 0 hears. The mode changes within one room, and each has one RTP stream all the time.
func roomOfThree(t *testing.T, newEngine Make) {
	t.Helper()
	r, _, phones, tap := room3(t, newEngine, listening)
	all := make([][]Packet, 3)
	for _, mode := range []struct {
		name  string
		hears [][]int
	}{
		{"listen", listening}, {"whisper", whispering}, {"join", joined3}, {"listen again", listening},
	} {
		require.NoError(t, r.Set(mode.hears...))
		for i, p := range phones {
			all[i] = append(all[i], p.rest()...) // the silence since the last mode
		}
		tap.clear()
		converse(phones, roomFrames)
		for i, p := range phones {
			packets := p.Take(roomLead + roomHeard)
			requireHears(t, p.Heard(packets[roomLead:]), mode.name+": phone "+string(rune('0'+i)), mode.hears[i])
			all[i] = append(append(all[i], packets...), p.rest()...)
		}
		for side, whom := range [][]int{media.SideA: {0}, media.SideB: mode.hears[0]} {
			var alaw []byte
			for _, f := range tap.side(t, media.Side(side), roomLead+roomHeard)[roomLead:] {
				alaw = append(alaw, f.ALaw...)
			}
			requireHears(t, alaw, mode.name+": the tap", whom)
		}
	}
	for _, packets := range all {
		requireOneStream(t, packets)
	}
}

// clear forgets what was heard.
func (e *ear) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.frames = [2][]media.Frame{}
}

// roomPasses: who hears one other alone has it packet by packet, bit by bit, and with no delay by a buffer: each packet
// is there before the next is sent. Who hears nobody hears silence.
func roomPasses(t *testing.T, newEngine Make) {
	t.Helper()
	_, _, phones, tap := room3(t, newEngine, [][]int{nil, {0}, {0}})
	tone := media.Tone(tones[0], 20*media.FrameDuration)
	var got []Packet
	for n := range 20 {
		phones[0].Send(tone.ALaw[n*160 : (n+1)*160])
		got = append(got, phones[2].Next())
		phones[1].Next()
	}
	requireOneStream(t, got)
	require.Equal(t, tone.ALaw, joined(got))
	require.True(t, phones[0].Next().Silent())
	require.Len(t, tap.side(t, media.SideA, 20), 20)
	require.Empty(t, tap.side(t, media.SideB, 0))
}

// roomKeys: a key passes between the first two whether they hear each other alone or mixed, as one event; a
// supervisor's is heard by nobody.
func roomKeys(t *testing.T, newEngine Make) {
	t.Helper()
	for name, hears := range map[string][][]int{"passed": listening, "mixed": joined3} {
		t.Run(name, func(t *testing.T) {
			_, streams, phones, _ := room3(t, newEngine, hears)
			pressed := keys(streams[2])
			converse(phones, 5)
			phones[2].Press(9, 4, nil)
			require.Equal(t, media.Key('9'), wait(t, pressed))
			phones[0].Press(5, 4, nil)
			isEvent := func(p Packet) bool { return p.Payload == phones[1].Event }
			var events []Packet
			for len(events) < 6 {
				packets := phones[1].Until(isEvent)
				events = append(events, packets[len(packets)-1])
			}
			for i, e := range events {
				require.Equal(t, byte(5), e.Audio[0], "and not the supervisor's")
				require.Equal(t, events[0].Timestamp, e.Timestamp, "one event")
				require.Equal(t, i == 0, e.Marker)
			}
		})
	}
}

// roomHold: who holds us is heard by nobody, and hears nothing; the others go on.
func roomHold(t *testing.T, newEngine Make) {
	t.Helper()
	_, streams, phones, _ := room3(t, newEngine, joined3)
	phones[1].Call(streams[1], "a=sendonly")
	require.True(t, streams[1].Held())
	sent := streams[1].Stats().PacketsOut
	converse(phones, roomFrames)
	requireHears(t, phones[0].Heard(phones[0].Take(roomLead + roomHeard)[roomLead:]), "party 0", []int{2})
	requireHears(t, phones[2].Heard(phones[2].Take(roomLead + roomHeard)[roomLead:]), "party 2", []int{0})
	require.Equal(t, sent, streams[1].Stats().PacketsOut)
	phones[1].Call(streams[1])
	phones[0].rest()
	converse(phones, roomFrames)
	requireHears(t, phones[0].Heard(phones[0].Take(roomLead + roomHeard)[roomLead:]), "party 0", []int{1, 2})
}

// roomRefuses: what is no room is refused, and leaves nothing behind.
func roomRefuses(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, _ := stream(t, e, media.PCMA)
	b, _ := stream(t, e, media.PCMA)
	c, _ := stream(t, e, media.PCMA)
	d, _ := stream(t, e, media.PCMA)
	foreign, _ := stream(t, open(t, newEngine), media.PCMA)
	for _, bad := range [][]media.Party{
		nil,
		{{Stream: a}},
		{{Stream: a, Hears: []int{0}}, {Stream: b}},
		{{Stream: a, Hears: []int{2}}, {Stream: b}},
		{{Stream: a, Hears: []int{-1}}, {Stream: b}},
		make([]media.Party, media.MaxParties+1),
	} {
		_, err := e.Mix(nil, bad...)
		require.ErrorIs(t, err, media.ErrParties)
	}
	for _, bad := range [][]media.Stream{{a, b, a}, {a, b, foreign}, {a, nil, b}} {
		_, err := e.Mix(nil, parties(listening, bad...)...)
		require.ErrorIs(t, err, media.ErrForeign)
	}
	require.NoError(t, d.Close())
	_, err := e.Mix(nil, parties(listening, a, b, d)...)
	require.ErrorIs(t, err, media.ErrClosed)
	unbridge, err := e.Bridge(a, c, nil)
	require.NoError(t, err, "what was refused left nothing behind")
	_, err = e.Mix(nil, parties(listening, b, c, a)...)
	require.ErrorIs(t, err, media.ErrBridged)
	unbridge()
	r, err := e.Mix(nil, parties(listening, a, b, c)...)
	require.NoError(t, err)
	_, err = e.Bridge(b, a, nil)
	require.ErrorIs(t, err, media.ErrBridged)
	require.ErrorIs(t, a.Play(t.Context(), loop(500)), media.ErrReplaced, "the room has the stream")
	require.ErrorIs(t, r.Set(listening[:2]...), media.ErrParties)
	require.ErrorIs(t, r.Set([]int{0}, nil, nil), media.ErrParties)
	r.Close()
	r.Close()
	require.NoError(t, r.Set(joined3...), "of a room that is over, it does nothing")
	require.NoError(t, a.Play(t.Context(), media.Tone(500, 40*time.Millisecond)), "ready to play again")
}

// roomLeft: a party whose stream closes leaves the room; the others hear each other as before.
func roomLeft(t *testing.T, newEngine Make) {
	t.Helper()
	r, streams, phones, _ := room3(t, newEngine, joined3)
	converse(phones, 5)
	require.NoError(t, streams[2].Close())
	converse(phones[:2], roomFrames)
	requireHears(t, phones[0].Heard(phones[0].Take(roomLead + roomHeard)[roomLead:]), "party 0", []int{1})
	requireHears(t, phones[1].Heard(phones[1].Take(roomLead + roomHeard)[roomLead:]), "party 1", []int{0})
	require.NoError(t, r.Set(whispering...))
	for _, s := range streams[:2] {
		require.NoError(t, s.Close())
	}
	r.Close()
}

// roomContinuity: from a bridge to a room and back, again and again, each far end sees one RTP stream, and the tap is
// not called once the room is over.
func roomContinuity(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	a, p := stream(t, e, media.PCMA)
	b, q := stream(t, e, media.PCMA)
	c, _ := stream(t, e, media.PCMA)
	phones := []*Phone{p, q}
	var atP, atQ []Packet
	for range 3 {
		unbridge, err := e.Bridge(a, b, nil)
		require.NoError(t, err)
		converse(phones, 10)
		atP, atQ = append(atP, p.Take(8)...), append(atQ, q.Take(8)...)
		unbridge()
		tap := &gate{}
		r, err := e.Mix(tap, parties(joined3, a, b, c)...)
		require.NoError(t, err)
		converse(phones, 10)
		atP, atQ = append(atP, p.Take(8)...), append(atQ, q.Take(8)...)
		require.Positive(t, tap.calls.Load())
		r.Close()
		tap.shut.Store(true)
		before := a.Stats().PacketsIn
		converse(phones, 5)
		eventually(t, a, func(s media.Stats) bool { return s.PacketsIn >= before+5 })
		require.False(t, tap.late.Load(), "the tap was called after the room was over")
	}
	requireOneStream(t, atP)
	requireOneStream(t, atQ)
}

// roomFault: a tap of a room that panics costs the stream whose packet or mix it was; the others hear each other on.
func roomFault(t *testing.T, newEngine Make) {
	t.Helper()
	e := open(t, newEngine)
	closed := make(chan struct{})
	a, err := e.Open(media.StreamOptions{OnFault: func() { close(closed) }})
	require.NoError(t, err)
	NewPhone(t, media.PCMA).Call(a)
	b, q := stream(t, e, media.PCMA)
	c, s := stream(t, e, media.PCMA)
	r, err := e.Mix(broken{}, parties(joined3, a, b, c)...)
	require.NoError(t, err)
	defer r.Close()
	wait(t, closed) // by the first mix
	require.ErrorIs(t, a.Play(t.Context(), loop(500)), media.ErrClosed)
	q.Send(media.Tone(700, media.FrameDuration).ALaw)
	s.Until(audible)
	s.Send(media.Tone(700, media.FrameDuration).ALaw)
	q.Until(audible)
}
