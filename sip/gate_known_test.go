package sip

import (
	"strconv"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"hotline/call"
)

// TestKnownIsForgotten: of a request of a trunk's that changed nothing no transaction is kept, since others may send it in the
// trunk's name; when it comes again it is answered anew.
func TestKnownIsForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t, strangersOnly)
	p := r.from(t, 1)
	require.True(t, r.known(host(1)))
	for method, code := range map[string]int{"OPTIONS": 200, "REGISTER": 401, "PUBLISH": 405, "BYE": 481, "INFO": 481, "CANCEL": 481} {
		k := p.dialog("8001")
		tag := "t"
		if method == "OPTIONS" || method == "REGISTER" || method == "CANCEL" {
			tag = ""
		}
		k.toTag = tag
		msg := k.message(method, 1, newBranch(), "")
		answers := r.metrics.responses.WithLabelValues(methodLabel(sipmsg.RequestMethod(method)), strconv.Itoa(code))
		require.Eventually(t, func() bool { // the transaction ends a moment after its answer, and repeats that until then
			p.write(msg)
			p.status(method, code)
			return testutil.ToFloat64(answers) >= 3
		}, testWait, time.Millisecond, method)
	}
}

// TestKnownIsBounded: what comes in the name of a host that is known, and belongs to no call, has a bound; its calls have none.
func TestKnownIsBounded(t *testing.T) {
	t.Parallel()
	began := time.Now()
	r := newRig(t, func(o *Options) {
		strangersOnly(o)
		o.limits = defaultLimits()
		o.limits.known = rate{1, 5, 1, 12}
		o.OnIncoming = untilOver(make(chan call.Leg, 16))
	})
	p := r.from(t, 1)
	up := p.dialog(testNumber)
	up.answered()
	answered, flood := 0, p.dialog(testNumber)
	for range 40 { // of each kind
		flood.request("OPTIONS", "")
		flood.toTag = "x"
		flood.request("INFO", "")
		flood.toTag = ""
	}
	for answered+r.dropped(dropKnown) < 80 {
		if _, err := p.read(10 * time.Millisecond); err == nil {
			answered++
		}
		require.Less(t, time.Since(began), testWait)
	}
	require.GreaterOrEqual(t, answered, 5)
	require.LessOrEqual(t, answered, 5+secondsSince(began))
	before := r.dropped(dropKnown)
	for range 10 {
		up.request("OPTIONS", "")
		p.status("OPTIONS", 200)
		more := p.dialog(testNumber)
		more.answered()
		more.bye()
	}
	up.bye()
	require.Equal(t, before, r.dropped(dropKnown))
	r.from(t, 2).allAnswered(1) // others have their own
}
