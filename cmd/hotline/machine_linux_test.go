package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"hotline/config"
)

// This machine says something of its own, and Go has raised the soft limit of files to the hard one.
func TestThisMachine(t *testing.T) {
	t.Parallel()
	limit, known := openFiles()
	require.True(t, known)
	var l unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &l))
	require.Equal(t, l.Max, limit)
	_, known = machine{read: os.ReadFile}.ephemeral()
	require.True(t, known)
}

// The reference hotline's ports are not given away by a system as it comes.
func TestReferencePorts(t *testing.T) {
	t.Parallel()
	cfg, err := config.Reference()
	require.NoError(t, err)
	require.Empty(t, pretended("32768\t60999\n", "\n", 1<<20).judge(cfg))
}
