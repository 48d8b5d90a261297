package recorder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// recoverDays is how many of the newest day folders a start looks through. A crash can only have cut
// short recordings of the last calls there were, so years of them need not be read.
const recoverDays = 3

// errNotOurs: a file that this package did not write, or without a whole header; it is left alone.
var errNotOurs = errors.New("not a recording of ours, or without a header")

// Recover sets the sizes in the headers of recordings that a crash left unfinished to the audio that
// their files hold, in the newest three day folders of dir, and returns the names of those it had to
// repair. It never shortens a file. New calls it; no recorder may be running on dir.
// One file's error does not keep it from the others; all errors are joined.
func Recover(dir string) (repaired []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("recover recordings: %w", err)
	}
	repaired, err = recoverRoot(root)
	return repaired, errors.Join(err, root.Close())
}

func recoverRoot(root *os.Root) (repaired []string, err error) {
	days, err := newestDays(root.FS())
	errs := []error{err}
	for _, day := range days {
		files, err := fs.ReadDir(root.FS(), day)
		errs = append(errs, err)
		for _, f := range files {
			name := path.Join(day, f.Name())
			if !namePattern.MatchString(name) || !f.Type().IsRegular() {
				continue
			}
			fixed, err := repair(root, name)
			if err != nil {
				errs = append(errs, fmt.Errorf("recover recording %s: %w", name, err))
			}
			if fixed {
				repaired = append(repaired, name)
			}
		}
	}
	return repaired, errors.Join(errs...)
}

// newestDays lists the newest day folders, newest first.
func newestDays(tree fs.FS) ([]string, error) {
	days, err := dayFolders(tree)
	slices.Reverse(days)
	return days[:min(len(days), recoverDays)], err
}

// dayFolders lists all day folders, oldest first.
func dayFolders(tree fs.FS) ([]string, error) {
	days, err := fs.Glob(tree, "[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]")
	slices.Sort(days)
	return days, err
}

// repair sets a file's sizes right, if they are not.
func repair(root *os.Root, name string) (fixed bool, err error) {
	f, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	var head [headerBytes]byte
	if _, err := f.ReadAt(head[:], 0); errors.Is(err, io.EOF) {
		return false, errNotOurs
	} else if err != nil {
		return false, err
	}
	if !ours(head) {
		return false, errNotOurs
	}
	want := header(min((info.Size()-headerBytes)/pairBytes, maxFilePairs))
	if head == want {
		return false, nil
	}
	if _, err := f.WriteAt(want[:], 0); err != nil {
		return false, err
	}
	return true, f.Sync()
}
