package recorder

import (
	"bytes"

	"hotline/media"
)

const (
	// minPairs is what a window begins with, 2 s in 32 KiB: a second that waits for the flusher, and
	// a second in which late packets still find their place.
	minPairs = 1 << 14
	// maxPairs is how far a window grows while the disk stalls: 16 s in 256 KiB.
	maxPairs = 1 << 17
)

// window is the part of a recording that can still change: pairs of samples (left, right) from base on,
// in a ring whose length is a power of two. What nobody has put is silence. A pair's position is counted
// in samples since the join.
type window struct {
	ring []byte
	base int64
}

func newWindow() window {
	w := window{ring: make([]byte, minPairs*pairBytes)}
	hush(w.ring)
	return w
}

func (w *window) pairs() int64 { return int64(len(w.ring) / pairBytes) }

// end is the first position beyond the window.
func (w *window) end() int64 { return w.base + w.pairs() }

// put places one side's samples at pos and reports how many of them came too late, before base, and
// whether there was room for the others. Pairs from keep on are not in the file yet, and are kept.
func (w *window) put(side media.Side, pos int64, alaw []byte, keep int64) (late int, ok bool) {
	if pos < w.base {
		late = int(min(w.base-pos, int64(len(alaw))))
		pos, alaw = pos+int64(late), alaw[late:]
	}
	if len(alaw) == 0 {
		return late, true
	}
	if !w.reach(pos+int64(len(alaw)), keep) {
		return late, false
	}
	for len(alaw) > 0 {
		part := w.run(pos, int64(len(alaw)))
		n := len(part) / pairBytes
		part = part[side:]
		for i, s := range alaw[:n] {
			part[i*pairBytes] = s
		}
		pos, alaw = pos+int64(n), alaw[n:]
	}
	return late, true
}

// reach moves the window forward, or makes it larger, until it reaches end; not beyond maxPairs.
func (w *window) reach(end, keep int64) bool {
	for end-w.pairs() > keep {
		if w.pairs() >= maxPairs {
			return false
		}
		w.grow()
	}
	if base := end - w.pairs(); base > w.base {
		w.forget(base)
	}
	return true
}

// forget gives up the pairs before base; their places in the ring become those after the old end.
func (w *window) forget(base int64) {
	from, n := w.base, min(base-w.base, w.pairs())
	w.base = base
	for n > 0 {
		part := w.run(from, n)
		hush(part)
		step := int64(len(part) / pairBytes)
		from, n = from+step, n-step
	}
}

func (w *window) grow() {
	bigger := window{ring: make([]byte, 2*len(w.ring)), base: w.base}
	hush(bigger.ring)
	for pos, end := w.base, w.end(); pos < end; {
		n := copy(bigger.run(pos, end-pos), w.run(pos, end-pos))
		pos += int64(n / pairBytes)
	}
	*w = bigger
}

// read copies the pairs from pos on into dst; those beyond the window are silence. pos is not before base.
func (w *window) read(dst []byte, pos int64) {
	for len(dst) > 0 && pos < w.end() {
		n := copy(dst, w.run(pos, w.end()-pos))
		dst, pos = dst[n:], pos+int64(n/pairBytes)
	}
	hush(dst)
}

// run is the stretch of the ring at pos that lies in one piece, at most n pairs long.
func (w *window) run(pos, n int64) []byte {
	at := int(pos*pairBytes) & (len(w.ring) - 1)
	return w.ring[at:min(at+int(n)*pairBytes, len(w.ring))]
}

// quiet is silence to copy from, as much as a packet of 20 ms takes on both sides: it stays in the nearest cache.
var quiet = bytes.Repeat([]byte{silence}, 320)

// hush fills b with silence. It copies: octet by octet took half of a tap's time.
func hush(b []byte) {
	for n := 0; n < len(b); {
		n += copy(b[n:], quiet)
	}
}
