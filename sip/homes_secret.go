package sip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// homesKey is the length, in octets, of the key under which the passwords of homes are marked.
const homesKey = sha256.Size

// markBits is how much of a password a mark tells.
const markBits = 12

// secret stands for what an account proves: a password, or what is in its place. It is as secret as that.
type secret [sha256.Size]byte

// secretOf is one of what it is made of, in that order.
func secretOf(parts ...string) (s secret) {
	h := sha256.New()
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part)) // so that nothing can stand across two
		h.Write(sum[:])
	}
	h.Sum(s[:0])
	return s
}

// secret is what an agent proves.
func (a *AgentOptions) secret() secret {
	parts := []string{a.Password}
	for _, name := range slices.Sorted(maps.Keys(a.HA1)) {
		parts = append(parts, strings.ToLower(name), strings.ToLower(a.HA1[name]))
	}
	return secretOf(parts...)
}

// mark is what is written down of a secret, so that it can be told after a restart whether it is another one now. Whoever reads
// it is not to find the password by trying: it is a MAC, under a key that lies elsewhere; and for whoever has both it is so
// short that one password in 4,096 fits. So it cannot say which of a list is the right one, nor anything of use of one that was
// drawn by lot. A slow hash would tell all of a weak password to whoever has the time, and keep a start waiting for each phone.
// The price: of 4,096 changes between two starts one is not noticed, and nobody can bring it about who does not have the key.
func (s secret) mark(key [homesKey]byte, account string) string {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(account)) // two accounts with one password are not to show it
	h.Write([]byte{0})
	h.Write(s[:])
	const perDigit = 4 // bits
	return hex.EncodeToString(h.Sum(nil))[:markBits/perDigit]
}
