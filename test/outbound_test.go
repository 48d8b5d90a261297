package test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// tcpLine is a way by TCP from a phone to the hotline that can be cut.
type tcpLine struct {
	l   net.Listener
	end context.CancelFunc
}

// lay lays a line to an address, for the test.
func lay(t *testing.T, to string) *tcpLine {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	closed := make(chan struct{})
	t.Cleanup(func() { end(); _ = l.Close(); <-closed })
	go func() {
		defer close(closed)
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(ctx, "tcp", to)
			if err != nil {
				_ = in.Close()
				return
			}
			cut := context.AfterFunc(ctx, func() { _ = in.Close(); _ = out.Close() })
			go func() { _, _ = io.Copy(out, in); cut(); _ = out.Close(); _ = in.Close() }()
			go func() { _, _ = io.Copy(in, out); cut(); _ = out.Close(); _ = in.Close() }()
		}
	}()
	return &tcpLine{l: l, end: end}
}

// cut ends the connections of the line, and there is no other.
func (l *tcpLine) cut() { _ = l.l.Close(); l.end() }

// TestFlowsOfBaresip: a phone that registers over two flows (RFC 5626) is one phone. When the connection of the one is cut by
// which it is rung, the agent stays ready, and the next call comes by the other; nothing is registered anew for that.
func TestFlowsOfBaresip(t *testing.T) {
	t.Parallel()
	h := testkit.StartHotline(t, testkit.HotlineOptions{YAML: city, Race: true, Ping: "10m"})
	last := lay(t, h.SIP)
	phone := agent(t, h, "8002", testkit.BaresipOptions{
		Auto: true, Flows: []string{h.SIP + ";transport=udp", last.l.Addr().String() + ";transport=tcp"},
	})
	h.AwaitLog("agent's phone has another flow")
	last.cut()
	h.AwaitLog("a flow of the agent's phone lost")
	c := caller(t, testkit.BaresipOptions{})
	c.Dial(h.Number("96110"))
	phone.Await(testkit.CallEstablished)
	h.AwaitCall("joined", func(r testkit.Record) bool { return r.Joined != nil })
	c.Hangup()
	r := over(t, h)
	require.Equal(t, "answered", r.Result)
	require.Len(t, r.Offers, 1)
	require.NotContains(t, h.Log(), `"agent's phone lost"`)
	require.NotContains(t, h.Log(), "another phone took")
}
