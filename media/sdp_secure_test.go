package media

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// keyNames gives keys names in the order in which they appear, K1, K2…, so that a case file can say which are the same.
type keyNames struct {
	names map[string]string
	keys  map[string]string // the far end's, by name
}

var (
	inlineKey = regexp.MustCompile(`inline:([A-Za-z0-9+/=]+)`)
	namedKey  = regexp.MustCompile(`inline:(GCM|CM)([0-9])`)
)

func (k *keyNames) name(written string) string {
	return inlineKey.ReplaceAllStringFunc(written, func(found string) string {
		text := strings.TrimPrefix(found, "inline:")
		if k.names[text] == "" {
			k.names[text] = fmt.Sprintf("K%d", len(k.names)+1)
		}
		return "inline:" + k.names[text]
	})
}

// fill puts keys in place of the names of a case file: GCM1, CM2 are the far end's, K1 is one of ours that was named.
func (k *keyNames) fill(text string) string {
	for material, name := range k.names {
		text = strings.ReplaceAll(text, "inline:"+name+"\n", "inline:"+material+"\n")
	}
	return namedKey.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.TrimPrefix(found, "inline:")
		if k.keys[name] == "" {
			s := &suites[0]
			if strings.HasPrefix(name, "CM") {
				s = &suites[1]
			}
			line := string(cryptoLine{tag: 1, key: newMasterKey(s)}.append(nil))
			k.keys[name] = line[strings.Index(line, "inline:"):]
		}
		return k.keys[name]
	})
}

// sides is how an agreement is encrypted: under which key of ours and which of the far end's.
func (k *keyNames) sides(p *protection) string {
	if p == nil {
		return "plain\n"
	}
	named := func(key *masterKey) string {
		line := string(cryptoLine{tag: 1, key: key}.append(nil))
		material := line[strings.Index(line, "inline:"):]
		for name, theirs := range k.keys {
			if strings.TrimRight(theirs, "=") == strings.TrimRight(material, "=") {
				return name
			}
		}
		return strings.TrimPrefix(k.name(material), "inline:")
	}
	return fmt.Sprintf("%s tag %d ours %s theirs %s\n", p.out.key.suite.name, p.tag, named(p.out.key), named(p.in.key))
}

// Case files are scripts: each part is a step. "offer" and "accept" are what the far end says, "answer" and "we offer"
// what we say to it, or "error" why not; "agreed" is the protection that holds then.
func TestSecure(t *testing.T) {
	files, err := filepath.Glob("testdata/sdp_secure/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			n, keys := testNegotiator(), &keyNames{names: map[string]string{}, keys: map[string]string{}}
			var answer []byte
			var failed error
			for _, step := range archive.Files {
				text := string(step.Data)
				switch step.Name {
				case "security":
					n.security = Security(strings.TrimSpace(text))
				case "offer":
					answer, _, failed = n.answer(described(keys.fill(text)))
				case "answer":
					require.NoError(t, failed)
					require.Equal(t, text, keys.name(unversioned(t, answer)))
				case "we offer":
					require.Equal(t, text, keys.name(unversioned(t, n.offer())))
				case "we offer again":
					require.Equal(t, text, keys.name(unversioned(t, n.again())))
				case "accept":
					_, failed = n.accept(described(keys.fill(text)))
				case "agreed":
					require.NoError(t, failed)
					require.Equal(t, text, keys.sides(n.agreed.secure))
				case "error":
					requireFailure(t, strings.TrimSpace(text), failed)
				default:
					t.Fatalf("step %q is not known", step.Name)
				}
			}
		})
	}
}

// unversioned is a description's outline without its version.
func unversioned(t *testing.T, b []byte) string {
	t.Helper()
	_, rest, _ := strings.Cut(outline(t, b), "\n")
	return rest
}

// described completes a description of which a case file has the lines from the m-line on.
func described(lines string) []byte {
	return describe(strings.Split(strings.TrimSuffix(lines, "\n"), "\n")...)
}

func requireFailure(t *testing.T, want string, err error) {
	t.Helper()
	require.ErrorIs(t, err, ErrNotAcceptable)
	switch want {
	case "not secure":
		require.ErrorIs(t, err, ErrNotSecure)
	case "not acceptable":
		require.NotErrorIs(t, err, ErrNotSecure)
	default:
		t.Fatalf("error %q is not known", want)
	}
	require.NotContains(t, err.Error(), "inline")
}

// The same keys are the same contexts, and others are others: else numbers would begin anew under an old key, or go
// on under a new one (RFC 3711 section 9.1).
func TestContextsStay(t *testing.T) {
	n := testNegotiator()
	n.security = SecurityRequired
	line := func(k *masterKey) []byte {
		return describe("m=audio 4000 RTP/SAVP 8", string(cryptoLine{tag: 2, key: k}.append(nil)))
	}
	first, second := newMasterKey(&suites[1]), newMasterKey(&suites[1])

	n.offer()
	a, err := n.accept(line(first))
	require.NoError(t, err)
	was := *a.secure
	a, err = n.accept(line(first))
	require.NoError(t, err, "the 200 says again what the 183 said")
	require.Same(t, was.out, a.secure.out)
	require.Same(t, was.in, a.secure.in)
	a, err = n.accept(line(second))
	require.NoError(t, err, "another phone answers the same offer")
	require.Same(t, was.out, a.secure.out, "what was sent under our key is not forgotten")
	require.NotSame(t, was.in, a.secure.in)
	gcm := cryptoLine{tag: 1, key: newMasterKey(&suites[0])}
	a, err = n.accept(describe("m=audio 4000 RTP/SAVP 8", string(gcm.append(nil))))
	require.NoError(t, err, "and one with another suite")
	require.NotSame(t, was.out, a.secure.out)
	a, err = n.accept(line(first))
	require.NoError(t, err)
	require.Same(t, was.out, a.secure.out)

	_, a, err = n.answer(line(first))
	require.NoError(t, err)
	require.Same(t, was.out, a.secure.out, "a re-INVITE with the same key")
	was = *a.secure
	_, a, err = n.answer(describe("m=audio 0 RTP/SAVP 8"))
	require.NoError(t, err)
	require.False(t, a.send)
	_, a, err = n.answer(line(first))
	require.NoError(t, err)
	require.Equal(t, was, *a.secure, "audio that was switched off and on")
	_, a, err = n.answer(line(second))
	require.NoError(t, err)
	require.NotSame(t, was.out, a.secure.out)
	require.NotSame(t, was.in, a.secure.in)
}
