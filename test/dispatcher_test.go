package test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// fleet is city for several nodes without shared state, where every agent takes alarms, and somebody who dials 96100
// waits for ever.
const fleet = `
trunks:
  - name: city
    allow: [127.0.0.0/8]
    numbers: {"96777": {menu: main}, "96119": {queue: gas-alarm}, "96110": {queue: repair}, "96100": {queue: nobody}}
agents:
  - {id: "8001", password: one, skills: {repair: 5, gas-alarm: 5}}
  - {id: "8002", password: two, skills: {repair: 5, gas-alarm: 5}}
  - {id: "8003", password: three, skills: {repair: 5, gas-alarm: 5}}
  - {id: "8004", password: four, skills: {repair: 5, gas-alarm: 5}}
  - {id: "8009", password: nine, skills: {nobody: 5}}
queues:
  repair:    {priority: 20, wrap_up: 0s, after_no_answer: 1s, after_reject: 1s, after_busy: 1s, unreachable: 1s}
  gas-alarm: {priority: 100, strategy: ring-all, wait_prompt: gas-safety, wrap_up: 0s}
  nobody:    {priority: 10}
menus:
  main: {prompt: welcome, wait: 2s, tries: 2, keys: {"1": {queue: repair}}, otherwise: {queue: repair}}
targets:
  ring: {on: 200ms, off: 300ms}
recorder: {enabled: false}
`

// balanced is two nodes behind the dispatcher of deploy, with a phone for each agent registered through it.
type balanced struct {
	t      *testing.T
	nodes  [2]*testkit.Hotline
	proxy  *testkit.Dispatcher
	phones map[string]*testkit.Baresip
	dialed int
}

func newBalanced(t *testing.T) *balanced {
	t.Helper()
	b := &balanced{t: t, phones: make(map[string]*testkit.Baresip)}
	for i := range b.nodes {
		b.nodes[i] = testkit.StartHotline(t, testkit.HotlineOptions{YAML: fleet, Race: true, Expires: "6s"})
	}
	b.proxy = testkit.StartDispatcher(t, b.nodes[0].SIP, b.nodes[1].SIP)
	for id, password := range passwords {
		transport := "udp"
		if id == "8001" || id == "8002" {
			transport = "tcp" // reached by the connection it has opened, and by no address of its own
		}
		b.phones[id] = testkit.StartBaresip(t, testkit.BaresipOptions{
			User: id, Password: password, Registrar: b.proxy.Addr, Register: true, Auto: true, Tone: agentTone,
			Transport: transport, Lasts: 6,
		})
	}
	return b
}

// home waits until an agent is ready at one of the nodes, and returns it.
func (b *balanced) home(id string, among ...*testkit.Hotline) (home *testkit.Hotline) {
	b.t.Helper()
	testkit.Within(b.t, testkit.Patience, id+" to be ready", func() bool {
		for _, h := range among {
			if slices.ContainsFunc(h.Agents(), func(a testkit.Agent) bool { return a.ID == id && a.State == "ready" }) {
				home = h
				return true
			}
		}
		return false
	})
	return home
}

// talk calls a number through the proxy, and waits until the caller talks with an agent at one of the nodes.
func (b *balanced) talk(number string, among ...*testkit.Hotline) (c *testkit.Baresip, at *testkit.Hotline, from string) {
	b.t.Helper()
	b.dialed++
	from = fmt.Sprintf("139%08d", b.dialed)
	c = caller(b.t, testkit.BaresipOptions{User: from})
	c.Dial("sip:" + number + "@" + b.proxy.Addr)
	testkit.Within(b.t, testkit.Patience, number+" to be answered by an agent", func() bool {
		for _, h := range among {
			if slices.ContainsFunc(h.Calls(), func(r testkit.Record) bool { return r.From == from && r.Joined != nil }) {
				at = h
				return true
			}
		}
		return false
	})
	return c, at, from
}

// call is talk that ends: the caller hangs up, and the record says so. It returns where that was.
func (b *balanced) call(number string, among ...*testkit.Hotline) *testkit.Hotline {
	b.t.Helper()
	c, at, from := b.talk(number, among...)
	b.over(c, at, from)
	return at
}

// over hangs a call up.
func (b *balanced) over(c *testkit.Baresip, at *testkit.Hotline, from string) {
	b.t.Helper()
	c.Hangup()
	r := at.AwaitCall("over", func(r testkit.Record) bool { return r.From == from && testkit.Finished(r) })
	require.Equal(b.t, "answered", r.Result)
	require.Equal(b.t, "caller", r.Release)
}

// waits has a caller wait at each node that takes calls, so that it does not end when it drains.
func (b *balanced) waits(h *testkit.Hotline) {
	b.t.Helper()
	caller(b.t, testkit.BaresipOptions{User: "13700000000"}).Dial(h.Number("96100"))
	h.AwaitWaiting("nobody", 1)
}

// refused is a call through the proxy that gets a status.
func (b *balanced) refused(number string, code int) {
	b.t.Helper()
	c := testkit.StartCaller(b.t, testkit.SippCaller{To: b.proxy.Addr, Number: number, From: "13600000000", Expect: code})
	require.Zero(b.t, c.Wait(), c.Messages())
	require.NotContains(b.t, c.Messages(), "Retry-After")
}

// TestBehindDispatcher: the proxy that deploy has, before two nodes that share nothing. Calls are spread over them;
// agents are at one, and found there over UDP and TCP; who drains gets no new calls and keeps those it has; who is
// killed is passed over within one call, and its agents are found at the other; alarms reach an agent throughout, also
// when no node takes any other call.
func TestBehindDispatcher(t *testing.T) {
	t.Parallel()
	b := newBalanced(t)
	first, second := b.nodes[0], b.nodes[1]
	at := make(map[*testkit.Hotline]int)
	for id := range b.phones {
		at[b.home(id, first, second)]++
	}
	require.Len(t, at, 2, "agents are at both nodes")

	t.Run("calls are spread", func(t *testing.T) {
		const calls = 10
		c := testkit.StartCaller(t, testkit.SippCaller{
			To: b.proxy.Addr, Number: "96777", From: "135000000[call_number]", Calls: calls,
			Every: 100 * time.Millisecond, HangUpAfter: 100 * time.Millisecond,
		})
		require.Zero(t, c.Wait(), c.Messages())
		for _, h := range b.nodes {
			h.AwaitCalls(calls/2, "its half", testkit.Finished)
		}
	})
	t.Run("agents call", func(t *testing.T) {
		for _, id := range []string{"8001", "8004"} { // over TCP, over UDP
			home := b.home(id, first, second)
			b.phones[id].Dial("sip:96777@" + b.proxy.Addr)
			home.AwaitCall("an agent's", func(r testkit.Record) bool { return r.Trunk == "agent:"+id && r.Answered != nil })
			b.phones[id].Hangup()
			home.AwaitCall("over", func(r testkit.Record) bool { return r.Trunk == "agent:"+id && testkit.Finished(r) })
		}
	})
	t.Run("strangers", b.strangers)
	live, old, from := b.talk("96110", first, second)
	other := first
	if old == first {
		other = second
	}
	t.Run("one drains", func(t *testing.T) {
		old.Signal(syscall.SIGTERM)
		b.proxy.Out(old.SIP)
		require.Same(t, other, b.call("96119", first, second))
		require.Same(t, other, b.call("96110", first, second))
		for id := range b.phones {
			if !b.talking(old, id) {
				b.home(id, other)
			}
		}
		live.SendDigit('1') // what is in goes on, both ways, through the proxy
		b.over(live, old, from)
		require.Zero(t, old.ExitCode())
		old.Start()
		b.proxy.In(old.SIP)
	})
	t.Run("one is killed", func(t *testing.T) {
		for id := range b.phones {
			b.home(id, first, second)
		}
		old.Kill()
		require.Same(t, other, b.call("96119", other))
		require.Same(t, other, b.call("96110", other))
		b.proxy.Out(old.SIP)
		for id := range b.phones {
			b.home(id, other)
		}
		old.Start()
		b.proxy.In(old.SIP)
	})
	t.Run("all drain", func(t *testing.T) {
		for _, h := range b.nodes {
			b.waits(h)
		}
		for id := range b.phones {
			b.home(id, first, second)
		}
		for _, h := range b.nodes {
			h.Signal(syscall.SIGTERM)
		}
		b.proxy.Out(old.SIP)
		b.proxy.Out(other.SIP)
		raw := testkit.DialRaw(t, b.proxy.Addr)
		require.Equal(t, 503, raw.Ask(raw.Request("OPTIONS", nil)).Status)
		// Not 503, which would be said of all calls, and of the next one as well (RFC 3261 section 16.7, step 6).
		b.refused("96110", 500)
		b.call("96119", first, second)
	})
}

// talking tells whether an agent is in a call at a node.
func (b *balanced) talking(h *testkit.Hotline, id string) bool {
	b.t.Helper()
	return slices.ContainsFunc(h.Agents(), func(a testkit.Agent) bool { return a.ID == id && a.State == "talking" })
}

// strangers call, and would have the proxy send something elsewhere for them: neither passes, to a node or anywhere.
func (b *balanced) strangers(t *testing.T) {
	proxy, err := net.ResolveUDPAddr("udp4", b.proxy.Addr)
	require.NoError(t, err)
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, proxy)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	ask := func(method, uri, to, route string) string {
		at := conn.LocalAddr().String()
		_, err := fmt.Fprintf(conn, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-%s-%d\r\nMax-Forwards: 70\r\n%s"+
			"From: <sip:13500000000@%s>;tag=a\r\nTo: %s\r\nCall-ID: stranger-%s\r\nCSeq: 1 %s\r\nContact: <sip:x@%s>\r\nContent-Length: 0\r\n\r\n",
			method, uri, at, method, len(to), route, at, to, method, method, at)
		require.NoError(t, err)
		buf := make([]byte, 4096)
		for {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(testkit.Patience)))
			n, err := conn.Read(buf)
			require.NoError(t, err)
			start, _, _ := strings.Cut(string(buf[:n]), "\r\n")
			if !strings.HasPrefix(start, "SIP/2.0 100 ") {
				return start
			}
		}
	}
	number := "sip:96110@" + b.proxy.Addr
	require.Equal(t, "SIP/2.0 403 Forbidden", ask("INVITE", number, "<"+number+">", ""))
	require.Equal(t, "SIP/2.0 403 Not A Node", ask("BYE", "sip:somebody@127.0.0.3:5060",
		"<sip:somebody@127.0.0.3>;tag=b", "Route: <sip:"+b.proxy.Addr+";lr>\r\n"))
	require.Contains(t, ask("OPTIONS", "sip:"+b.proxy.Addr, "<sip:"+b.proxy.Addr+">", ""), " 200 ")
}
