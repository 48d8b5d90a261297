package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest/observer"
)

// nextTry is when the first REGISTER that failed was said to be sent again, once that was said.
func nextTry(t *testing.T, logs *observer.ObservedLogs) time.Duration {
	t.Helper()
	failed := func() []observer.LoggedEntry { return logs.FilterMessageSnippet("trunk not registered").All() }
	require.Eventually(t, func() bool { return len(failed()) > 0 }, testWait, time.Millisecond)
	wait, ok := failed()[0].ContextMap()["next_try"].(time.Duration)
	require.True(t, ok)
	return wait
}

// A carrier that refuses the password is not asked again and again; what it says is told.
func TestTrunkRefused(t *testing.T) {
	t.Parallel()
	r, p, logs := registerRig(t, time.Minute, nil)
	for range 2 { // the challenge, and what is said to who has met it: RFC 3261 section 22 forbids a third
		p.respond(p.expect("REGISTER", "REGISTER"), 401, "Unauthorized", "r", "",
			`WWW-Authenticate: Digest realm="carrier", nonce="n", algorithm=MD5, qop="auth"`)
	}
	require.Equal(t, 401, r.registration(t, RegistrationRefused).Code)
	require.GreaterOrEqual(t, nextTry(t, logs), refusedBase/2)
	require.InDelta(t, 0, r.gauge(t, "hotline_trunk_registered"), 0)
	require.InDelta(t, 1, r.registers(RegistrationRefused), 0)
	p.silence(50*time.Millisecond, "REGISTER")
	require.Len(t, logs.FilterMessageSnippet("trunk not registered").All(), 1)
}

// A nonce that went stale as soon as it was used says nothing of the password.
func TestTrunkNonceStale(t *testing.T) {
	t.Parallel()
	r, p, _ := registerRig(t, time.Minute, nil)
	for _, flags := range []string{"", ", stale=true"} {
		p.respond(p.expect("REGISTER", "REGISTER"), 401, "Unauthorized", "r", "",
			`WWW-Authenticate: Digest realm="carrier", nonce="n", algorithm=MD5, qop="auth"`+flags)
	}
	req := p.expect("REGISTER", "REGISTER")
	proves(t, req, "md5")
	p.bind(req, 3600)
	r.registration(t, RegistrationUp)
}

// A carrier that accepts a REGISTER, and grants it no time, has refused it.
func TestTrunkGrantedNothing(t *testing.T) {
	t.Parallel()
	r, p, logs := registerRig(t, time.Minute, nil)
	p.bind(p.expect("REGISTER", "REGISTER"), 0)
	require.Equal(t, 200, r.registration(t, RegistrationRefused).Code)
	require.GreaterOrEqual(t, nextTry(t, logs), refusedBase/2)
	require.Len(t, logs.FilterMessageSnippet("trunk not registered").All(), 1)
}
