//go:build unix

package sqlstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/store/storetest"
)

// Records hold telephone numbers: their files are the owner's alone, whatever the umask, and those that an
// earlier version made become so.
func TestFilesArePrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0)) // only this test's process has it, and no test of it is parallel
	path := filepath.Join(t.TempDir(), "hotline.db")
	modes := func() map[string]fs.FileMode {
		found := map[string]fs.FileMode{}
		files, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		for _, f := range files {
			info, err := f.Info()
			require.NoError(t, err)
			found[f.Name()] = info.Mode()
		}
		return found
	}
	private := map[string]fs.FileMode{
		"hotline.db": 0o600, "hotline.db-wal": 0o600, "hotline.db-shm": 0o600, lockName: 0o600,
	}
	for _, id := range []string{"first", "second"} {
		s, err := Open(t.Context(), Options{Path: path})
		require.NoError(t, err)
		require.NoError(t, s.Finish(t.Context(), storetest.Full(id)))
		require.Equal(t, private, modes())
		require.NoError(t, s.Close())
		for name := range modes() {
			require.NoError(t, os.Chmod(filepath.Join(filepath.Dir(path), name), 0o644))
		}
		// What a killed process leaves behind; SQLite makes nothing of an empty one.
		require.NoError(t, os.WriteFile(path+"-wal", nil, 0o644))
		require.NoError(t, os.Chmod(path+"-wal", 0o644))
		require.Equal(t, fs.FileMode(0o644), modes()["hotline.db-wal"])
	}
}
