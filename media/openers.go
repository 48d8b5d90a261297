package media

// openers decrypt what a line receives. Not safe for concurrent use; owned by the line's shard.
type openers struct {
	now *opener // nil: it is not encrypted
	// before is the opener that now has taken the place of, until a packet comes that is of now: the far end goes on
	// under its old key until our answer has reached it. Where plain audio has taken the place, it is there to tell what
	// is not plain yet.
	before *opener
}

// agree takes up a protection; nil is none.
func (o *openers) agree(p *protection) {
	var next *opener
	if p != nil {
		next = p.in
	}
	if next != o.now {
		o.before, o.now = o.now, next
	}
}

// rtp decrypts an RTP packet of less than maxDatagram octets. What it returns is valid until it is called again.
func (o *openers) rtp(b []byte) ([]byte, authenticity) {
	if o.now == nil {
		return o.plain(b)
	}
	plain, what := o.now.rtp(b)
	if what == authentic {
		o.before = nil
		return plain, what
	}
	if o.before != nil {
		if plain, late := o.before.rtp(b); late == authentic {
			return plain, late
		}
	}
	return nil, what
}

// plain takes an RTP packet where nothing is encrypted any more, or never was. What was on its way under the key before
// would be noise, and is refused, until the first plain packet has come.
func (o *openers) plain(b []byte) ([]byte, authenticity) {
	if o.before != nil {
		if _, late := o.before.rtp(b); late == authentic {
			return nil, notAuthentic
		}
		o.before = nil
	}
	return b, authentic
}

// rtcp decrypts RTCP, likewise. A report under an old key tells nothing that the next does not.
func (o *openers) rtcp(b []byte) ([]byte, authenticity) {
	if o.now == nil {
		return b, authentic
	}
	return o.now.rtcp(b)
}

// refused counts a packet that was not decrypted.
func (s *Stats) refused(what authenticity) {
	if what == replayed {
		s.Duplicate++
	} else {
		s.Unauthentic++
	}
}
