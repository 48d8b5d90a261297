package media

// reel is the clips of one Play, read frame by frame. It belongs to the line that plays it.
type reel struct {
	clips []Clip
	at    int // in clips[0]
	// press is a key to send, then there are no clips.
	press *press
	// done is sent why the Play ends, once.
	done chan error
}

// newReel returns nil when there is nothing to hear in the clips.
func newReel(clips []Clip) *reel {
	r := &reel{done: make(chan error, 1)}
	for _, c := range clips {
		if len(c.ALaw) > 0 {
			r.clips = append(r.clips, c)
		}
	}
	if len(r.clips) == 0 {
		return nil
	}
	return r
}

// read fills frame, from one clip into the next without a gap and with silence after the last, and
// reports whether this was the last of the reel.
func (r *reel) read(frame []byte) (last bool) {
	for len(frame) > 0 {
		if len(r.clips) == 0 {
			silence(frame)
			return true
		}
		n := copy(frame, r.clips[0].ALaw[r.at:])
		frame = frame[n:]
		if r.at += n; r.at < len(r.clips[0].ALaw) {
			continue
		}
		r.at = 0
		if !r.clips[0].Loop {
			r.clips = r.clips[1:]
		}
	}
	return len(r.clips) == 0
}

func silence(frame []byte) {
	for i := range frame {
		frame[i] = alawSilence
	}
}
