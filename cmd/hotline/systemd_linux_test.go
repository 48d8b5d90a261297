package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// TestSystemdIsTold: a process that systemd started says when it takes calls, that it lives, when it reads its configuration
// anew and when that is over, and how long its end may take.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	// say reads until the process says something of which this is the beginning, and returns it.
	say := func(what string) string {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			require.NoError(t, err, "nothing said of "+what)
			if said := string(buf[:n]); strings.HasPrefix(said, what) {
				return said
			}
		}
	}

	hotline := exec.CommandContext(t.Context(), os.Args[0], "serve", "--config", premises{}.file(t))
	hotline.Env = append(os.Environ(), asProgram+"=1", "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000")
	var said strings.Builder
	hotline.Stdout, hotline.Stderr = &said, &said
	require.NoError(t, hotline.Start())
	ended := make(chan error, 1)
	go func() { ended <- hotline.Wait() }()
	defer func() { _ = hotline.Process.Kill() }() // unless it has ended

	say("READY=1")
	say("WATCHDOG=1")
	say("WATCHDOG=1") // and again
	require.NoError(t, hotline.Process.Signal(syscall.SIGHUP))
	require.Regexp(t, `^RELOADING=1\nMONOTONIC_USEC=\d+`, say("RELOADING=1"))
	say("READY=1")
	require.NoError(t, hotline.Process.Signal(syscall.SIGTERM))
	_, usec, found := strings.Cut(say("STOPPING=1"), "EXTEND_TIMEOUT_USEC=")
	require.True(t, found)
	extra, err := strconv.Atoi(strings.TrimSpace(usec))
	require.NoError(t, err)
	require.Greater(t, time.Duration(extra)*time.Microsecond, 5*time.Minute, "less than the drain by default")
	select {
	case err := <-ended:
		require.NoError(t, err, said.String())
	case <-time.After(patience):
		require.Fail(t, "it did not end")
	}
}

// TestWatchdogSeesWhatHangs: while the question is not answered, nobody says that the process lives.
func TestWatchdogSeesWhatHangs(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "1000")
	asked, answer := make(chan struct{}), make(chan struct{})
	stop := keeper{log: zap.NewNop()}.watch(func() {
		asked <- struct{}{}
		<-answer
	})
	<-asked
	buf := make([]byte, 64)
	require.NoError(t, conn.SetReadDeadline(time.Now())) // what was sent is there: a datagram of a unix socket is at once
	_, err = conn.Read(buf)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	answer <- struct{}{}
	n, err := conn.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "WATCHDOG=1", string(buf[:n]))
	<-asked // the next
	close(answer)
	go func() {
		for range asked {
		}
	}()
	stop()
	close(asked)
}
