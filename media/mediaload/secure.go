package mediaload

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// The way to encrypt that every phone has, and the dearest (RFC 4568 section 6.2.1), with the octets of its master key,
// its master salt and its authentication tag.
const (
	cryptoSuite   = "AES_CM_128_HMAC_SHA1_80"
	cryptoProfile = srtp.ProtectionProfileAes128CmHmacSha1_80
	cryptoKey     = 16
	cryptoSalt    = 14
	cryptoTag     = 10
)

// secure is what a phone encrypts and decrypts with (SRTP, RFC 3711). Not safe for concurrent use.
type secure struct {
	key      string // ours, as an a=crypto line has it
	out, in  *srtp.Context
	header   rtp.Header // of the packet at hand
	sealed   [rtpHeader + frameBytes + cryptoTag]byte
	unsealed [maxDatagram]byte
}

// newSecure makes a phone's own key.
func newSecure() (s *secure, err error) {
	material := make([]byte, cryptoKey+cryptoSalt)
	rand.Read(material) // never fails
	s = &secure{key: base64.StdEncoding.EncodeToString(material)}
	s.out, err = cryptoContext(material)
	return s, err
}

func cryptoContext(material []byte) (*srtp.Context, error) {
	c, err := srtp.CreateContext(material[:cryptoKey], material[cryptoKey:], cryptoProfile)
	if err != nil {
		return nil, fmt.Errorf("make a context of %s: %w", cryptoSuite, err)
	}
	return c, nil
}

// line is the a=crypto line of an offer (RFC 4568 section 9.1); empty without SRTP.
func (s *secure) line() string {
	if s == nil {
		return ""
	}
	return "a=crypto:1 " + cryptoSuite + " inline:" + s.key
}

// agree takes the far end's key from the a=crypto line of its answer. Error: errBadSDP.
func (s *secure) agree(line string) (err error) {
	_, inline, _ := strings.Cut(line, " inline:")
	inline, _, _ = strings.Cut(inline, " ")
	inline, _, _ = strings.Cut(inline, "|")
	material, err := base64.StdEncoding.DecodeString(inline)
	if err != nil || len(material) != cryptoKey+cryptoSalt || !strings.HasPrefix(line, "a=crypto:1 "+cryptoSuite) {
		return fmt.Errorf("%w: no key of %s", errBadSDP, cryptoSuite) // the line is a secret
	}
	s.in, err = cryptoContext(material)
	return err
}

// seal encrypts a packet of ours; what it returns is valid until the next. Without SRTP it is the packet itself.
func (s *secure) seal(packet []byte) ([]byte, error) {
	if s == nil {
		return packet, nil
	}
	return s.out.EncryptRTP(s.sealed[:0], packet, &s.header)
}

// unseal decrypts a packet of the far end's, likewise; nil when it is none.
func (s *secure) unseal(packet []byte) []byte {
	if s == nil {
		return packet
	}
	if s.in == nil {
		return nil // no key yet: it cannot be the far end's
	}
	plain, err := s.in.DecryptRTP(s.unsealed[:0], packet, &s.header)
	if err != nil {
		return nil
	}
	return plain
}
