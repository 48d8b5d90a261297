package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// answerer is a hotline's API that answers everything alike, and the configuration that leads to it.
func answerer(t *testing.T, answer http.HandlerFunc) (config string) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return premises{http: s.Listener.Addr().String()}.file(t)
}

// block is one of a capture file, of a kind, whose body is of that many octets.
func block(kind uint32, octets int) []byte {
	size := uint32(octets + blockLeast) //nolint:gosec // a few
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), size)
	return binary.LittleEndian.AppendUint32(append(b, make([]byte, octets)...), size)
}

// whole is a capture file of two packets.
func whole() []byte {
	return bytes.Join([][]byte{block(0x0a0d0d0a, 16), block(1, 8), block(packetOfFile, 40), block(packetOfFile, 80)}, nil)
}

// A signal ends a command that waits for the running hotline: well, if it was to go on until somebody has seen enough; a capture
// then has what came until then, in whole blocks, and it is told.
func TestSignalEndsCommands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args            []string
		answer          string // before it waits
		code            int
		out, complaints string
	}{
		"trace":            {[]string{"trace", "8003", "--for", "10m"}, `{"at":"2026-01-02T03:04:05Z","transport":"UDP","head":"OPTIONS sip:a@h SIP/2.0"}` + "\n", exitOK, "OPTIONS", ""},
		"pcap":             {[]string{"pcap", "0199", "--for", "10m"}, string(whole()) + "\x06\x00\x00\x00\x40\x00\x00\x00half", exitOK, string(whole()), "the 2 packets until then"},
		"trace, not begun": {[]string{"trace", "8003", "--for", "10m"}, "", exitOK, "", ""},
		"pcap, not begun":  {[]string{"pcap", "0199", "--for", "10m"}, "", exitFault, "", errStopped.Error()},
		"bans":             {[]string{"bans"}, "", exitFault, "", errStopped.Error()}, "unban": {[]string{"unban", "192.0.2.1"}, "", exitFault, "", errStopped.Error()},
		"reload": {[]string{"reload"}, "", exitFault, "", errStopped.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{})
			config := answerer(t, func(w http.ResponseWriter, r *http.Request) {
				if c.answer != "" {
					_, _ = io.WriteString(w, c.answer)
					_ = http.NewResponseController(w).Flush()
				}
				close(asked)
				<-r.Context().Done()
			})
			p := start(t, append(c.args, "--config", config)...)
			<-asked
			if c.out != "" {
				p.says(t, c.out)
			}
			p.stop()
			require.Equal(t, c.code, p.code(t), p.err)
			require.Contains(t, p.err.String(), c.complaints)
			if name == "pcap" {
				require.Equal(t, c.out, p.out.String())
			}
			if c.code == exitOK && c.complaints == "" {
				require.Empty(t, p.err.String())
			}
		})
	}
}

// What the hotline or the way to it cuts off is told, and kept as far as it came.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]string{"between blocks": "", "in a head": "\x06\x00", "in a block": "\x06\x00\x00\x00\x40\x00\x00\x00half"} {
		config := answerer(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(append(whole(), rest...))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		code, out, complaints := command(t, "pcap", "0199", "--config", config)
		require.Equal(t, exitFault, code, name)
		require.Equal(t, string(whole()), out, name)
		require.Contains(t, complaints, "cut off the capture after 2 packets", name)
		code, _, complaints = command(t, "trace", "8003", "--for", "10s", "--json", "--config", config)
		require.Equal(t, exitFault, code, name)
		require.Contains(t, complaints, "cut off the SIP messages", name)
	}
	short := answerer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole()[:len(whole())-3]) })
	code, _, complaints := command(t, "pcap", "0199", "--config", short)
	require.Equal(t, exitFault, code)
	require.Contains(t, complaints, "cut off the capture after 1 packets")
	for _, text := range []string{"<html><body>a page", "\x06\x00\x00\x00\x00\x00\x00\x00"} {
		config := answerer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
		code, out, complaints := command(t, "pcap", "0199", "--config", config)
		require.Equal(t, exitFault, code)
		require.Empty(t, out)
		require.Contains(t, complaints, "none of a capture file")
	}
}

// A signal ends the wait for a password too; commands that only read end by it as any program does.
func TestSignalEndsReading(t *testing.T) {
	t.Parallel()
	in, to := io.Pipe()
	defer func() { _ = to.Close() }() // what reads ends
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGINT
	o, e := newTerminal(), newTerminal()
	require.Equal(t, exitFault, run([]string{"ha1", "8001"}, &console{in: in, out: o, err: e, signals: signals}))
	require.Contains(t, e.String(), errStopped.Error())
	for command := range strings.FieldsSeq("serve demo reload bans unban bench ha1 pcap trace model staff replay") {
		require.True(t, hearsSignals([]string{command, "x"}), command)
	}
	for _, command := range []string{"check", "init", "menu"} {
		require.False(t, hearsSignals([]string{command, "x"}), command)
	}
	require.False(t, hearsSignals(nil))
}
