package media

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pion/srtp/v3"
)

// suite is a way to encrypt and authenticate RTP (RFC 4568 section 6.2, RFC 7714 section 14).
type suite struct {
	name      string
	profile   srtp.ProtectionProfile
	key, salt int // octets of the master key and the master salt
	tag       int // octets of the authentication tag
}

// The most octets of key and salt, and of a tag, that a suite has.
const (
	maxMaterial = 30
	maxAuthTag  = 16
)

// suites are those we have, in the order we offer them: the second costs several times the processor time of the
// first, and is the one that everybody has (RFC 4568 section 6.2.1).
var suites = []suite{
	{name: "AEAD_AES_128_GCM", profile: srtp.ProtectionProfileAeadAes128Gcm, key: 16, salt: 12, tag: 16},
	{name: "AES_CM_128_HMAC_SHA1_80", profile: srtp.ProtectionProfileAes128CmHmacSha1_80, key: 16, salt: 14, tag: 10},
}

// masterKey is what one side encrypts with. It never changes once made, and may be compared. It is always held by
// pointer, so that nothing which prints its holder prints it.
type masterKey struct {
	suite    *suite
	material [maxMaterial]byte // key, then salt
}

func newMasterKey(s *suite) *masterKey {
	k := &masterKey{suite: s}
	rand.Read(k.material[:s.key+s.salt]) // never fails
	return k
}

// Format implements fmt.Formatter: a key is a secret.
func (k *masterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.suite.name+" (hidden)") }

// cryptoLine is an a=crypto line that we can use (RFC 4568 section 9.1).
type cryptoLine struct {
	tag int
	key *masterKey
}

// maxTag is the greatest tag: it has nine digits at most (RFC 4568 section 9.1).
const maxTag = 999_999_999

// parseCrypto reads the value of an a=crypto line; false when we cannot use it, so that another may be chosen (RFC
// 4568 section 7.1.2). Such are: a suite that we have not got; several keys, or one with a master key identifier,
// which would be in every packet; a lifetime that is none; and a session parameter that changes what is
// on the wire, or that is not known and does not say that this matters nothing (section 6.3.7). A lifetime is the far
// end's to keep, whose key it is.
func parseCrypto(value string) (line cryptoLine, ok bool) {
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return line, false
	}
	tag, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil || tag > maxTag {
		return line, false
	}
	for _, parameter := range fields[3:] {
		if !harmless(parameter) {
			return line, false
		}
	}
	for i := range suites {
		if strings.EqualFold(suites[i].name, fields[1]) {
			key, ok := parseInline(&suites[i], fields[2])
			return cryptoLine{tag: int(tag), key: key}, ok
		}
	}
	return line, false
}

// harmless reports whether a session parameter leaves everything as it is (RFC 4568 section 6.3): the hint of a
// replay window's size, and extensions that need not be known.
func harmless(parameter string) bool {
	return strings.HasPrefix(parameter, "WSH=") || strings.HasPrefix(parameter, "-")
}

// parseInline reads a key parameter, "inline:" key and salt in base64 ["|" lifetime].
func parseInline(s *suite, text string) (*masterKey, bool) {
	const method = "inline:"
	if len(text) < len(method) || !strings.EqualFold(text[:len(method)], method) {
		return nil, false
	}
	encoded, lifetime, has := strings.Cut(text[len(method):], "|")
	if has && !validLifetime(lifetime) {
		return nil, false
	}
	material, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(material) != s.key+s.salt {
		return nil, false
	}
	k := &masterKey{suite: s}
	copy(k.material[:], material)
	return k, true
}

// validLifetime reports whether a text is a number of packets, "2^" number or number, up to 2^48, the most that one
// key may protect (RFC 4568 section 9.2, RFC 3711 section 9.2). What else may stand there, master key identifier or
// another key, is none.
func validLifetime(text string) bool {
	const most = 48
	if power, ok := strings.CutPrefix(text, "2^"); ok {
		n, err := strconv.ParseUint(power, 10, 8)
		return err == nil && n <= most
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return err == nil && n > 0 && n <= 1<<most
}

// append writes the line, without its end. Lifetime is left to its default, the most.
func (l cryptoLine) append(b []byte) []byte {
	s := l.key.suite
	b = strconv.AppendInt(append(b, "a=crypto:"...), int64(l.tag), 10)
	b = append(append(append(b, ' '), s.name...), " inline:"...)
	return base64.StdEncoding.AppendEncode(b, l.key.material[:s.key+s.salt])
}
