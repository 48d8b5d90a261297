package testkit

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// packed is an archive as npm makes them, of files with a text.
func packed(t *testing.T, text string, names ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, name := range names {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return out.Bytes()
}

// TestNPMPackage: a package that is in the cache is taken from there, without npm; an archive that is another is not taken.
func TestNPMPackage(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", "") // there is no npm
	archive := packed(t, "module.exports = 1", "package/lib/one.js", "other-first-folder/two.js", "no-folder.js")
	sum := sha256.Sum256(archive)
	p := NPMPackage{Name: "one", Version: "1.0.0", SHA256: hex.EncodeToString(sum[:])}
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	file := filepath.Join(cache, "hotline-tests", "npm", p.SHA256+".tgz")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, archive, 0o600))
	require.Equal(t, map[string][]byte{"one/lib/one.js": []byte("module.exports = 1"), "one/two.js": []byte("module.exports = 1")}, FetchNPM(t, p))

	require.NoError(t, os.WriteFile(file, packed(t, "module.exports = 2", "package/lib/one.js"), 0o600))
	require.ErrorContains(t, p.is(file), "SHA-256 is ")
}
