package recorder

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"hotline/media"
)

const (
	ms     = time.Millisecond
	caller = media.SideA
	agent  = media.SideB
)

func TestPlacement(t *testing.T) {
	joined := time.Now()
	at := func(n int) time.Time { return joined.Add(time.Duration(n) * ms) }
	for name, c := range map[string]struct {
		frames      []media.Frame
		end         int // ms
		left, right string
	}{
		"in order": {
			frames: []media.Frame{
				say(caller, at(0), 1, 10, 1000, 'a', 160),
				say(agent, at(0), 2, 70, 9000, 'x', 160),
				say(caller, at(20), 1, 11, 1160, 'b', 160),
				say(agent, at(20), 2, 71, 9160, 'y', 160),
			},
			end: 40, left: "a160 b160", right: "x160 y160",
		},
		"arrival's jitter does not matter": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(55), 1, 2, 160, 'b', 160),
				say(caller, at(56), 1, 3, 320, 'c', 160),
			},
			end: 60, left: "a160 b160 c160", right: "_480",
		},
		"lost": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(40), 1, 3, 320, 'c', 160),
			},
			end: 60, left: "a160 _160 c160", right: "_480",
		},
		"out of order": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(40), 1, 3, 320, 'c', 160),
				say(caller, at(41), 1, 2, 160, 'b', 160),
			},
			end: 60, left: "a160 b160 c160", right: "_480",
		},
		"older than the first": {
			frames: []media.Frame{
				say(caller, at(40), 1, 2, 160, 'b', 160),
				say(caller, at(41), 1, 1, 0, 'a', 160),
			},
			end: 60, left: "_160 a160 b160", right: "_480",
		},
		"duplicates": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(1), 1, 1, 0, 'a', 160),
				say(caller, at(20), 1, 2, 160, 'b', 160),
				say(caller, at(30), 1, 1, 0, 'a', 160),
			},
			end: 40, left: "a160 b160", right: "_320",
		},
		"another SSRC begins at its arrival": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(50), 9, 900, 77777, 'b', 160),
				say(caller, at(70), 9, 901, 77937, 'c', 160),
			},
			end: 90, left: "a160 _240 b160 c160", right: "_720",
		},
		"both counters wrap": {
			frames: []media.Frame{
				say(caller, at(0), 1, 65534, 0xFFFFFF00, 'a', 160),
				say(caller, at(20), 1, 65535, 0xFFFFFFA0, 'b', 160),
				say(caller, at(40), 1, 0, 0x40, 'c', 160),
				say(caller, at(60), 1, 1, 0xE0, 'd', 160),
			},
			end: 80, left: "a160 b160 c160 d160", right: "_640",
		},
		"packets of 10 and 60 ms": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 80),
				say(caller, at(10), 1, 2, 80, 'b', 80),
				say(agent, at(0), 2, 1, 0, 'x', 480),
				say(agent, at(60), 2, 2, 480, 'y', 480),
			},
			end: 120, left: "a80 b80 _800", right: "x480 y480",
		},
		"packets of 30 ms beside 20 ms": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 240),
				say(caller, at(30), 1, 2, 240, 'b', 240),
				say(agent, at(0), 2, 1, 0, 'x', 160),
				say(agent, at(20), 2, 2, 160, 'y', 160),
				say(agent, at(40), 2, 3, 320, 'z', 160),
			},
			end: 60, left: "a240 b240", right: "x160 y160 z160",
		},
		"one side late, the other silent": {
			frames: []media.Frame{say(agent, at(500), 2, 1, 0, 'x', 160)},
			end:    600, left: "_4800", right: "_4000 x160 _640",
		},
		"nothing before the join, nothing after the end": {
			frames: []media.Frame{
				say(caller, at(-10), 1, 1, 0, 'a', 160),
				say(caller, at(10), 1, 2, 160, 'b', 160),
				say(caller, at(30), 1, 3, 320, 'c', 160),
			},
			end: 40, left: "a80 b160 c80", right: "_320",
		},
		"wholly before the join": {
			frames: []media.Frame{
				say(caller, at(-25), 1, 1, 0, 'a', 160),
				say(caller, at(-5), 1, 2, 160, 'b', 160),
			},
			end: 20, left: "b120 _40", right: "_160",
		},
		"a hold that the phone's clock slept through": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(3000), 1, 2, 160, 'b', 160),
				say(caller, at(3020), 1, 3, 320, 'c', 160),
			},
			end: 3040, left: "a160 _23840 b160 c160", right: "_24320",
		},
		"a hold that the phone's clock counted": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(3004), 1, 2, 24000, 'b', 160),
			},
			end: 3020, left: "a160 _23840 b160", right: "_24160",
		},
		"timestamps begin anew": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(25), 1, 2, 1<<31+5, 'b', 160),
				say(caller, at(45), 1, 3, 1<<31+165, 'c', 160),
			},
			end: 65, left: "a160 _40 b160 c160", right: "_520",
		},
		"an old packet whose timestamp makes no sense": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(20), 1, 2, 160, 'b', 160),
				say(caller, at(21), 1, 1, 1<<30, '!', 160),
				say(caller, at(40), 1, 3, 320, 'c', 160),
			},
			end: 60, left: "a160 b160 c160", right: "_480",
		},
		"what no phone sends": {
			frames: []media.Frame{
				say(caller, at(0), 1, 1, 0, 'a', 160),
				say(caller, at(20), 1, 2, 160, 'b', 0),
				say(7, at(20), 1, 2, 160, '!', 160),
				say(agent, at(0), 1, 1, 0, 'x', 9000), // more than a second is cut
			},
			end: 1100, left: "a160 _8640", right: "x8000 _800",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Options{})
			rec := begin(t, r, "case", joined)
			for _, f := range c.frames {
				rec.Frame(f)
			}
			require.NoError(t, rec.Close(at(c.end)))
			got := listen(t, r, rec.Name())
			require.Equal(t, c.left, runs(got.left))
			require.Equal(t, c.right, runs(got.right))
		})
	}
}

// A packet from before the window is left out, and does not make the flusher write what lies there.
func TestTooLate(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	c := begin(t, r, "late", joined)
	at := func(n int) time.Time { return joined.Add(time.Duration(n) * ms) }
	c.Frame(say(caller, at(0), 1, 1, 0, 'a', 160))
	c.Frame(say(caller, at(1000), 1, 2, 8000, 'b', 160))
	c.Frame(say(caller, at(2000), 1, 3, 16000, 'c', 160))
	c.disk.Lock()
	require.NoError(t, c.flush(16160, make([]byte, flushBytes)))
	c.disk.Unlock()
	c.Frame(say(caller, at(2020), 1, 5, 31840, 'e', 160)) // 1.96 s ahead: the window moves to 3.98 - 2.048 s
	c.Frame(say(caller, at(2040), 1, 4, 8160, '!', 160))  // before it
	c.Frame(say(caller, at(2060), 1, 4, 15520, 'd', 160)) // half before it
	require.Equal(t, int64(160+(32000-minPairs)-15520), c.late)
	require.NoError(t, c.Close(at(4000)))
	require.Equal(t, "a160 _7840 b160 _7456 d64 _320 c160 _15680 e160", runs(listen(t, r, c.Name()).left))
}

func TestLengthIsExact(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	for d, want := range map[time.Duration]int{
		0: 0, 62 * time.Microsecond: 0, 63 * time.Microsecond: 1, 125 * time.Microsecond: 1,
		time.Second: 8000, 7*time.Second + 1234567*time.Nanosecond: 56010, time.Minute: 480000,
	} {
		c := begin(t, r, "length", joined)
		c.Frame(say(caller, joined, 1, 1, 0, 'a', 160))
		require.NoError(t, c.Close(joined.Add(d)))
		require.Len(t, listen(t, r, c.Name()).left, want, d)
	}
}

// Whatever is lost, doubled or comes in another order (but for the first packet, which sets the clock),
// and whenever the flusher comes by: what arrived lies where its timestamp says, the rest is silence.
func TestAnyOrderSameRecording(t *testing.T) {
	r := start(t, Options{})
	joined := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		end := time.Duration(rapid.IntRange(1, 6000).Draw(t, "end ms")) * ms
		want := [channels][]byte{make([]byte, samples(end)), make([]byte, samples(end))}
		var arrivals []media.Frame
		for side := range want {
			hush(want[side])
			arrivals = append(arrivals, arrive(t, media.Side(side), joined, want[side])...)
		}
		sortByArrival(arrivals)

		c, err := r.Start("any-order", joined)
		if err != nil {
			t.Fatal(err)
		}
		rec, buf := c.(*recording), make([]byte, 1000)
		flushEach := rapid.IntRange(1, 50).Draw(t, "flush after frames")
		for i, f := range arrivals {
			rec.Frame(f)
			if i%flushEach == 0 {
				rec.disk.Lock()
				err = rec.flush(min(samples(f.At.Sub(joined)), samples(end)), buf)
				rec.disk.Unlock()
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := rec.Close(joined.Add(end)); err != nil {
			t.Fatal(err)
		}
		got := listenFile(t, r.root.Name(), rec.Name())
		if err := r.root.Remove(rec.Name()); err != nil {
			t.Fatal(err)
		}
		if string(got.left) != string(want[0]) || string(got.right) != string(want[1]) {
			t.Fatalf("left  %s\nwant  %s\nright %s\nwant  %s", runs(got.left), runs(want[0]),
				runs(got.right), runs(want[1]))
		}
	})
}

// arrive draws one side's packets as they arrive, and puts into want what must come of them.
func arrive(t *rapid.T, side media.Side, joined time.Time, want []byte) []media.Frame {
	size := rapid.SampledFrom([]int{80, 160, 240, 480}).Draw(t, "packet")
	begun := rapid.IntRange(0, 8000).Draw(t, "begins")
	seq, ts := rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts")
	fates := rapid.SliceOfN(rapid.IntRange(-2, 900), 0, 200).Draw(t, "fates")
	var out []media.Frame
	for i := range len(fates) + 1 {
		pos := begun + i*size
		sent := joined.Add(time.Duration(pos) * time.Second / media.SampleRate)
		letter := byte('a' + i%26)
		f := say(side, sent, uint32(side)+1, seq+uint16(i), ts+uint32(i*size), letter, size)
		copies := 1
		switch {
		case i == 0:
		case fates[i-1] == -2:
			continue // lost
		case fates[i-1] == -1:
			copies = 2
		default:
			f.At = sent.Add(time.Duration(fates[i-1]) * ms)
		}
		for range copies {
			out = append(out, f)
		}
		for j := pos; j < min(pos+size, len(want)); j++ {
			want[j] = letter
		}
	}
	return out
}

func sortByArrival(frames []media.Frame) {
	slices.SortStableFunc(frames, func(a, b media.Frame) int { return a.At.Compare(b.At) })
}

// A sender's clock that is wrong by more than any crystal is kept within maxDrift and one span's drift of
// arrival; a right one is never touched, whatever the jitter.
func TestDrift(t *testing.T) {
	for name, ppm := range map[string]float64{"right": 0, "fast": 500, "slow": -500} {
		t.Run(name, func(t *testing.T) {
			var tr track
			random := rand.New(rand.NewPCG(1, 2))
			last, steps := int64(-160), 0
			for i := range 30 * 60 * 50 {
				sent := float64(i*160) / (1 + ppm/1e6)
				arrived := int64(sent) + random.Int64N(800) // up to 100 ms of jitter
				if i == 0 {
					arrived = 0
				}
				f := media.Frame{SSRC: 1, Sequence: uint16(i), Timestamp: uint32(i * 160)}
				pos, ok := tr.place(&f, arrived)
				require.True(t, ok)
				require.InDelta(t, sent, pos, maxDrift+0.0005*driftSpan+160)
				if pos != last+160 {
					steps++
				}
				last = pos
			}
			if ppm == 0 {
				require.Zero(t, steps)
			} else {
				require.InDelta(t, 15, steps, 2) // 0.9 s in 30 minutes, 60 ms a step
			}
		})
	}
}

// A phone that sends nonsense hurts nobody: no panic, bounded memory, a file that can be read.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 200})
	f.Add([]byte{1, 255, 255, 255, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9})
	r := start(f, Options{})
	joined := time.Now()
	audio := make([]byte, 65536)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := begin(t, r, "fuzz", joined)
		for ; len(b) >= 12; b = b[12:] {
			c.Frame(media.Frame{
				Side: media.Side(b[0]), At: joined.Add(time.Duration(int8(b[1])) * 100 * ms),
				SSRC: uint32(b[2] & 1), Sequence: binary.BigEndian.Uint16(b[3:]),
				Timestamp: binary.BigEndian.Uint32(b[5:]), ALaw: audio[:binary.BigEndian.Uint16(b[9:])],
			})
		}
		require.LessOrEqual(t, c.window.pairs(), int64(maxPairs))
		require.NoError(t, c.Close(joined.Add(time.Second)))
		require.Len(t, listen(t, r, c.Name()).left, 8000)
		require.NoError(t, r.root.Remove(c.Name()))
	})
}
