package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemo: it tells how it goes in lines where there is no terminal, ends by itself, and takes its folder away.
func TestDemo(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	code, out, complaints := command(t, "demo", "--for", "1s")
	require.Equal(t, exitOK, code, complaints)
	require.Empty(t, complaints)
	require.GreaterOrEqual(t, strings.Count(out, "wall http://127.0.0.1:"), 2, "at the beginning and at the end: %s", out)
	require.Contains(t, out, "answered within 3 rings")
	require.Contains(t, out, "everybody hangs up")
	left, err := filepath.Glob(filepath.Join(tmp, "hotline-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestDemoKeeps: people call from the start; with --keep the records and the log stay, and a signal ends it as well.
func TestDemoKeeps(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	p := start(t, "demo", "--keep", "--rate", "60")
	p.matches(t, `dialled [1-9].* in progress [1-9]`)
	p.stop()
	require.Equal(t, exitOK, p.code(t), p.err)
	kept, err := filepath.Glob(filepath.Join(tmp, "hotline-*"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.Contains(t, p.out.String(), "kept in "+kept[0])
	for _, name := range []string{"hotline.log", filepath.Join("data", "hotline.db")} {
		_, err := os.Stat(filepath.Join(kept[0], name))
		require.NoError(t, err)
	}
}

func TestDemoBadFlags(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--rate", "0"}, {"--talk", "0s"}, {"--for=-1s"}} {
		code, _, complaints := command(t, append([]string{"demo"}, flags...)...)
		require.Equal(t, exitFault, code)
		require.Contains(t, complaints, "--rate and --talk")
	}
}

// TestDemoEndsWithItsTerminal: SIGHUP is no reload here; without a terminal nobody is there to end it.
func TestDemoEndsWithItsTerminal(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := start(t, "demo")
	p.says(t, "wall http://127.0.0.1:")
	p.hangups <- syscall.SIGHUP
	require.Equal(t, exitOK, p.code(t))
	require.True(t, hearsHangups([]string{"demo"}))
	require.False(t, hearsHangups([]string{"model"}))
	require.False(t, hearsHangups(nil))
}
