package sip

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	sipmsg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// costs are messages made to cost as much as they can for their size.
func costs(k *talk) map[string]string {
	some := func(each string, n int) string { return strings.TrimSuffix(strings.Repeat(each, n), "\r\n") }
	const parts = 60 // beside those that every message has: the most for the fewest octets
	with := func(extra ...string) string { return k.message("OPTIONS", 1, newBranch(), "", extra...) }
	return map[string]string{
		"a usual INVITE":       k.message("INVITE", 1, newBranch(), sdpGood, sdpHeader),
		"header lines":         with(some("a:\r\n", parts)),
		"Via lines":            with(some("v:SIP/2.0/U h\r\n", parts)),
		"a list of Vias":       with("v: " + strings.TrimSuffix(strings.Repeat("SIP/2.0/U h,", parts), ",")),
		"a list of Contacts":   with("m: " + strings.TrimSuffix(strings.Repeat("a:b,", parts), ",")),
		"a list of no Contact": with("m: " + strings.Repeat(",", parts)),
		"parameters":           with("m: <a:b>" + strings.Repeat(";a", parts)),
		"other parameters":     with("m: <a:b>" + manyParams(parts)),
		"folds":                with("a:" + strings.Repeat("\r\n b", parts)),
		"one long header":      with("a: " + strings.Repeat("b", maxDatagram-1000)),
		"white space":          with("m: " + strings.Repeat(" \t", 7000) + "<a:b>" + strings.Repeat("\t", 1000) + ";a"),
		"a body":               k.message("OPTIONS", 1, newBranch(), strings.Repeat("b", maxDatagram-1000), "c: a/b"),
		"many lines":           with(some("a: "+strings.Repeat("b", 27)+"\r\n", 500)),
		"many Contacts":        with("m: " + strings.TrimSuffix(strings.Repeat("a:"+strings.Repeat("b", 29)+",", 490), ",")),
		"many parameters":      with("m: <a:b>" + manyParams(490) + ";x=" + strings.Repeat("x", 13000)),
		"names to be tidied":   with("m: <a:b>" + strings.Repeat(";Tag", 480) + ";x=" + strings.Repeat("x", 13000)),
		"parts of no use":      k.message("INVITE", 1, newBranch(), "--b\r\n"+emptyHeaders(3000)+"\r\n--b--\r\n", "c: multipart/mixed;boundary=b"),
		"many parts of no use": k.message("INVITE", 1, newBranch(), "--b\r\n"+emptyHeaders(1000)+"\r\n--b--\r\n"+strings.Repeat("x", 9000), "c: multipart/mixed;boundary=b"),
		"too many":             with(some("a:\r\n", 3000)),
	}
}

func emptyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x:\n", i)
	}
	return b.String()
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ";%x", i)
	}
	return b.String()
}

// A message costs no more memory than its size times a small factor and a small sum, however it is made: what is allocated from
// its arrival until its answer is made, without the transaction's own few kilobytes. Sipgo.md row 1: a
// Content-Length alone costs nothing.
func TestMemoryPerMessage(t *testing.T) { //nolint:paralleltest // others' allocations would be counted
	const most, sum = 16, 24 << 10
	u := &UA{}
	parser := newParser()
	p := newPeer(t, "udp", newRig(t, nil).udp())
	for name, text := range costs(p.dialog(testNumber)) {
		data := []byte(text)
		require.LessOrEqual(t, len(data), maxDatagram, name)
		var before, after runtime.MemStats
		const times = 200
		began := time.Now()
		runtime.ReadMemStats(&before)
		for range times {
			costOf(t, u, parser, data)
		}
		runtime.ReadMemStats(&after)
		cost := int(after.TotalAlloc-before.TotalAlloc) / times
		t.Logf("%-22s %6d octets: %6d allocated, factor %4.1f, %v", name, len(data), cost, float64(cost)/float64(len(data)), time.Since(began)/times)
		require.Less(t, cost, most*len(data)+sum, name)
	}
	liar := []byte(strings.Replace(p.dialog(testNumber).message("OPTIONS", 1, newBranch(), ""), "Length: 0", "Length: 2147483647", 1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Equal(t, fault{400, dropLength}, sketchBounded(liar).fault)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<10))
}

// costOf does with a message what is done with each, but for its transaction.
func costOf(t *testing.T, u *UA, parser *sipmsg.Parser, data []byte) {
	t.Helper()
	if sketchBounded(data).fault != (fault{}) {
		return
	}
	msg, err := parser.ParseSIP(data)
	require.NoError(t, err)
	req, ok := msg.(*sipmsg.Request)
	require.True(t, ok)
	if describes(req.Method) {
		unwrap(req)
	}
	x := &exchange{ua: u, req: req}
	code, headers := check(x)
	require.NotEmpty(t, x.response(max(code, 200), nil, headers...).String())
}

// BenchmarkSketch shows what looking at a message first costs, beside parsing it.
func BenchmarkSketch(b *testing.B) {
	const invite = "INVITE sip:96777@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5071;rport;branch=z9hG4bK12345678\r\n" +
		"Max-Forwards: 70\r\nFrom: \"caller\" <sip:13900001234@127.0.0.1>;tag=12345678\r\nTo: <sip:96777@127.0.0.1>\r\n" +
		"Call-ID: 1234567890@127.0.0.1\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@127.0.0.1:5071>\r\n" +
		"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nUser-Agent: x\r\nContent-Type: application/sdp\r\nContent-Length: 0\r\n\r\n"
	data, parser := []byte(invite), newParser()
	for name, f := range map[string]func(){
		"sketch":          func() { sketchBounded(data) },
		"parse":           func() { _, _ = parser.ParseSIP(data) },
		"as sipgo parses": func() { _, _ = sipmsg.ParseMessage(data) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// Attack traffic does not make the log grow, and each message of it raises one counter by one.
func TestAttackTraffic(t *testing.T) {
	t.Parallel()
	core, lines := observer.New(zap.DebugLevel)
	r := newRig(t, func(o *Options) {
		o.Logger = zap.New(core)
		o.OnIncoming = busy
		o.limits = defaultLimits()
		o.limits.each, o.limits.eachBurst, o.limits.all, o.limits.allBurst = 1<<20, 1<<20, 1<<20, 1<<20
		strangersOnly(o)
	})
	p := newPeer(t, "udp", r.udp())
	kinds, began := 0, time.Now()
	const times = 100
	for name, msg := range torture(t) {
		kinds++
		before := r.accounted(t)
		for i := range times {
			// A transaction of its own for each: a repeated request raises nothing, as it should.
			own := strings.NewReplacer("branch=z9hG4bK", fmt.Sprintf("branch=z9hG4bK%d", i), "Call-ID: ", fmt.Sprintf("Call-ID: %d", i))
			_, err := p.conn.Write([]byte(own.Replace(string(msg))))
			require.NoError(t, err)
			if i%20 == 19 { // no more than the socket's buffer holds
				require.Eventually(t, func() bool { return r.accounted(t) == before+i+1 }, testWait, time.Millisecond, "%s: %d of %d", name, r.accounted(t)-before, i+1)
			}
		}
		require.Equal(t, before+times, r.accounted(t), name)
	}
	require.Greater(t, kinds*times, 4000)
	t.Logf("%d messages, %d lines", kinds*times, lines.Len())
	require.Less(t, lines.Len(), quotaBurst*quotaKinds/10*(1+int(time.Since(began)/quotaWindow)))
	require.Zero(t, r.panics.Load())
}

// accounted sums what was answered finally and what was dropped.
func (r *rig) accounted(t *testing.T) int {
	t.Helper()
	families, err := r.registry.Gather()
	require.NoError(t, err)
	sum := r.dropsOf(t)
	for _, f := range families {
		if f.GetName() != "hotline_sip_responses_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "code" && !strings.HasPrefix(l.GetValue(), "1") {
					sum += int(m.GetCounter().GetValue())
				}
			}
		}
	}
	return sum
}
