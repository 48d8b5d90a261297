package sqlstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func newSpool(t *testing.T, dir string) *spool {
	t.Helper()
	s, err := openSpool(dir, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.close()) })
	return s
}

// keep appends an entry for each call, all at once.
func keep(t *testing.T, s *spool, calls ...string) {
	t.Helper()
	var rows []*row
	for _, id := range calls {
		rows = append(rows, rowOf(entry{Call: id, At: 1, Record: []byte(`{"id":"` + id + `"}`), Finished: true}))
	}
	require.NoError(t, s.append(rows))
}

// drained are the calls of all entries, in order, each batch let go of.
func drained(t *testing.T, s *spool) (calls []string) {
	t.Helper()
	for {
		b, err := s.next()
		require.NoError(t, err)
		if b == nil {
			return calls
		}
		for _, r := range b.rows {
			calls = append(calls, r.Call)
		}
		require.NoError(t, s.setAside(b.aside))
		s.done(b)
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*-*.log"))
	require.NoError(t, err)
	return files
}

// What a killed process had spooled comes first at the next start, in order, and nothing stays behind.
func TestSpoolOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	first := newSpool(t, dir)
	keep(t, first, "a", "b")
	keep(t, first, "c")
	second := newSpool(t, dir) // as after kill -9: the first closed nothing
	require.Equal(t, first.node, second.node)
	require.NotEqual(t, first.id, second.id)
	keep(t, second, "d")
	n, age := second.waiting()
	require.Equal(t, 4, n)
	require.Positive(t, age)
	b, err := second.next()
	require.NoError(t, err)
	require.Equal(t, first.id, b.id)
	require.Equal(t, uint64(3), b.rows[2].seq)
	require.Equal(t, []string{"a", "b", "c", "d"}, drained(t, second))
	n, age = second.waiting()
	require.Zero(t, n)
	require.Zero(t, age)
	require.NoError(t, second.close())
	require.Empty(t, segments(t, dir))
}

// An entry that was not written to its end was never said to be durable; a damaged one is kept for people, and those
// around it are not touched.
func TestSpoolDamaged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	first := newSpool(t, dir)
	keep(t, first, "a", "b", "c")
	keep(t, first, "d")
	path := segments(t, dir)[0]
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	damaged := strings.Replace(lines[1], `"b"`, `"B"`, 1)
	require.NoError(t, os.WriteFile(path, []byte(lines[0]+damaged+"\x00\n"+lines[2]+lines[3]+lines[0][:20]), fileMode))

	core, logs := observer.New(zap.WarnLevel)
	second, err := openSpool(dir, zap.New(core))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c", "d"}, drained(t, second))
	aside, err := os.ReadFile(filepath.Join(dir, asideName))
	require.NoError(t, err)
	require.Equal(t, damaged+"\x00\n", string(aside))
	require.Equal(t, 2, logs.FilterMessage("a line of the spool is damaged and is set aside").Len())
	require.Equal(t, 1, logs.FilterMessage("an entry of the spool that was not written to its end is dropped").Len())
	n, _ := second.waiting()
	require.Zero(t, n)
	require.NoError(t, second.close())
	for _, name := range []string{asideName, nodeName} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, fileMode, info.Mode().Perm(), name)
	}
}

// A write that fails, as on a full disk, loses nothing and writes nothing twice; the rows come again in another file.
func TestSpoolDiskFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := newSpool(t, dir)
	keep(t, s, "a")
	require.NoError(t, s.file.Close()) // now nothing can be written to it
	again := []*row{rowOf(entry{Call: "b", At: 1, Record: []byte(`{}`)})}
	require.Error(t, s.append(again))
	n, _ := s.waiting()
	require.Equal(t, 1, n)
	require.NoError(t, s.append(again))
	require.Len(t, segments(t, dir), 2)
	b, err := s.next()
	require.NoError(t, err)
	require.Equal(t, uint64(1), b.rows[0].seq)
	require.Equal(t, []string{"a", "b"}, drained(t, s))
	require.Equal(t, uint64(2), s.seq)
}

// Files are begun anew as they grow, and are gone when the database has them.
func TestSpoolRotates(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := newSpool(t, dir)
	var want []string
	for i := range 5 {
		id := fmt.Sprintf("%d-%s", i, strings.Repeat("x", segmentBytes/4))
		keep(t, s, id)
		want = append(want, id)
	}
	require.Greater(t, len(segments(t, dir)), 1)
	for _, path := range segments(t, dir) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, fileMode, info.Mode().Perm())
	}
	require.Equal(t, want, drained(t, s))
	require.Len(t, segments(t, dir), 1, "that of now")
}

// A reader waits for what was appended before it asked, and for nothing after, and not for ever.
func TestSpoolWait(t *testing.T) {
	s := newSpool(t, filepath.Join(t.TempDir(), "spool"))
	s.wait(t.Context(), time.Hour) // for nothing
	keep(t, s, "a")
	s.wait(t.Context(), time.Millisecond)
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		s.wait(t.Context(), time.Hour)
	}()
	drained(t, s)
	<-waited
}

// FuzzSpool: whatever is in a file, its reading ends, and every entry that is whole is found.
func FuzzSpool(f *testing.F) {
	f.Add([]byte("no line"), []byte("\n\n"))
	f.Add([]byte("00000000 1 {}\n"), []byte{0})
	f.Fuzz(func(t *testing.T, before, after []byte) {
		dir := filepath.Join(t.TempDir(), "spool")
		s := newSpool(t, dir)
		keep(t, s, "whole")
		path := segments(t, dir)[0]
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		text = append(append(append([]byte{}, before...), '\n'), append(text, after...)...)
		require.NoError(t, os.WriteFile(path, text, fileMode))
		again := newSpool(t, dir)
		require.Contains(t, drained(t, again), "whole")
		n, _ := again.waiting()
		require.Zero(t, n)
	})
}
