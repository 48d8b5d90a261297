package mediatest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"hotline/media"
)

// rollover extends sequence numbers (RFC 3711 section 3.3.1).
type rollover struct {
	begun   bool
	highest int64
}

// index is the extended number; the greatest is remembered.
func (r *rollover) index(number uint16) int64 {
	if !r.begun {
		r.begun, r.highest = true, int64(number)
	}
	index := r.highest + int64(int16(number-uint16(r.highest)))
	r.highest = max(r.highest, index)
	return index
}

// direction is one direction of SRTP with what it remembers.
type direction struct {
	srtp *SRTP
	roll rollover
}

// phoneSecurity is a phone's SRTP; none at first.
type phoneSecurity struct {
	out direction
	in  atomic.Pointer[direction] // its content is the listener's
	// unread counts packets that came and could not be decrypted.
	unread atomic.Int64
}

// seal encrypts a packet that is to be sent, if that is agreed.
func (s *phoneSecurity) seal(b []byte) []byte {
	if s.out.srtp == nil {
		return b
	}
	return s.out.srtp.Seal(b, uint32(s.out.roll.index(binary.BigEndian.Uint16(b[2:]))>>16))
}

// open decrypts an RTP packet that came, if that is agreed; false when it cannot.
func (s *phoneSecurity) open(b []byte) ([]byte, bool) {
	in := s.in.Load()
	if in == nil {
		return b, true
	}
	plain, ok := in.srtp.Open(b, uint32(in.roll.index(binary.BigEndian.Uint16(b[2:]))>>16))
	if !ok {
		s.unread.Add(1)
	}
	return plain, ok
}

// Key is a master key and salt of a suite, with its tag in a session description (RFC 4568 section 4).
type Key struct {
	Tag      string
	Suite    string
	Material []byte
}

// NewKey draws a key.
func NewKey(tag, suite string) Key {
	k := Key{Tag: tag, Suite: suite, Material: make([]byte, 16+SuiteSalt(suite))}
	rand.Read(k.Material)
	return k
}

// Line is the key as a description has it.
func (k Key) Line() string {
	return fmt.Sprintf("a=crypto:%s %s inline:%s", k.Tag, k.Suite, base64.StdEncoding.EncodeToString(k.Material))
}

// KeysOf are the keys of a description.
func KeysOf(description string) (keys []Key) {
	for line := range strings.Lines(description) {
		var k Key
		var inline string
		if n, _ := fmt.Sscanf(strings.TrimSpace(line), "a=crypto:%s %s %s", &k.Tag, &k.Suite, &inline); n != 3 {
			continue
		}
		material, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(inline, "inline:"))
		if err == nil {
			k.Material = material
			keys = append(keys, k)
		}
	}
	return keys
}

// DescribeSecure is the phone's description with RTP/SAVP and a key.
func (p *Phone) DescribeSecure(k Key, lines ...string) []byte {
	description := string(p.Describe(append([]string{k.Line()}, lines...)...))
	return []byte(strings.Replace(description, "RTP/AVP", "RTP/SAVP", 1))
}

// CallSecure is Call with a key of the phone's; what it sends and receives from then on is encrypted. The same key
// again begins its count of roll-overs anew.
func (p *Phone) CallSecure(s media.Stream, k Key, lines ...string) string {
	p.t.Helper()
	answer, err := s.Answer(p.DescribeSecure(k, lines...))
	require.NoError(p.t, err)
	theirs := KeysOf(string(answer))
	require.Len(p.t, theirs, 1, "an answer has one key (RFC 4568 section 7.1.2)")
	require.Equal(p.t, k.Tag, theirs[0].Tag)
	require.Equal(p.t, k.Suite, theirs[0].Suite)
	p.Secure(k, theirs[0])
	p.Aim(s)
	return string(answer)
}

// Secure has the phone encrypt with one key, and decrypt with another.
func (p *Phone) Secure(ours, theirs Key) {
	p.secure.out = direction{srtp: NewSRTP(ours.Suite, ours.Material)}
	p.secure.in.Store(&direction{srtp: NewSRTP(theirs.Suite, theirs.Material)})
}

// Unread is how many packets came that could not be decrypted.
func (p *Phone) Unread() int { return int(p.secure.unread.Load()) }
