package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"hotline/call"
	"hotline/config"
	"hotline/media"
	"hotline/sip"
)

// benchServeCmd is the process that benchSIPCmd loads; see server.
type benchServeCmd struct {
	Kind  string `arg:""`
	Cores int    `help:"Cores to run on; 0 for all."`
}

// benchNumber leads to the menu of the reference hotline; benchFrom calls it.
const (
	benchNumber = "96777"
	benchFrom   = "13800138000"
)

// benchPorts are enough for what a flood has open at once, with none at rest.
var benchPorts = media.PortRange{Lo: 20000, Hi: 31999}

// benchTrying is the default of sip.trying_after.
const benchTrying = 50 * time.Millisecond

// Run implements the command.
func (b *benchServeCmd) Run(con *console) error {
	serve := map[string]func(*console) error{
		serverBare: benchBare, serverUA: benchUA, serverWhole: benchWhole,
		serverUALadder: benchUALadder, serverWholeNoLadder: benchWholeNoLadder, overloadServer: benchWholeLimits,
	}[b.Kind]
	if serve == nil {
		return fmt.Errorf("bench serve: no such server: %q", b.Kind)
	}
	if b.Cores > 0 {
		runtime.GOMAXPROCS(b.Cores)
	}
	return serve(con)
}

// answerQuestions tells where the server listens, and its CPU time whenever it is asked, until nobody is there to ask.
func answerQuestions(con *console, addr netip.AddrPort) error {
	return answerWith(con, addr, func() map[string]int { return nil })
}

// answerWith is answerQuestions for a server that counts its calls.
func answerWith(con *console, addr netip.AddrPort, calls func() map[string]int) error {
	out := json.NewEncoder(con.out)
	if err := out.Encode(serverSays{Addr: addr}); err != nil {
		return fmt.Errorf("say where the server is: %w", err)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		used, err := cpuTime()
		if err != nil {
			return err
		}
		if err := out.Encode(serverSays{Addr: addr, CPU: used, Calls: calls()}); err != nil {
			return fmt.Errorf("say how much CPU was used: %w", err)
		}
	}
	return in.Err()
}

func benchBare(con *console) (err error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		return fmt.Errorf("open a socket: %w", err)
	}
	answer := []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40002 RTP/AVP 8 101\r\n" +
		"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sip.ServeBare(ctx, conn, answer) }()
	err = answerQuestions(con, conn.LocalAddr().(*net.UDPAddr).AddrPort()) //nolint:forcetypeassert // as net says
	cancel()
	return errors.Join(err, <-ended)
}

// benchUA serves calls that are answered at once, and last until the caller hangs up. It keeps no SIP ladder.
func benchUA(con *console) error { return serveUA(con, nil) }

// benchUALadder keeps the ladder too, and throws it away when it is whole.
func benchUALadder(con *console) error { return serveUA(con, func(string, []call.SIPMessage) {}) }

func serveUA(con *console, trace func(callID string, messages []call.SIPMessage)) (err error) {
	collectSeldom()
	engine, err := media.New(media.Options{Address: loopback, Ports: benchPorts})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	var calls atomic.Int64
	ua, err := sip.New(sip.Options{
		Listen: []sip.Listener{{Network: "udp", Address: netip.AddrPortFrom(loopback, 0)}},
		Engine: engine, TryingAfter: benchTrying, Trace: trace,
		Trunks: []sip.TrunkOptions{{
			Name: "bench", Allow: []netip.Prefix{netip.PrefixFrom(loopback, loopback.BitLen())},
			Numbers: map[string]call.Next{benchNumber: {Kind: call.Route}},
		}},
		OnIncoming: func(_ context.Context, in call.Incoming) {
			in.Leg.Attach(func(call.Command) bool { return false })
			in.Leg.Belongs(strconv.FormatInt(calls.Add(1), 10)) // else no ladder is kept of it
			if in.Leg.Ring() == nil {
				_, _ = in.Leg.Answer() // the leg's end tells
			}
			<-in.Leg.Context().Done()
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ua.Run(ctx) }()
	err = answerQuestions(con, ua.Addrs()[0])
	cancel()
	return errors.Join(err, <-ended)
}

// benchWhole serves the reference hotline with its data in a folder of its own.
func benchWhole(con *console) error { return serveWhole(con, func(*config.Config) {}) }

// benchWholeNoLadder does so with sip.trace_keep at 0s.
func benchWholeNoLadder(con *console) error {
	return serveWhole(con, func(cfg *config.Config) { cfg.SIP.TraceKeep = 0 })
}

func serveWhole(con *console, change func(*config.Config)) (err error) {
	collectSeldom()
	folder, err := os.MkdirTemp("", "hotline-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	cfg, err := demoConfig(filepath.Clean(folder))
	if err != nil {
		return err
	}
	cfg.SIP.Overload = config.Overload{} // what it can take is what is asked
	cfg.Media.Ports, cfg.Media.Rest = config.PortRange{Low: benchPorts.Lo, High: benchPorts.Hi}, 0
	change(cfg)
	a, err := newApp(cfg, zap.NewNop())
	if err != nil {
		return err
	}
	return errors.Join(answerWith(con, a.ua.Addrs()[0], a.admissions), a.shutdown(con.signals, false))
}
