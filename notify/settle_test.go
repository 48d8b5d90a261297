package notify

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// TestFolderIsSettled: whenever a spool has taken its place anew, and not before, its folder is brought to the disk;
// a folder that is not is an error of the spool's, which is written all the same.
func TestFolderIsSettled(t *testing.T) {
	dir := t.TempDir()
	_, s := openSpool(filepath.Join(dir, "duty.spool"), zap.NewNop())
	defer func() { require.NoError(t, s.close()) }()
	var settled []string
	fault := error(nil)
	s.settle = func(dir string) error {
		settled = append(settled, dir)
		_, err := os.Stat(s.path + suffixNew)
		require.ErrorIs(t, err, fs.ErrNotExist, "it has its name already")
		return fault
	}
	s.note(item{ID: "one", Body: []byte(`{}`)})
	s.keep()
	require.Empty(t, settled, "a line more is no new name")
	require.NoError(t, s.rewrite())
	require.Equal(t, []string{dir}, settled)
	fault = errors.New("a disk that fails")
	require.ErrorIs(t, s.rewrite(), fault)
	s.note(item{ID: "two", Body: []byte(`{}`)})
	s.keep()
	left, again := openSpool(s.path, zap.NewNop())
	require.NoError(t, again.close())
	require.Len(t, left, 2)

	require.NoError(t, syncFolder(dir))
	require.ErrorIs(t, syncFolder(filepath.Join(dir, "none")), fs.ErrNotExist)
}
