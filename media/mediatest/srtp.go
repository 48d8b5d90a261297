package mediatest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // it is what RFC 3711 has
	"encoding/binary"
	"slices"
)

// The suites that SRTP has here (RFC 4568 section 6.2, RFC 7714 section 14).
const (
	SuiteCM  = "AES_CM_128_HMAC_SHA1_80"
	SuiteGCM = "AEAD_AES_128_GCM"
)

// SuiteSalt is how many octets the master salt of a suite has; its key has 16.
func SuiteSalt(suite string) int {
	if suite == SuiteGCM {
		return 12
	}
	return 14
}

// Labels of the keys that are derived (RFC 3711 section 4.3.2); those of RTCP are labelRTCP higher.
const (
	labelKey  = 0
	labelAuth = 1
	labelSalt = 2
	labelRTCP = 3
)

// DeriveKey is the key derivation of RFC 3711 section 4.3.1 with a rate of zero: n octets for a label.
func DeriveKey(key, salt []byte, label byte, n int) []byte {
	var x [16]byte
	copy(x[:14], salt)
	x[7] ^= label
	return keystream(key, x, n)
}

// keystream is that of AES in counter mode (RFC 3711 section 4.1.1).
func keystream(key []byte, iv [16]byte, n int) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, n)
	cipher.NewCTR(block, iv[:]).XORKeyStream(out, out)
	return out
}

// SRTP encrypts or decrypts one direction under one master key (RFC 3711, RFC 7714). It is written anew, by the letter
// and for no speed, so that what package media does can be held against it. It remembers nothing: the roll-over
// counter and the index of reports are the caller's.
type SRTP struct {
	suite string
	// The session keys of RTP, and of RTCP.
	keys, auths, salts [2][]byte
}

// NewSRTP makes one of a suite and its master key and salt, one behind the other.
func NewSRTP(suite string, material []byte) *SRTP {
	s := &SRTP{suite: suite}
	for i := range 2 {
		label := func(l byte) byte { return l + byte(i)*labelRTCP }
		s.keys[i] = DeriveKey(material[:16], material[16:], label(labelKey), 16)
		s.auths[i] = DeriveKey(material[:16], material[16:], label(labelAuth), sha1.Size)
		s.salts[i] = DeriveKey(material[:16], material[16:], label(labelSalt), SuiteSalt(suite))
	}
	return s
}

// Seal encrypts an RTP packet that has neither contributing sources nor extensions.
func (s *SRTP) Seal(packet []byte, roc uint32) []byte {
	head, ssrc, index := packet[:12], packet[8:12], uint64(roc)<<16|uint64(binary.BigEndian.Uint16(packet[2:]))
	if s.suite == SuiteGCM {
		return SealGCM(s.keys[0], s.salts[0], head, packet[12:], head, ssrc, index)
	}
	sealed := s.counter(0, head, packet[12:], ssrc, index)
	return append(sealed, s.tag(0, binary.BigEndian.AppendUint32(slices.Clip(sealed), roc))...)
}

// Open decrypts what Seal has made; false when it is anything else.
func (s *SRTP) Open(packet []byte, roc uint32) ([]byte, bool) {
	if len(packet) < 12+s.tagLength() {
		return nil, false
	}
	head, ssrc, index := packet[:12], packet[8:12], uint64(roc)<<16|uint64(binary.BigEndian.Uint16(packet[2:]))
	if s.suite == SuiteGCM {
		return openGCM(s.keys[0], s.salts[0], head, packet[12:], head, ssrc, index)
	}
	body := packet[:len(packet)-10]
	if !hmac.Equal(packet[len(body):], s.tag(0, binary.BigEndian.AppendUint32(slices.Clip(body), roc))) {
		return nil, false
	}
	return s.counter(0, head, body[12:], ssrc, index), true
}

// SealReport encrypts an RTCP packet (RFC 3711 section 3.4).
func (s *SRTP) SealReport(packet []byte, index uint32) []byte {
	head, ssrc := packet[:8], packet[4:8]
	word := binary.BigEndian.AppendUint32(nil, index|1<<31)
	if s.suite == SuiteGCM {
		aad := append(head[:8:8], word...)
		return append(SealGCM(s.keys[1], s.salts[1], head, packet[8:], aad, ssrc, uint64(index)), word...)
	}
	sealed := append(s.counter(1, head, packet[8:], ssrc, uint64(index)), word...)
	return append(sealed, s.tag(1, sealed)...)
}

// OpenReport decrypts what SealReport has made, and returns its index; false when it is anything else.
func (s *SRTP) OpenReport(packet []byte) (plain []byte, index uint32, ok bool) {
	tag := 10
	if s.suite == SuiteGCM {
		tag = 0 // it stands before the index
	}
	if len(packet) < 8+4+s.tagLength() {
		return nil, 0, false
	}
	head, ssrc := packet[:8], packet[4:8]
	body, word := packet[:len(packet)-tag-4], packet[len(packet)-tag-4:len(packet)-tag]
	index = binary.BigEndian.Uint32(word) &^ (1 << 31)
	if s.suite == SuiteGCM {
		aad := append(head[:8:8], word...)
		plain, ok = openGCM(s.keys[1], s.salts[1], head, body[8:], aad, ssrc, uint64(index))
		return plain, index, ok
	}
	if !hmac.Equal(packet[len(packet)-tag:], s.tag(1, packet[:len(packet)-tag])) {
		return nil, 0, false
	}
	return s.counter(1, head, body[8:], ssrc, uint64(index)), index, true
}

// counter is head and, behind it, body with the keystream of its index (RFC 3711 section 4.1.1).
func (s *SRTP) counter(of int, head, body, ssrc []byte, index uint64) []byte {
	var iv, i [16]byte
	copy(iv[:14], s.salts[of])
	copy(i[4:8], ssrc)
	binary.BigEndian.PutUint16(i[8:], uint16(index>>32))
	binary.BigEndian.PutUint32(i[10:], uint32(index))
	for n := range iv {
		iv[n] ^= i[n]
	}
	out := append([]byte(nil), head...)
	for n, k := range keystream(s.keys[of], iv, len(body)) {
		out = append(out, body[n]^k)
	}
	return out
}

// tagLength is how many octets authenticate a packet.
func (s *SRTP) tagLength() int {
	if s.suite == SuiteGCM {
		return 16
	}
	return 10
}

// tag is HMAC-SHA1, cut to 80 bits (RFC 3711 section 4.2.1).
func (s *SRTP) tag(of int, b []byte) []byte {
	h := hmac.New(sha1.New, s.auths[of])
	h.Write(b)
	return h.Sum(nil)[:10]
}

// SealGCM is head and, behind it, body encrypted (RFC 7714 sections 8.2, 9.2) under a session key and salt.
func SealGCM(key, salt, head, body, aad, ssrc []byte, index uint64) []byte {
	return gcm(key).Seal(append([]byte(nil), head...), gcmIV(salt, ssrc, index), body, aad)
}

func openGCM(key, salt, head, body, aad, ssrc []byte, index uint64) ([]byte, bool) {
	out, err := gcm(key).Open(append([]byte(nil), head...), gcmIV(salt, ssrc, index), body, aad)
	return out, err == nil
}

// gcmIV is two octets of zero, the SSRC, and the index in six, with the salt (RFC 7714 sections 8.1, 9.1).
func gcmIV(salt, ssrc []byte, index uint64) []byte {
	iv := binary.BigEndian.AppendUint16(append([]byte{0, 0}, ssrc...), uint16(index>>32))
	iv = binary.BigEndian.AppendUint32(iv, uint32(index))
	for n := range iv {
		iv[n] ^= salt[n]
	}
	return iv
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}
