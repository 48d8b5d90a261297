package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "0123456789abcdef0123456789abcdef"

func open(t *testing.T, name, secret string) *Peer {
	t.Helper()
	p := New(Options{Node: name, Secret: secret})
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// said is what a node answers: who asked, and what.
type said struct {
	From From
	Body string
	URI  string
}

// answer is a handler of a node: it answers what it was asked, signed.
func answer(t *testing.T, p *Peer) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, signed, err := p.Check(r)
		switch {
		case errors.Is(err, ErrReplayed):
			p.Challenge(w.Header())
			w.WriteHeader(http.StatusUnauthorized)
			return
		case err != nil:
			w.WriteHeader(http.StatusForbidden)
			return
		}
		asked, err := io.ReadAll(r.Body)
		if err != nil || CheckBody(asked, signed) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		body, err := json.Marshal(said{from, string(asked), r.RequestURI})
		if err != nil {
			t.Error(err)
		}
		p.Answer(w.Header(), from, http.StatusOK, body)
		if _, err := w.Write(body); err != nil {
			t.Error(err)
		}
	})
}

func serve(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestAsk: who asks is told, with what and for whom, over one path and another, as often as it is asked.
func TestAsk(t *testing.T) {
	a, b := open(t, "a", secret), open(t, "b", secret)
	addr := serve(t, answer(t, b))
	for i := range 3 {
		var got said
		q := Request{Method: http.MethodPost, URI: fmt.Sprintf("/x%%20y?n=%d", i), Body: []byte("hello"), For: For{Name: "ops", Role: "supervisor"}}
		require.NoError(t, a.Ask(t.Context(), addr, q, &got))
		require.Equal(t, said{From{Node: "a", For: q.For}, "hello", q.URI}, said{From{got.From.Node, got.From.For, nil}, got.Body, got.URI})
	}
	var got said
	require.NoError(t, a.Ask(t.Context(), addr, Request{Method: http.MethodGet, URI: "/"}, &got))
	require.Zero(t, got.From.For, "the node itself")
}

// TestRestarted: a node that was started again, at the same address, is asked as ever.
func TestRestarted(t *testing.T) {
	a := open(t, "a", secret)
	var now http.Handler
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.ServeHTTP(w, r) }))
	for range 3 {
		now = answer(t, open(t, "b", secret))
		require.NoError(t, a.Ask(t.Context(), addr, Request{Method: http.MethodGet, URI: "/"}, new(said)))
	}
}

// signed is a request of a to b as it is on the wire, with the challenge of b.
func signed(t *testing.T, a, b *Peer, method, uri, body string, by For) *http.Request {
	t.Helper()
	c := claim{from: a.node, run: a.run, n: a.n.Add(1), challenge: b.challenge, body: sha([]byte(body))}
	if by != (For{}) {
		text, err := json.Marshal(by)
		require.NoError(t, err)
		c.by = string(text)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, uri, strings.NewReader(body))
	c.mac = a.sum(c, method, uri)
	r.Header.Set(Header, c.text())
	return r
}

// TestForged: nothing of a request can be another than what was signed, and only with the hotline's secret.
func TestForged(t *testing.T) {
	a, b, c := open(t, "a", secret), open(t, "b", secret), open(t, "c", secret+"x")
	check := func(r *http.Request) error {
		_, sum, err := b.Check(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return CheckBody(body, sum)
	}
	whole := func() *http.Request {
		return signed(t, a, b, http.MethodPost, "/p?q=1", "body", For{Name: "desk", Role: "agent", Agent: "8001"})
	}
	require.NoError(t, check(whole()))

	method := whole()
	method.Method = http.MethodDelete
	require.ErrorIs(t, check(method), ErrForged)
	uri := whole()
	uri.RequestURI = "/p?q=2"
	require.ErrorIs(t, check(uri), ErrForged)
	body := whole()
	body.Body = io.NopCloser(strings.NewReader("other"))
	require.ErrorIs(t, check(body), ErrBody)
	twice := whole()
	twice.Header.Add(Header, twice.Header.Get(Header))
	require.ErrorIs(t, check(twice), ErrForged)
	require.ErrorIs(t, check(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)), ErrUnsigned)
	require.ErrorIs(t, check(signed(t, c, b, http.MethodPost, "/p?q=1", "body", For{})), ErrForged)

	// Each part of the header, by another's: none may be put together of two.
	one, other := whole(), signed(t, a, b, http.MethodPost, "/p?q=1", "another", For{Name: "ops", Role: "supervisor"})
	parts, others := strings.Split(one.Header.Get(Header), "."), strings.Split(other.Header.Get(Header), ".")
	require.Len(t, parts, 8)
	for i := range parts {
		if parts[i] == others[i] {
			continue
		}
		mixed := append(append(append([]string{}, parts[:i]...), others[i]), parts[i+1:]...)
		one.Header.Set(Header, strings.Join(mixed, "."))
		require.ErrorIs(t, check(one), ErrForged, "part %d", i)
	}
}

// TestReplayed: what was asked once does not count again, also not at another node or after a start.
func TestReplayed(t *testing.T) {
	a, b, c := open(t, "a", secret), open(t, "b", secret), open(t, "c", secret)
	r := signed(t, a, b, http.MethodGet, "/", "", For{})
	_, _, err := b.Check(r)
	require.NoError(t, err)
	for _, p := range []*Peer{b, c, open(t, "b", secret)} {
		_, _, err := p.Check(r)
		require.ErrorIs(t, err, ErrReplayed)
	}
}

// TestManyRuns: what is remembered is bounded, and nothing counts twice when it is forgotten.
func TestManyRuns(t *testing.T) {
	b := open(t, "b", secret)
	first := signed(t, New(Options{Node: "a", Secret: secret}), b, http.MethodGet, "/", "", For{})
	_, _, err := b.Check(first)
	require.NoError(t, err)
	refused := 0
	for range 3 * maxRuns {
		r := signed(t, New(Options{Node: "a", Secret: secret}), b, http.MethodGet, "/", "", For{})
		if _, _, err := b.Check(r); err != nil {
			require.ErrorIs(t, err, ErrReplayed)
			refused++
		}
		require.LessOrEqual(t, len(b.runs), maxRuns)
	}
	require.Equal(t, 2, refused, "each time that all was forgotten, once")
	_, _, err = b.Check(first)
	require.ErrorIs(t, err, ErrReplayed)
}

// TestWindow: whatever the order, a number counts once, and so does each that is not far behind.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		taken := map[uint64]bool{}
		high := uint64(0)
		base := rapid.SampledFrom([]uint64{1, 1000, 1 << 32, 1<<64 - 6000}).Draw(t, "base")
		for range rapid.IntRange(1, 300).Draw(t, "requests") {
			n := base + rapid.Uint64Range(0, 5000).Draw(t, "n")
			if rapid.Bool().Draw(t, "next") && high > 0 {
				n = high + 1
			}
			got := w.take(n)
			require.Equal(t, !taken[n] && (n > high || high-n < windowBits), got, n)
			taken[n], high = true, max(high, n)
		}
	})
}

// TestAnswerForged: an answer that is not the node's is none.
func TestAnswerForged(t *testing.T) {
	a, b, c := open(t, "a", secret), open(t, "b", secret), open(t, "c", secret+"x")
	for name, spoil := range map[string]func(w http.ResponseWriter, from From){
		"unsigned":       func(http.ResponseWriter, From) {},
		"another secret": func(w http.ResponseWriter, from From) { c.Answer(w.Header(), from, http.StatusOK, []byte("{}")) },
		"another body":   func(w http.ResponseWriter, from From) { b.Answer(w.Header(), from, http.StatusOK, []byte("[]")) },
		"another request": func(w http.ResponseWriter, from From) {
			b.Answer(w.Header(), From{mac: []byte("x")}, http.StatusOK, []byte("{}"))
		},
		"no hexadecimal": func(w http.ResponseWriter, _ From) { w.Header().Set(answerHeader, "zz") },
	} {
		addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			from, _, err := b.Check(r)
			if err != nil {
				b.Challenge(w.Header())
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			spoil(w, from)
			if _, err := w.Write([]byte("{}")); err != nil {
				t.Error(err)
			}
		}))
		require.ErrorIs(t, a.Ask(t.Context(), addr, Request{Method: http.MethodGet, URI: "/"}, new(said)), ErrAnswer, name)
	}
}

// TestNodeGone: who asks a node that is not there, does not answer, sends elsewhere or refuses is told so in time.
func TestNodeGone(t *testing.T) {
	a, b := open(t, "a", secret), open(t, "b", secret+"x")
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	require.Error(t, a.Ask(t.Context(), closed.Addr().String(), Request{Method: http.MethodGet, URI: "/"}, new(said)))

	over := make(chan struct{})
	silent := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, a.Ask(ctx, silent, Request{Method: http.MethodGet, URI: "/"}, new(said)), context.DeadlineExceeded)
	close(over)

	require.ErrorIs(t, a.Ask(t.Context(), serve(t, answer(t, b)), Request{Method: http.MethodGet, URI: "/"}, new(said)), ErrRefused)
	away := serve(t, http.RedirectHandler("http://192.0.2.1/", http.StatusFound))
	require.ErrorIs(t, a.Ask(t.Context(), away, Request{Method: http.MethodGet, URI: "/"}, new(said)), ErrRefused, "nobody is sent elsewhere")

	huge := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		part := bytes.Repeat([]byte(" "), 1<<20)
		for range maxAnswer>>20 + 1 {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}))
	require.ErrorIs(t, a.Ask(t.Context(), huge, Request{Method: http.MethodGet, URI: "/"}, new(said)), ErrAnswer)
}

// FuzzParse: whatever a header holds, it is refused or it is the one that its claim writes.
func FuzzParse(f *testing.F) {
	p := New(Options{Node: "a", Secret: secret})
	c := claim{from: "a", run: p.run, n: 7, challenge: p.challenge, body: sha(nil), by: `{"name":"ops"}`}
	c.mac = p.sum(c, http.MethodGet, "/")
	f.Add(c.text())
	f.Add("1.......")
	f.Add(strings.Repeat(".", 7))
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parse(text)
		if !ok {
			return
		}
		again, ok := parse(c.text())
		require.True(t, ok)
		require.Equal(t, c, again)
		require.NotEqual(t, p.sum(c, http.MethodPost, "/"), c.mac, "nobody guesses it")
	})
}
