package testkit

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmallDisk(t *testing.T) {
	const size = 1 << 20
	d := SmallDisk(t, size)
	file := filepath.Join(d.Path, "file")
	page := make([]byte, os.Getpagesize())
	d.Fill()
	require.ErrorIs(t, os.WriteFile(file, page, 0o600), syscall.ENOSPC)
	d.Empty()
	require.NoError(t, os.WriteFile(file, page, 0o600))
	require.ErrorIs(t, os.WriteFile(file, make([]byte, size+1), 0o600), syscall.ENOSPC)
}
