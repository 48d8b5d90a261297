package web

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// wrongWait is how long who sends a wrong token waits for his answer.
	wrongWait = time.Second
	// wrongEvery is how often the log tells at most that there were such.
	wrongEvery = 10 * time.Second
)

// What became of a request's token; a metric's label.
const (
	tokenRight   = "right"
	tokenWrong   = "wrong"
	tokenMissing = "missing"
	tokenRefused = "refused" // not looked at, since as many wait for the answer to a wrong one as may
)

// doubts slow those who guess tokens.
type doubts struct {
	wait    time.Duration // tests change it
	waiting *places
	told    atomic.Int64 // when the log told last; ns since 1970
	untold  atomic.Int64 // since then
}

// judged is what find says of a request's token; a wrong one's answer comes late. A stranger with whom as many wait as may
// is not told whether his is right, or he would guess as fast as he is refused; one who is near is, since somebody else at his
// address, a proxy's above all, must not keep him out.
func (s *Server) judged(r *http.Request, find func() (hashedToken, bool)) (hashedToken, error) {
	at := clientOf(r)
	free, room := s.doubts.waiting.take(at)
	if room {
		defer free()
	} else if !s.near(at) {
		s.metrics.token(tokenRefused)
		return hashedToken{}, tooMany()
	}
	bearer, ok := find()
	if ok {
		s.metrics.token(tokenRight)
		s.proved.note(at, s.o.Clock())
		return bearer, nil
	}
	s.metrics.token(tokenWrong)
	s.doubt(at)
	if !room {
		return bearer, tooMany()
	}
	late := time.NewTimer(s.doubts.wait)
	defer late.Stop()
	select {
	case <-late.C:
	case <-r.Context().Done():
	case <-s.closing:
	}
	return bearer, unauthorized("invalid_token", "no such token; http.tokens of the configuration has those there are")
}

// tooMany is a 429 (RFC 6585 section 4).
func tooMany() error {
	return &problem{
		Status: http.StatusTooManyRequests, Detail: "too many wrong tokens from here: try again later",
		header: http.Header{"Retry-After": {"1"}},
	}
}

// doubt has the log tell of a wrong token, and of which network it came from.
func (s *Server) doubt(at netip.Addr) {
	s.doubts.untold.Add(1)
	now, last := s.o.Clock().UnixNano(), s.doubts.told.Load()
	if now-last < int64(wrongEvery) || !s.doubts.told.CompareAndSwap(last, now) {
		return
	}
	s.o.Logger.Warn("wrong tokens for the API; if nobody here has mistyped one, somebody guesses", zap.Stringer("network", around(at)),
		zap.Int64("since the last line", s.doubts.untold.Swap(0)))
}

// around is the network that an address is in, of 24 bits or of 48: enough to find who it is, and nobody's address.
func around(a netip.Addr) netip.Prefix {
	const shown = 24
	bits := siteBits
	if a.Is4() {
		bits = shown
	}
	p, _ := a.WithZone("").Prefix(bits) // no address has none
	return p
}
