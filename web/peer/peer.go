// Package peer is how the nodes of one hotline ask each other over HTTP: who asks proves it by the secret that the nodes
// have in common, and what is asked can neither be changed on the way nor asked again by who saw it.
//
// A request carries one header, Hotline-Node, with an HMAC-SHA256 (RFC 2104) over its method, path and query, its body's
// SHA-256, who asks, for whom, and three things against replay:
//
//	challenge | 128 random bits of who is asked, anew at each start: what was meant for another node, or for an
//	          | earlier start, is refused with 401, which tells the right one
//	run       | 128 random bits of who asks, anew at each start
//	n         | counts the requests of a run; each counts once, and one that comes too late is refused
//
// Nobody's clock matters. The answer carries an HMAC too (Hotline-Node-Answer), over the request's and over what was
// answered, where it is short enough to be made before it is sent; [Peer.Ask] insists on it. Nothing is encrypted: the net
// between nodes is private, as it is for their SIP and audio.
package peer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The headers.
const (
	Header          = "Hotline-Node"
	answerHeader    = "Hotline-Node-Answer"
	challengeHeader = "Hotline-Node-Challenge"
)

// version of the header's form: another one is refused.
const version = "1"

// maxHeader bounds the header's value, in octets.
const maxHeader = 1 << 10

// Errors of [Peer.Check].
var (
	// ErrUnsigned: the request has no header of a node.
	ErrUnsigned = errors.New("not signed by a node")
	// ErrForged: the header is not one, or its MAC is not by this hotline's secret.
	ErrForged = errors.New("not signed with the secret of this hotline (node.secret, the same at all nodes)")
	// ErrReplayed: it was asked before, or is meant for another node or an earlier start of this one.
	ErrReplayed = errors.New("meant for another node or start, or asked before")
	// ErrBody: the body is not the one that was signed.
	ErrBody = errors.New("the body is not the one that was signed")
)

// For is for whom a node asks: the bearer of a token of its API. The zero value is the node itself.
type For struct {
	Name  string `json:"name,omitempty"`
	Role  string `json:"role,omitempty"`
	Agent string `json:"agent,omitempty"`
}

// From is who asked, proven.
type From struct {
	Node string // by its name
	For  For

	mac []byte
}

// Options of a Peer.
type Options struct {
	// Node is this node's name, up to 64 letters, digits, - and _.
	Node string
	// Secret is what the nodes have in common, at least 32 octets of it.
	Secret string
	// Dial bounds how long connecting to a node may take; 0 means 500 ms.
	Dial time.Duration
}

// Peer asks other nodes and checks what they ask. Make one with New; its methods may be called from any goroutine.
type Peer struct {
	node      string
	key       []byte
	run       string
	n         atomic.Uint64
	transport *http.Transport
	client    *http.Client

	mu         sync.Mutex
	challenge  string             // what others must sign for
	runs       map[string]*window // of who asked, since the challenge is so
	challenges map[string]string  // by address: what those must be signed for who are asked
}

// Bounds of what is remembered: a start of a node is one run, and few nodes are asked.
const (
	maxRuns       = 256
	maxChallenges = 256
)

// New makes a Peer. Close it.
func New(o Options) *Peer {
	if o.Dial <= 0 {
		o.Dial = 500 * time.Millisecond
	}
	mac := hmac.New(sha256.New, []byte(o.Secret))
	mac.Write([]byte("hotline: HTTP between nodes, 1")) // a key of its own: SIP's MACs are by the same secret
	p := &Peer{
		node: o.Node, key: mac.Sum(nil), run: random(), challenge: random(),
		runs: make(map[string]*window), challenges: make(map[string]string),
		transport: &http.Transport{
			// No proxy: nodes are near, and what they say is nobody else's.
			DialContext:         (&net.Dialer{Timeout: o.Dial}).DialContext,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 16 << 10, DisableCompression: true,
		},
	}
	p.client = &http.Client{
		Transport:     p.transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p
}

// Close closes connections that nobody uses.
func (p *Peer) Close() error {
	p.transport.CloseIdleConnections()
	return nil
}

// random is 128 bits as text. It cannot fail (crypto/rand).
func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Signed reports whether a request says that it is a node's; Check finds out.
func Signed(r *http.Request) bool { return r.Header.Get(Header) != "" }

// claim is what the header says.
type claim struct {
	from      string // the node that asks
	run       string
	n         uint64
	challenge string
	body      string // SHA-256, in hexadecimal
	by        string // For, as JSON; empty for the zero value
	mac       []byte
}

// text is the header's value.
func (c claim) text() string {
	return strings.Join([]string{
		version, c.from, c.run, strconv.FormatUint(c.n, 10), c.challenge, c.body,
		base64.RawURLEncoding.EncodeToString([]byte(c.by)), hex.EncodeToString(c.mac),
	}, ".")
}

// parse reads a header's value. It reports whether it is one; nothing in it is proven.
func parse(text string) (c claim, ok bool) {
	parts := strings.Split(text, ".")
	if len(text) > maxHeader || len(parts) != 8 || parts[0] != version {
		return c, false
	}
	c = claim{from: parts[1], run: parts[2], challenge: parts[4], body: parts[5]}
	var err, err2, err3 error
	var by []byte
	c.n, err = strconv.ParseUint(parts[3], 10, 64)
	by, err2 = base64.RawURLEncoding.DecodeString(parts[6])
	c.mac, err3 = hex.DecodeString(parts[7])
	c.by = string(by)
	return c, errors.Join(err, err2, err3) == nil && len(c.mac) == sha256.Size && len(c.run) == 32 && c.n > 0
}

// sum is the MAC of a claim about a request.
func (p *Peer) sum(c claim, method, uri string) []byte {
	return p.mac("request", method, uri, c.from, c.run, strconv.FormatUint(c.n, 10), c.challenge, c.body, c.by)
}

// mac is that of some texts, each with its length before it, so that none can be taken for another.
func (p *Peer) mac(texts ...string) []byte {
	h := hmac.New(sha256.New, p.key)
	for _, t := range texts {
		_, _ = fmt.Fprintf(h, "%d:%s", len(t), t) // a hash takes everything
	}
	return h.Sum(nil)
}

func sha(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Check proves who asks, from the header alone: the body's is left to [From] and CheckBody. Errors: ErrUnsigned,
// ErrForged, ErrReplayed; the answer to the last must have what Challenge puts into its header, and status 401.
func (p *Peer) Check(r *http.Request) (From, string, error) {
	values := r.Header[textproto.CanonicalMIMEHeaderKey(Header)]
	if len(values) == 0 {
		return From{}, "", ErrUnsigned
	}
	c, ok := parse(values[0])
	if len(values) > 1 || !ok || !hmac.Equal(c.mac, p.sum(c, r.Method, uriOf(r))) {
		return From{}, "", ErrForged
	}
	if !p.fresh(c) {
		return From{}, "", ErrReplayed
	}
	from := From{Node: c.from, mac: c.mac}
	if c.by != "" {
		if err := json.Unmarshal([]byte(c.by), &from.For); err != nil {
			return From{}, "", errors.Join(ErrForged, err)
		}
	}
	return from, c.body, nil
}

// CheckBody holds a body against what Check found signed. Errors: ErrBody.
func CheckBody(body []byte, signed string) error {
	if !hmac.Equal([]byte(sha(body)), []byte(signed)) {
		return ErrBody
	}
	return nil
}

// uriOf is the path and query as they were on the wire.
func uriOf(r *http.Request) string {
	if r.RequestURI != "" {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// fresh reports whether a proven claim is meant for this start of this node and counts for the first time; then it has
// counted.
func (p *Peer) fresh(c claim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.challenge != p.challenge {
		return false
	}
	w := p.runs[c.run]
	if w == nil {
		if len(p.runs) >= maxRuns { // nothing may be forgotten under this challenge
			p.challenge = random()
			clear(p.runs)
			return false
		}
		w = new(window)
		p.runs[c.run] = w
	}
	return w.take(c.n)
}

// Challenge tells who is refused by ErrReplayed what to sign for.
func (p *Peer) Challenge(h http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.Set(challengeHeader, p.challenge)
}

// Answer signs what is answered to a request, in the answer's header.
func (p *Peer) Answer(h http.Header, to From, status int, body []byte) {
	h.Set(answerHeader, hex.EncodeToString(p.mac("answer", string(to.mac), strconv.Itoa(status), sha(body))))
}

// windowBits is by how much requests of one run may overtake each other.
const windowBits = 1024

// window has the highest number that was taken, and which of the windowBits up to it (RFC 6479's way, by one ring).
type window struct {
	high uint64
	seen [windowBits / 64]uint64
}

// take reports whether n was not taken before, and takes it. What is below the window counts as taken.
func (w *window) take(n uint64) bool {
	switch {
	case n > w.high:
		for at := max(w.high+1, n-min(n, windowBits)+1); at <= n && at > 0; at++ { // what lies between was not taken
			w.seen[at/64%(windowBits/64)] &^= 1 << (at % 64)
		}
		w.high = n
	case w.high-n >= windowBits:
		return false
	}
	word, bit := &w.seen[n/64%(windowBits/64)], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
