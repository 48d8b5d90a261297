package sip

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The HA1s of RFC 2617 3.5 and RFC 7616 3.9.1 are not printed there, but the responses made of them are:
// TestRightResponse. These are of openssl dgst.
const (
	ha1MD5    = "939e7578ed9e3c518a452acee763bce9" // Mufasa:testrealm@host.com:Circle Of Life
	ha1SHA256 = "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232"
)

func TestHA1(t *testing.T) {
	h, err := HA1("md5", "Mufasa", "testrealm@host.com", "Circle Of Life")
	require.NoError(t, err)
	require.Equal(t, ha1MD5, h)
	h, err = HA1("SHA-256", "Mufasa", "http-auth@example.org", "Circle of Life")
	require.NoError(t, err)
	require.Equal(t, ha1SHA256, h)
	h, err = HA1("sha-512-256", "a", "b", "c")
	require.NoError(t, err)
	require.Len(t, h, 64)
	_, err = HA1("sha-1", "a", "b", "c")
	require.ErrorContains(t, err, `"sha-1"`)
	_, err = HA1("md5", "a:b", "c", "d")
	require.Error(t, err, "a:b in c is a in b:c")
}

// TestHA1Registers: an agent with HA1s is offered their algorithms, the strongest first, and passes with the
// password that they were made of, by any of them.
func TestHA1Registers(t *testing.T) {
	made := map[string]string{}
	for _, algorithm := range []string{"md5", "sha-256", "sha-512-256"} {
		h, err := HA1(algorithm, "8001", "hotline", "one")
		require.NoError(t, err)
		made[algorithm] = strings.ToUpper(h)
	}
	o := registrarOptions{realm: "hotline", agents: []AgentOptions{{ID: "8001", HA1: made}}}
	require.NoError(t, o.check())
	r := newRegistrar(o)
	s := &scenario{t: t, r: r}
	src := sourceAt(t, "UDP", "192.0.2.7:5071")
	challenge := s.remember(r.handle(registerRequest(t, "8001", "X: y", 1), src))
	requireLike(t, "401\n"+
		`WWW-Authenticate: Digest realm="hotline", nonce="*", algorithm=SHA-512-256, qop="auth"`+"\n"+
		`WWW-Authenticate: Digest realm="hotline", nonce="*", algorithm=SHA-256, qop="auth"`+"\n"+
		`WWW-Authenticate: Digest realm="hotline", nonce="*", algorithm=MD5, qop="auth"`, challenge, "")
	for i, algorithm := range []string{"MD5", "SHA-256", "SHA-512-256"} {
		for password, want := range map[string]int{"one": 200, "two": 401, made[strings.ToLower(algorithm)]: 401} {
			line := "Authorization: " + s.credentials("REGISTER",
				[]string{"user=8001", "algorithm=" + algorithm, "password=" + password, "nc=" + string(rune('1'+i))})
			require.Equal(t, want, r.handle(registerRequest(t, "8001", line, 1), src).StatusCode, "%s %s", algorithm, password)
		}
	}
}

// TestHA1Check: what does not fit what is offered is told, and never itself.
func TestHA1Check(t *testing.T) {
	for want, a := range map[string]AgentOptions{
		"no password, or both": {ID: "1", Password: "secret", HA1: map[string]string{"md5": ha1MD5}},
		`"sha-1"`:              {ID: "1", HA1: map[string]string{"sha-1": ha1MD5}},
		"is not 32":            {ID: "1", HA1: map[string]string{"md5": ha1SHA256}},
		"is not 64":            {ID: "1", HA1: map[string]string{"sha-256": "secret"}},
		"no HA1 for MD5":       {ID: "1", HA1: map[string]string{"sha-256": ha1SHA256}, Digest: []string{"sha-256", "md5"}},
		"not offered":          {ID: "1", HA1: map[string]string{"sha-256": ha1SHA256, "md5": ha1MD5}, Digest: []string{"md5"}},
		"a colon":              {ID: "1:2", Password: "secret"},
	} {
		err := registrarOptions{realm: "hotline", agents: []AgentOptions{a}}.check()
		require.ErrorContains(t, err, want)
		for _, secret := range []string{ha1MD5, ha1SHA256, "secret"} {
			require.NotContains(t, err.Error(), secret)
		}
	}
}
