package peer

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// Errors of asking a node.
var (
	// ErrAnswer: what came is not the signed answer of a node of this hotline.
	ErrAnswer = errors.New("not the answer of a node of this hotline")
	// ErrRefused: the node answered with an error of its own.
	ErrRefused = errors.New("the node refused")
)

// maxAnswer bounds a signed answer, in octets: a thousand calls in progress.
const maxAnswer = 16 << 20

// Request is what a node is asked.
type Request struct {
	Method string
	URI    string      // path and query
	Header http.Header // besides; may be nil
	Body   []byte
	For    For
}

// Do asks the node at an address (HOST:PORT), until ctx is done, and returns what it answers, of whatever status, to be
// closed. It is signed anew, once, when the node says that it was signed for another start of it. The errors name no
// body and no secret.
func (p *Peer) Do(ctx context.Context, addr string, q Request) (*http.Response, error) {
	resp, _, err := p.do(ctx, addr, q)
	return resp, err
}

func (p *Peer) do(ctx context.Context, addr string, q Request) (*http.Response, claim, error) {
	for try := 0; ; try++ {
		c := claim{from: p.node, run: p.run, n: p.n.Add(1), challenge: p.challengeOf(addr), body: sha(q.Body)}
		r, err := http.NewRequestWithContext(ctx, q.Method, "http://"+addr+q.URI, bytes.NewReader(q.Body))
		if err != nil {
			return nil, c, fmt.Errorf("ask node at %s: %w", addr, err)
		}
		if q.For != (For{}) {
			by, err := json.Marshal(q.For)
			if err != nil {
				return nil, c, fmt.Errorf("ask node at %s: %w", addr, err)
			}
			c.by = string(by)
		}
		maps.Copy(r.Header, q.Header)
		c.mac = p.sum(c, q.Method, r.URL.RequestURI())
		r.Header.Set(Header, c.text())
		resp, err := p.client.Do(r)
		if err != nil {
			return nil, c, fmt.Errorf("ask node at %s: %w", addr, err)
		}
		told := resp.Header.Get(challengeHeader)
		if resp.StatusCode != http.StatusUnauthorized || len(told) != 32 || try > 0 {
			return resp, c, nil
		}
		p.keepChallenge(addr, told)
		if err := discard(resp); err != nil {
			return nil, c, fmt.Errorf("ask node at %s: %w", addr, err)
		}
	}
}

// Ask asks a node and reads its signed answer, a JSON value, into v. Errors: ErrAnswer when it is not signed,
// ErrRefused when the node answers with another status than 200; others when it did not answer.
func (p *Peer) Ask(ctx context.Context, addr string, q Request, v any) (err error) {
	resp, c, err := p.do(ctx, addr, q)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the answer of the node at %s: %w", addr, err)
	case len(body) > maxAnswer:
		return fmt.Errorf("ask node at %s: an answer of more than %d octets: %w", addr, maxAnswer, ErrAnswer)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("ask node at %s for %s: %w with status %d", addr, q.URI, ErrRefused, resp.StatusCode)
	}
	mac, err := hex.DecodeString(resp.Header.Get(answerHeader))
	if err != nil || !hmac.Equal(mac, p.mac("answer", string(c.mac), strconv.Itoa(resp.StatusCode), sha(body))) {
		return fmt.Errorf("ask node at %s: %w", addr, ErrAnswer)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("the answer of the node at %s: %w", addr, err)
	}
	return nil
}

// discard reads what is left of a short answer, so that its connection can be used again.
func discard(resp *http.Response) error {
	_, err := io.CopyN(io.Discard, resp.Body, 4<<10)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, resp.Body.Close())
}

func (p *Peer) challengeOf(addr string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.challenges[addr]
}

func (p *Peer) keepChallenge(addr, challenge string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.challenges) >= maxChallenges { // each is told again by who is asked
		clear(p.challenges)
	}
	p.challenges[addr] = challenge
}
