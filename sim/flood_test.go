package sim_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"hotline/sim"
)

// scriptedServer answers each datagram with what reply makes of it and of how often it has come.
func scriptedServer(t *testing.T, reply func(request string, copies int) []string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		copies := make(map[string]int)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			request := string(buf[:n])
			copies[request]++
			for _, r := range reply(request, copies[request]) {
				_, _ = conn.WriteToUDPAddrPort([]byte(r), from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// respond makes a response by copying what a response copies (RFC 3261 section 8.2.6.2).
func respond(request, status string) string {
	out := "SIP/2.0 " + status + "\r\n"
	for line := range strings.SplitSeq(request, "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Via", "From", "Call-ID", "CSeq":
			out += line + "\r\n"
		case "To":
			if !strings.Contains(line, "tag=") {
				line += ";tag=there"
			}
			out += line + "\r\n"
		}
	}
	return out + "Contact: <sip:there@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n"
}

// flood calls a server 20 times. t1 is short where nothing is answered, else such that a busy machine gives up nothing.
func flood(t *testing.T, server netip.AddrPort, t1 time.Duration) sim.FloodFigures {
	t.Helper()
	figures, err := sim.Flood(t.Context(), sim.FloodOptions{
		Server: server, Number: "96777", From: "13800138000", Rate: 200, For: 100 * time.Millisecond, T1: t1,
	})
	require.NoError(t, err)
	require.Equal(t, 20, figures.Offered)
	return figures
}

// patientT1 has an exchange given up after 6.4 s.
const patientT1 = 100 * time.Millisecond

func TestFlood(t *testing.T) {
	t.Run("every call goes well, and every repeated 200 has its ACK", func(t *testing.T) {
		acks := make(chan string, 100)
		figures := flood(t, scriptedServer(t, func(request string, _ int) []string {
			switch method, _, _ := strings.Cut(request, " "); method {
			case "INVITE":
				return []string{respond(request, "100 Trying"), respond(request, "200 OK"), respond(request, "200 OK")}
			case "BYE":
				return []string{respond(request, "200 OK")}
			default:
				acks <- request
				return nil
			}
		}), patientT1)
		require.Equal(t, 20, figures.Completed)
		require.Zero(t, figures.Failed())
		require.Len(t, figures.Setup, 20)
		require.GreaterOrEqual(t, figures.Quantile(0.99), figures.Quantile(0.5))
		require.GreaterOrEqual(t, len(acks), 20)
		require.Contains(t, <-acks, "ACK sip:there@127.0.0.1:9 SIP/2.0", "to the contact")
	})
	t.Run("what is lost is sent again", func(t *testing.T) {
		figures := flood(t, scriptedServer(t, func(request string, copies int) []string {
			if copies == 1 || strings.HasPrefix(request, "ACK") {
				return nil
			}
			return []string{respond(request, "200 OK")}
		}), patientT1)
		require.Equal(t, 20, figures.Completed)
		require.GreaterOrEqual(t, figures.Resent, 40, "each INVITE and each BYE once")
	})
	t.Run("a refusal is acknowledged, and counted", func(t *testing.T) {
		acks := make(chan string, 100)
		figures := flood(t, scriptedServer(t, func(request string, _ int) []string {
			if strings.HasPrefix(request, "ACK") {
				acks <- request
				return nil
			}
			return []string{respond(request, "486 Busy Here")}
		}), patientT1)
		require.Equal(t, 20, figures.Refused)
		require.Contains(t, <-acks, "tag=there")
	})
	t.Run("nobody is there", func(t *testing.T) {
		figures := flood(t, scriptedServer(t, func(string, int) []string { return nil }), 10*time.Millisecond)
		require.Equal(t, 20, figures.Silent)
		require.Empty(t, figures.Setup)
		require.Zero(t, figures.Quantile(0.5))
	})
	t.Run("it stops when it is told to", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := sim.Flood(ctx, sim.FloodOptions{
			Server: scriptedServer(t, func(string, int) []string { return nil }), Rate: 1, For: time.Hour,
		})
		require.NoError(t, err)
	})
	t.Run("options", func(t *testing.T) {
		_, err := sim.Flood(t.Context(), sim.FloodOptions{})
		require.ErrorIs(t, err, sim.ErrBadOptions)
	})
}

// Numbers are dialled in turn and counted by what each met; who is answered hangs up after a while, and not before.
func TestFloodHolds(t *testing.T) {
	t.Parallel()
	const hold = 300 * time.Millisecond
	var mu sync.Mutex
	answered := map[string]time.Time{}
	var shortest time.Duration
	server := scriptedServer(t, func(request string, _ int) []string {
		mu.Lock()
		defer mu.Unlock()
		id := callID.FindString(request)
		switch {
		case strings.HasPrefix(request, "INVITE sip:1@"):
			answered[id] = time.Now()
			return []string{respond(request, "200 OK")}
		case strings.HasPrefix(request, "INVITE"):
			return []string{respond(request, "486 Busy Here")}
		case strings.HasPrefix(request, "BYE"):
			if d := time.Since(answered[id]); shortest == 0 || d < shortest {
				shortest = d
			}
			return []string{respond(request, "200 OK")}
		}
		return nil
	})
	f, err := sim.Flood(t.Context(), sim.FloodOptions{
		Server: server, Numbers: []string{"1", "1", "2"}, From: "9", Rate: 100, For: 300 * time.Millisecond, Hold: hold,
	})
	require.NoError(t, err)
	require.Equal(t, 30, f.Offered)
	require.Equal(t, 20, f.Completed)
	require.Equal(t, 10, f.Refused)
	require.Equal(t, map[string]map[int]int{"1": {200: 20}, "2": {486: 10}}, f.Statuses)
	mu.Lock()
	defer mu.Unlock()
	require.GreaterOrEqual(t, shortest, hold-2*time.Millisecond, "but for what the 200 was under way")
}

var callID = regexp.MustCompile(`(?m)^Call-ID: .*$`)
