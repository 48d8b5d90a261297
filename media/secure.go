package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

const (
	// sealRoom is how many octets sealing adds at most: the longest tag to RTP, and the index besides to RTCP (RFC 3711
	// section 3.4).
	sealRoom = maxAuthTag + 4
	// replayWindow is how far back a packet may be late, in packets. RFC 3711 section 3.3.2 wants 64 at least.
	replayWindow = 2 * reorderWindow
	// maxSources is how many SSRCs a far end may use with one key. Each must be remembered as long as the key, for
	// what it has sent not to be taken again; a phone has one, or one more for each party that it puts through.
	maxSources = 64
)

// protection is how the two directions of a stream are encrypted: what offer and answer have settled. The pointers
// never change; what they point to is the line's, and goes on from one agreement to the next when that has the
// same keys.
type protection struct {
	tag int // of the line that was chosen
	out *sealer
	in  *opener
}

// seal encrypts an RTP packet in its place, as sealer.rtp does; without protection it stays as it is.
func (p *protection) seal(b []byte) (sealed []byte, ok bool) {
	if p == nil {
		return b, true
	}
	return p.out.rtp(b)
}

// sealReport encrypts RTCP; without protection it stays as it is.
func (p *protection) sealReport(b []byte) (sealed []byte, ok bool) {
	if p == nil {
		return b, true
	}
	return p.out.rtcp(slices.Grow(b, sealRoom))
}

// newContext makes the cipher of one direction.
func newContext(k *masterKey, options ...srtp.ContextOption) (*srtp.Context, error) {
	s := k.suite
	c, err := srtp.CreateContext(k.material[:s.key], k.material[s.key:s.key+s.salt], s.profile, options...)
	if err != nil {
		return nil, fmt.Errorf("make a context of %s: %w", s.name, err)
	}
	return c, nil
}

// sealer encrypts what is sent under one key, for one SSRC. No number is used twice: two packets under one index
// would give away what is in them, and with AEAD_AES_128_GCM the power to forge others (RFC 3711 section 9.1, RFC
// 7714 section 8.4). Not safe for concurrent use; owned by the line's shard, but for key.
type sealer struct {
	key     *masterKey
	context *srtp.Context
	header  rtp.Header // of the packet at hand

	begun   bool
	ssrc    uint32
	first   uint64 // sequence number of the first packet
	highest uint64 // extended, of the newest
	sent    uint64 // bit n: packet highest-n was sent
}

func newSealer(k *masterKey) (*sealer, error) {
	c, err := newContext(k)
	if err != nil {
		return nil, err
	}
	return &sealer{key: k, context: c}, nil
}

// rtp encrypts the packet in b, in its place; b has room for sealRoom octets more. False when it must not be sent:
// its number has been used, or is so old that this is not known any more.
func (s *sealer) rtp(b []byte) (sealed []byte, ok bool) {
	if len(b) < rtpHeaderSize || !s.fresh(binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint16(b[2:])) {
		return nil, false
	}
	sealed, err := s.context.EncryptRTP(b, b, &s.header)
	return sealed, err == nil
}

// fresh takes note of a number, and reports whether it was never used.
func (s *sealer) fresh(ssrc uint32, number uint16) bool {
	if !s.begun {
		s.begun, s.ssrc, s.first, s.highest, s.sent = true, ssrc, uint64(number), uint64(number), 1
		return true
	}
	step := int(int16(number - uint16(s.highest)))
	switch {
	case ssrc != s.ssrc, step <= -reorderWindow, step <= 0 && s.highest < s.first+uint64(-step):
		return false
	case step > 0:
		s.highest += uint64(step)
		s.sent = s.sent<<step | 1
		return true
	}
	used := s.sent>>-step&1 == 1
	s.sent |= 1 << -step
	return !used
}

// rtcp encrypts the report in b, in its place; b has room for sealRoom octets more (RFC 3711 section 3.4).
func (s *sealer) rtcp(b []byte) (sealed []byte, ok bool) {
	sealed, err := s.context.EncryptRTCP(b, b, nil)
	return sealed, err == nil
}

// authenticity is what became of a packet that was received encrypted.
type authenticity uint8

const (
	notAuthentic authenticity = iota // not encrypted with the far end's key, changed on the way, or no packet at all
	replayed                         // the far end's, but not for the first time; or too old to tell
	authentic
)

// opener decrypts what is received under one key. Not safe for concurrent use; owned by the line's shard, but for
// key.
type opener struct {
	key     *masterKey
	context *srtp.Context
	header  rtp.Header // of the packet at hand
	newest  uint32     // SSRC of the packet before
	// sources and reporters are how many SSRCs sent RTP and RTCP.
	sources, reporters int
	plain              [maxDatagram]byte
}

func newOpener(k *masterKey) (*opener, error) {
	c, err := newContext(k, srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, err
	}
	return &opener{key: k, context: c}, nil
}

// rtp decrypts a packet of less than maxDatagram octets. What it returns is valid until it is called again.
func (o *opener) rtp(b []byte) ([]byte, authenticity) {
	if len(b) < rtpHeaderSize+o.key.suite.tag {
		return nil, notAuthentic
	}
	ssrc := binary.BigEndian.Uint32(b[8:])
	known := o.sources > 0 && ssrc == o.newest
	if !known {
		_, known = o.context.ROC(ssrc)
	}
	if !known && o.sources == maxSources {
		return nil, notAuthentic
	}
	plain, err := o.context.DecryptRTP(o.plain[:0], b, &o.header)
	if err != nil {
		return nil, failure(err)
	}
	o.newest = ssrc
	if !known {
		o.sources++
	}
	return plain, authentic
}

// failure tells why the context does not take a packet that is long enough. It looks at the number before the tag, so
// a stranger can have a packet counted as double; that is all he can.
func failure(err error) authenticity {
	if errors.Is(err, srtp.ErrFailedToVerifyAuthTag) {
		return notAuthentic
	}
	return replayed
}

// rtcp decrypts a report of less than maxDatagram octets (RFC 3711 section 3.4). What it returns is valid until it, or
// rtp, is called again.
func (o *opener) rtcp(b []byte) ([]byte, authenticity) {
	var h rtcp.Header
	const shortest = 8 + 4 // header, SSRC and index
	if len(b) < shortest+o.key.suite.tag || h.Unmarshal(b) != nil {
		return nil, notAuthentic
	}
	_, known := o.context.Index(binary.BigEndian.Uint32(b[4:]))
	if !known && o.reporters == maxSources {
		return nil, notAuthentic
	}
	plain, err := o.context.DecryptRTCP(o.plain[:0], b, &h)
	if err != nil {
		return nil, failure(err)
	}
	if !known {
		o.reporters++
	}
	return plain, authentic
}
