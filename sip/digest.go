package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// algorithmMD5 is the one every phone has; wireMD5 is how the wire spells it, and the others.
const (
	algorithmMD5 = "md5"
	wireMD5      = "MD5"
	wireSHA256   = "SHA-256"
	wireSHA512   = "SHA-512-256"
)

// The digest algorithms that can be offered, by their names in the configuration, and as the
// Algorithm parameter spells them (RFC 8760 section 2.3, RFC 7616 section 3.3).
var digestAlgorithms = map[string]string{
	algorithmMD5:  wireMD5,
	"sha-256":     wireSHA256,
	"sha-512-256": wireSHA512,
}

// defaultDigest is offered when nothing else is said.
var defaultDigest = []string{algorithmMD5}

// algorithmsOf spells the names of a configuration as the wire does. Errors: a name that is unknown.
func algorithmsOf(names []string) ([]string, error) {
	wire := make([]string, 0, len(names))
	for _, name := range names {
		algorithm, ok := digestAlgorithms[strings.ToLower(name)]
		if !ok {
			return nil, errAlgorithm(name)
		}
		if !slices.Contains(wire, algorithm) {
			wire = append(wire, algorithm)
		}
	}
	return wire, nil
}

func errAlgorithm(name string) error {
	return fmt.Errorf("digest algorithm %q is none of md5, sha-256, sha-512-256", name)
}

// qopAuth is the quality of protection offered and taken (RFC 7616 section 3.3).
const qopAuth = "auth"

// verdict is what credentials are worth.
type verdict int

// The verdicts. Stale credentials show the right password with a nonce that is not fresh: the phone
// may try again by itself with a new one (RFC 7616 section 3.3).
const (
	credentialsWrong verdict = iota
	credentialsStale
	credentialsGood
)

// maxCredentials bounds an Authorization header, in octets; a phone's has some 300.
const maxCredentials = 2048

// errMalformedCredentials: the header is digest but cannot be understood (SIP 400).
var errMalformedCredentials = errors.New("malformed digest credentials")

// parseCredentials reads an Authorization header. A nil result without an error means credentials
// of another scheme or realm, which do not concern us (RFC 3261 22.3).
func parseCredentials(header, realm string) (*digest.Credentials, error) {
	if !digest.IsDigest(header) {
		return nil, nil
	}
	if len(header) > maxCredentials {
		return nil, fmt.Errorf("%w: too long", errMalformedCredentials)
	}
	c, err := digest.ParseCredentials(header)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformedCredentials, err)
	}
	if c.Realm != realm {
		return nil, nil
	}
	if c.Username == "" || c.Nonce == "" || c.URI == "" || c.Response == "" {
		return nil, fmt.Errorf("%w: a mandatory parameter is missing", errMalformedCredentials)
	}
	return c, nil
}

// rightResponse reports whether the response proves the password behind ha1, for the algorithm and method
// given. It takes the same time whether it does or not. Only qop=auth is taken, since it alone was
// offered and RFC 3261 22.4 has the phone use what was offered.
func rightResponse(c *digest.Credentials, method, ha1 string) bool {
	want, err := digest.Digest(
		&digest.Challenge{Realm: c.Realm, Nonce: c.Nonce, Algorithm: c.Algorithm, QOP: []string{qopAuth}},
		digest.Options{
			Method: method, URI: c.URI, Count: c.Nc, Cnonce: c.Cnonce,
			Username: c.Username, A1: ha1,
		})
	if err != nil {
		return false
	}
	equal := subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(c.Response))) == 1
	return equal && c.QOP == qopAuth && c.Nc > 0 && c.Cnonce != ""
}

// aimedAt reports whether the uri of credentials means the request's own target, so that what was signed for one
// number does not reach another. Only the number is compared: a proxy on the way may rightly have put another
// host into the Request-URI (RFC 3261 section 22.4, point 6; RFC 7616 section 3.4.6).
func aimedAt(uri string, target *sipmsg.Uri) bool {
	if uri == target.String() {
		return true
	}
	var u sipmsg.Uri
	if err := sipmsg.ParseUri(uri, &u); err != nil {
		return false
	}
	return dialled(&u) == dialled(target)
}

// Nonces are stateless: when it was made, some chance, a MAC over both and the host that it was made for, and one over all
// that. Who answers from that host has heard our challenge there, so nobody claims its address. What must be remembered
// of a nonce is only which counts were used with it, and only once somebody proved a password with
// it; so an attacker without a password makes us remember nothing.
type nonces struct {
	secret [sha256.Size]byte
	// began is the zero of the nonces' clock, monotonic, so that setting the clock changes nothing.
	began time.Time
	life  time.Duration
}

// The parts of a nonce, in bytes.
const (
	nonceTime   = 8
	nonceChance = 8
	nonceMade   = nonceTime + nonceChance
	nonceProof  = 8
	nonceMACed  = nonceMade + nonceProof
	nonceMAC    = 16
	nonceBytes  = nonceMACed + nonceMAC
)

func newNonces(life time.Duration) *nonces {
	n := &nonces{began: time.Now(), life: life}
	randomBytes(n.secret[:])
	return n
}

// randomBytes fills b; since Go 1.24 crypto/rand does not fail but ends the process.
func randomBytes(b []byte) { _, _ = rand.Read(b) }

// fresh makes a nonce for a host.
func (n *nonces) fresh(host netip.Addr) string {
	var raw [nonceBytes]byte
	binary.BigEndian.PutUint64(raw[:nonceTime], uint64(time.Since(n.began)))
	randomBytes(raw[nonceTime:nonceMade])
	copy(raw[nonceMade:], n.proof(raw[:nonceMade], host))
	copy(raw[nonceMACed:], n.mac(raw[:nonceMACed]))
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func (n *nonces) mac(part []byte) []byte {
	h := hmac.New(sha256.New, n.secret[:])
	h.Write(part)
	return h.Sum(nil)[:nonceMAC]
}

// proof is a MAC of what a nonce begins with, and a host; mac is never asked for one of that length.
func (n *nonces) proof(part []byte, host netip.Addr) []byte {
	h := hostOf(host).As16()
	return n.mac(append(slices.Clip(part), h[:]...))[:nonceProof]
}

// read takes a nonce of ours apart; false: it is none.
func (n *nonces) read(nonce string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != nonceBytes || !hmac.Equal(raw[nonceMACed:], n.mac(raw[:nonceMACed])) {
		return nil, false
	}
	return raw, true
}

// heardBy tells whether a nonce was made for this host, and is not too old: whoever had the address once can say it again
// when it is somebody else's.
func (n *nonces) heardBy(nonce string, host netip.Addr) bool {
	_, young := n.made(nonce)
	return young && n.madeFor(nonce, host)
}

// madeFor tells whether a nonce was made for this host, however long ago.
func (n *nonces) madeFor(nonce string, host netip.Addr) bool {
	raw, ours := n.read(nonce)
	return ours && hmac.Equal(raw[nonceMade:nonceMACed], n.proof(raw[:nonceMade], host))
}

// made tells when a nonce of ours was made, counted from began. False: it is not ours, or too old.
func (n *nonces) made(nonce string) (time.Duration, bool) {
	raw, ours := n.read(nonce)
	if !ours {
		return 0, false
	}
	at := time.Duration(binary.BigEndian.Uint64(raw[:nonceTime]))
	return at, time.Since(n.began)-at < n.life
}
