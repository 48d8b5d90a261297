package testkit

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// NPMPackage is a version of a package of npm's, and the SHA-256 of its archive in hexadecimal: what was looked at once is what
// runs ever after.
type NPMPackage struct{ Name, Version, SHA256 string }

// Bounds of what is unpacked.
const (
	npmFiles = 2000     // of a package
	npmSize  = 16 << 20 // octets, of a file
)

// FetchNPM returns the files of packages, by package and path in it ("jssip/lib-es5/UA.js"). It gets them by npm, from the
// registry that npm is configured for, and keeps the archives in the user's cache, so that only the first time needs a network.
// None of their scripts is run. A test that cannot have them is skipped, or fails where the peers are required; one whose
// archive is another fails.
func FetchNPM(tb testing.TB, packages ...NPMPackage) map[string][]byte {
	tb.Helper()
	files := make(map[string][]byte)
	for _, p := range packages {
		archive, err := os.ReadFile(p.cached(tb))
		if err != nil {
			tb.Fatalf("read the archive of %s: %v", p.Name, err)
		}
		if err := p.unpack(archive, files); err != nil {
			tb.Fatalf("unpack %s: %v", p.Name, err)
		}
	}
	return files
}

// cached is the file of the package's archive, which is fetched if it is not there.
func (p NPMPackage) cached(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir() // where a user has no home
	if cache, err := os.UserCacheDir(); err == nil {
		dir = filepath.Join(cache, "hotline-tests", "npm")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatalf("make a folder for npm's packages: %v", err)
	}
	file := filepath.Join(dir, p.SHA256+".tgz")
	if p.is(file) == nil {
		return file
	}
	Require(tb, "npm")
	into := tb.TempDir()
	cmd := exec.CommandContext(tb.Context(), "npm", "pack", p.Name+"@"+p.Version, "--ignore-scripts", "--pack-destination", into)
	cmd.Dir = into // no project's, with a configuration of its own
	if said, err := cmd.CombinedOutput(); err != nil {
		skip(tb, fmt.Sprintf("needs %s@%s by npm: %v: %s", p.Name, p.Version, err, tail(string(said), 1000)))
	}
	got := filepath.Join(into, fmt.Sprintf("%s-%s.tgz", p.Name, p.Version))
	if err := p.is(got); err != nil {
		tb.Fatalf("the archive of %s@%s is not what it was: %v", p.Name, p.Version, err)
	}
	if err := move(got, file); err != nil {
		tb.Fatalf("keep the archive of %s: %v", p.Name, err)
	}
	return file
}

// is tells why a file is not the package's archive; nil if it is.
func (p NPMPackage) is(file string) error {
	archive, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != p.SHA256 {
		return fmt.Errorf("SHA-256 is %x, not %s", sum, p.SHA256)
	}
	return nil
}

// move moves a file whole, also to another file system: who looks sees all of it, or none.
func move(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(to), "part-")
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}

// unpack adds the files of an archive, whose first folder is called as it likes.
func (p NPMPackage) unpack(archive []byte, files map[string][]byte) error {
	z, err := gzip.NewReader(strings.NewReader(string(archive)))
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for range npmFiles {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, found := strings.Cut(path.Clean(h.Name), "/")
		if h.Typeflag != tar.TypeReg || !found {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(r, npmSize))
		if err != nil {
			return err
		}
		files[p.Name+"/"+name] = data
	}
	return fmt.Errorf("more than %d files", npmFiles)
}
