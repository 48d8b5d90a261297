package media

import "math"

// The frequencies of the keys, in Hz (ITU-T Q.23 section 6): each key is one of the low group, its row, and one of
// the high group, its column.
var (
	keyRows    = [4]float64{697, 770, 852, 941}
	keyColumns = [4]float64{1209, 1336, 1477, 1633}
)

// keyTable says which key a row and a column mean (ITU-T Q.23 figure 1).
const keyTable = "123A" + "456B" + "789C" + "*0#D"

// zeroDBm0 is the amplitude of a sine of 0 dBm0: 3.14 dB below the greatest that A-law can carry (ITU-T G.711 table 5).
var zeroDBm0 = float64(alawLinear[0xAA]) * math.Pow(10, -3.14/20)

// The detector works on blocks of 5 ms, and judges windows of seven blocks: whatever the blocks' place in time, a tone
// of 40 ms fills seven of them, and one of 23 ms never more than four and parts of two.
const (
	toneBlock  = SampleRate / 200
	toneWindow = 7
)

// What the detector accepts. Its limits are those of the column AT&T in ITU-T Q.24 table A-1, with the tolerance that the
// recommendation leaves between operation and non-operation shared out on both sides:
//
//	                    must be taken     must not be taken   here
//	frequency           up to ±1.5 %      from ±3.5 %         ±2.5 %
//	level, each tone    0 to −25 dBm      below −55 dBm       −30 dBm0
//	column over row     +4 to −8 dB       -                   +6 to −10 dB
//	duration            from 40 ms        up to 23 ms         from 29-34 ms, by its place among the blocks
//	pause between keys  from 40 ms        -                   from 25-35 ms
//	interruption        up to 10 ms       -                   up to 15-20 ms
const (
	toneTolerance = 0.025
	toneLeast     = -30.0
	toneTwist     = 6.0
	toneReverse   = -10.0
	// tonePurity is how much of the energy must be the two tones': the rest is noise (8 dB below them), the echo of our
	// own prompt, and in speech nearly always more.
	tonePurity = 0.87
	// toneSteady is the least energy of one of the blocks, as a part of their mean: the beat of two equal tones leaves 0.8.
	toneSteady = 0.42
	// toneSounds is how much of a tone's power at its beginning a block must have for it to sound on.
	toneSounds = 0.25
	// toneOver is how many blocks without it end a key: an interruption of 10 ms touches three, a pause of 40 ms fills seven.
	toneOver = 5
	// toneProbe is how far beside a frequency the window is probed to find where the tone lies, in Hz.
	toneProbe = 20.0
)

// toneSums is what is kept of one block: its energy, and its part of the Fourier sum at each frequency, rows first. The
// phase counts from the block's own beginning.
type toneSums struct {
	energy float64
	at     [8]complex128
}

// toneDetector finds keys in audio (ITU-T Q.23), by Goertzel's algorithm. It allocates nothing, and looks no further
// than at the energy of a block that is too soft to be a key's. Not safe for concurrent use.
type toneDetector struct {
	samples [toneBlock]float64
	filled  int
	blocks  [toneWindow]toneSums // a ring, the oldest at next
	next    int
	whole   int // blocks in a row that a key may lie in, up to toneWindow

	sounding        bool // a key was told, and is not over
	row, column     int  // its frequencies, by their places in toneSums.at
	rowOn, columnOn float64
	off             int // blocks in a row in which it was not heard
}

// reset forgets what was heard, as before the first packet.
func (d *toneDetector) reset() { *d = toneDetector{} }

// broken says that what comes next does not follow on what came last. A key that sounds goes on; one that has not been
// told yet begins anew.
func (d *toneDetector) broken() { d.filled, d.whole = 0, 0 }

// quiet says that for n samples nothing was sent: the far end leaves silence out.
func (d *toneDetector) quiet(n int) {
	d.broken()
	if d.off += n / toneBlock; d.off >= toneOver {
		d.sounding = false
	}
}

// feed takes audio of a law's codes up to the first key in it: the key, 0 when there is none, and the audio left.
func (d *toneDetector) feed(audio []byte, linear *[256]int16) (key Key, rest []byte) {
	for len(audio) > 0 {
		n := min(len(audio), toneBlock-d.filled)
		for i, code := range audio[:n] {
			d.samples[d.filled+i] = float64(linear[code])
		}
		audio = audio[n:]
		if d.filled += n; d.filled < toneBlock {
			break
		}
		d.filled = 0
		if key = d.block(); key != 0 {
			return key, audio
		}
	}
	return 0, nil
}

// block takes a whole block, and returns the key that is recognised by it.
func (d *toneDetector) block() Key {
	s := &d.blocks[d.next]
	d.next = (d.next + 1) % toneWindow
	s.measure(&d.samples)
	if s.energy < softest {
		d.whole = 0
	} else {
		d.whole = min(d.whole+1, toneWindow)
	}
	if d.sounding && d.soundsOn(s) {
		d.off = 0
		return 0
	}
	if d.off++; d.off >= toneOver {
		d.sounding = false
	}
	if d.whole < toneWindow || !d.steady() {
		return 0
	}
	return d.judge()
}

// softest is the energy of a block below which no two tones of toneLeast can lie in it, their beat considered.
var softest = toneSteady * toneBlock * toneAmplitude(toneLeast) * toneAmplitude(toneLeast)

func toneAmplitude(dBm0 float64) float64 { return zeroDBm0 * math.Pow(10, dBm0/20) }

// measure sums up one block: Goertzel's recursion for four frequencies side by side, since each step of one
// waits for the step before it.
func (s *toneSums) measure(x *[toneBlock]float64) {
	s.energy = 0
	for _, v := range x {
		s.energy += v * v
	}
	if s.energy < softest {
		return
	}
	for group := 0; group < 8; group += 4 {
		f := toneFilters[group : group+4 : group+4]
		c0, c1, c2, c3 := f[0].coefficient, f[1].coefficient, f[2].coefficient, f[3].coefficient
		var a1, a2, b1, b2, e1, e2, g1, g2 float64
		for _, v := range x {
			a1, a2 = v+c0*a1-a2, a1
			b1, b2 = v+c1*b1-b2, b1
			e1, e2 = v+c2*e1-e2, e1
			g1, g2 = v+c3*g1-g2, g1
		}
		s.at[group] = f[0].sum(a1, a2)
		s.at[group+1] = f[1].sum(b1, b2)
		s.at[group+2] = f[2].sum(e1, e2)
		s.at[group+3] = f[3].sum(g1, g2)
	}
}

// soundsOn reports whether the key that was told is heard in a block.
func (d *toneDetector) soundsOn(s *toneSums) bool {
	return s.energy >= softest &&
		power(s.at[d.row]) >= toneSounds*d.rowOn && power(s.at[d.column]) >= toneSounds*d.columnOn
}

// steady reports whether no block of the window is much softer than the others: then the tones do not begin or end in it.
func (d *toneDetector) steady() bool {
	least, sum := math.Inf(1), 0.0
	for i := range d.blocks {
		least = min(least, d.blocks[i].energy)
		sum += d.blocks[i].energy
	}
	return least*toneWindow >= toneSteady*sum
}

// judge looks for a key in the window, other than the one that sounds. What costs least, and refuses most of what is
// said, comes first.
func (d *toneDetector) judge() Key {
	energy := 0.0
	for k := range toneWindow {
		w := toneWeights[k]
		energy += w * w * d.blocks[(d.next+k)%toneWindow].energy
	}
	row, rowPower, ok := d.tone(0, energy*leastRow)
	if !ok {
		return 0
	}
	column, columnPower, ok := d.tone(4, energy*leastColumn)
	if !ok || d.sounding && row == d.row && column == d.column {
		return 0
	}
	least, twist := toneAmplitude(toneLeast), 10*math.Log10(columnPower/rowPower)
	if min(rowPower, columnPower) < least*least || twist > toneTwist || twist < toneReverse ||
		(rowPower+columnPower)*toneEnergy < tonePurity*energy {
		return 0
	}
	d.sounding, d.off, d.row, d.column = true, 0, row, column
	d.whole = 0                             // the next key has a window of its own
	const block = toneBlock * toneBlock / 4 // what an amplitude's square is in the sum of one block
	d.rowOn, d.columnOn = rowPower*block, columnPower*block
	return Key(keyTable[row*4+column-4])
}

// tone is the strongest tone of a group, the rows or the columns, and its power (the amplitude's square), if it has
// the least energy wanted and is near enough to its frequency.
func (d *toneDetector) tone(group int, least float64) (i int, amplitude2 float64, ok bool) {
	least /= toneEnergy * toneGain * toneGain
	most := -1.0
	for j := group; j < group+4; j++ {
		if p := power(d.sum(j, toneFilters[j].turn)); p > most {
			i, most = j, p
		}
	}
	f := &toneFilters[i]
	if most < least*f.worst {
		return 0, 0, false // not even as far beside the frequency as it may be
	}
	off, ok := peak(power(d.sum(i, f.below)), most, power(d.sum(i, f.above)))
	if !ok || math.Abs(off) > 2*toneProbe {
		return 0, 0, false
	}
	at := f.frequency + off
	off, ok = peak(power(d.sum(i, turn(at-toneProbe))), power(d.sum(i, turn(at))), power(d.sum(i, turn(at+toneProbe))))
	if at += off; !ok || math.Abs(at-f.frequency) > toneTolerance*f.frequency {
		return 0, 0, false
	}
	p := power(d.sum(i, turn(at)))
	return i, p * toneGain * toneGain, p >= least
}

// peak is how far from a frequency a tone lies, in Hz, by its powers at toneProbe below it, at it, and above: near
// the peak of the window's shape their logarithms lie on a parabola, and farther off it is taken again about where the
// first one points. False where there is no peak.
func peak(below, at, above float64) (off float64, ok bool) {
	low, mid, high := math.Log(below), math.Log(at), math.Log(above)
	curve := low - 2*mid + high
	return toneProbe / 2 * (low - high) / curve, curve < 0 // false also for what is no number, of powers that are 0
}

// sum is the Fourier sum of the window, its blocks weighted and turned into one phase: the older ones, since the
// phase of each counts from its own beginning.
func (d *toneDetector) sum(i int, turn complex128) (sum complex128) {
	for k := range toneWindow {
		sum = sum*turn + complex(toneWeights[k], 0)*d.blocks[(d.next+k)%toneWindow].at[i]
	}
	return sum
}

func power(c complex128) float64 { return real(c)*real(c) + imag(c)*imag(c) }

// toneFilter is what is to be known of one frequency.
type toneFilter struct {
	frequency   float64
	coefficient float64    // of Goertzel's recursion, 2 cos ω
	back        complex128 // e^−jω
	// turn is the phase from one block to the next; below and above, of frequencies toneProbe beside it.
	turn, below, above complex128
	// worst is what is left of the power of a tone that lies as far beside the frequency as it may.
	worst float64
}

// The tables of the detector, made when the package is loaded. They are only read.
var (
	// toneWeights are Hann's, by blocks: without them one tone would leak into the measure of the other.
	toneWeights = makeToneWeights()
	// toneGain makes of a window's sum the amplitude, and toneEnergy of the amplitude's square the window's energy.
	toneGain, toneEnergy = measuresOfWeights()
	toneFilters          = makeToneFilters()
)

// The least parts of the energy that the row and the column can have, by the purity and the twist asked for.
var (
	leastRow    = tonePurity / (1 + math.Pow(10, toneTwist/10))
	leastColumn = tonePurity / (1 + math.Pow(10, -toneReverse/10))
)

func makeToneWeights() (weights [toneWindow]float64) {
	for k := range weights {
		sin := math.Sin(math.Pi * (float64(k) + 0.5) / toneWindow)
		weights[k] = sin * sin
	}
	return weights
}

func measuresOfWeights() (gain, energy float64) {
	for _, w := range toneWeights {
		gain += w * toneBlock / 2
		energy += w * w * toneBlock / 2
	}
	return 1 / gain, energy
}

func makeToneFilters() (filters [8]toneFilter) {
	for i := range filters {
		f := keyRows[i%4]
		if i >= 4 {
			f = keyColumns[i-4]
		}
		sin, cos := math.Sincos(2 * math.Pi * f / SampleRate)
		filters[i] = toneFilter{
			frequency: f, coefficient: 2 * cos, back: complex(cos, -sin),
			turn: turn(f), below: turn(f - toneProbe), above: turn(f + toneProbe),
			worst: leftBeside(f * toneTolerance),
		}
	}
	return filters
}

// leftBeside is the power left of a tone that lies off Hz beside the frequency of the window's sum.
func leftBeside(off float64) float64 {
	var sum complex128
	for _, w := range toneWeights {
		sum = sum*turn(off) + complex(w, 0)
	}
	return power(sum) * toneGain * toneGain * toneBlock * toneBlock / 4
}

// turn is the phase by which a frequency goes on in a block.
func turn(f float64) complex128 {
	sin, cos := math.Sincos(2 * math.Pi * f * toneBlock / SampleRate)
	return complex(cos, sin)
}

// sum ends the recursion: the Fourier sum of the block, but for a phase that is the same for all blocks.
func (f *toneFilter) sum(s1, s2 float64) complex128 { return complex(s1, 0) - f.back*complex(s2, 0) }
