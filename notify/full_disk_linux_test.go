package notify_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"hotline/notify"
)

// TestFullDiskLosesNothingWritten: a spool that cannot be written anew is left as it was, so that what waits in it is
// sent when there is room again.
func TestFullDiskLosesNothingWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "duty.spool")
	line := []byte(`{"id":"one","kind":"overflow","told":"2000-01-01T00:00:00Z","body":{"id":"one"}}` + "\n")
	require.NoError(t, os.WriteFile(file, line, 0o600))
	require.NoError(t, os.Symlink("/dev/full", file+".new"))
	_, err := notify.New(notify.Options{
		Hooks: []notify.Hook{{Name: "duty", URL: "https://example.org", Secret: "s"}}, Dir: dir, Client: &receiver{},
		Registry: prometheus.NewRegistry(),
	})
	require.ErrorIs(t, err, syscall.ENOSPC)
	info, err := os.Lstat(file)
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular(), "what could not be written has taken its place")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(line), string(kept))
}
