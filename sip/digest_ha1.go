package sip

import (
	"crypto/md5" //nolint:gosec // RFC 7616 has it, and there are phones that have nothing else
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
)

// hashes are the functions of the algorithms, by the wire's names (RFC 7616 section 3.2; SHA-512-256 is
// SHA-512/256 of FIPS 180-4).
var hashes = map[string]func() hash.Hash{
	wireMD5:    md5.New,
	wireSHA256: sha256.New,
	wireSHA512: sha512.New512_256,
}

// HA1 is what an agent's password is to a digest algorithm (md5, sha-256 or sha-512-256): the hash of
// id:realm:password in lower-case hexadecimal (RFC 7616 section 3.4.2). Whoever has it can register as
// the agent in that realm, but does not know the password. Errors: an algorithm that is unknown; an id with a
// colon, which could be taken for another id's.
func HA1(algorithm, id, realm, password string) (string, error) {
	wire, ok := digestAlgorithms[strings.ToLower(algorithm)]
	if !ok {
		return "", errAlgorithm(algorithm)
	}
	if strings.Contains(id, ":") {
		return "", errors.New("a colon in the id")
	}
	h := hashes[wire]()
	h.Write([]byte(id + ":" + realm + ":" + password)) // hash.Hash never fails
	return hex.EncodeToString(h.Sum(nil)), nil
}
