package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// fileMode of all files of this package: records hold telephone numbers.
const fileMode fs.FileMode = 0o600

// keepPrivate makes the database file, if there is none, before SQLite would make it readable to all, and
// takes from others what an earlier version left open to them. SQLite gives its -wal and -shm the mode of the
// database.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, fileMode)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("open record database: %w", err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, fileMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep record database private: %w", err)
		}
	}
	return nil
}
