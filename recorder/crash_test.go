package recorder

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// victimDir, in the environment, makes the test binary a process that records into that folder until it
// is killed.
const victimDir = "HOTLINE_TEST_RECORDER_VICTIM"

func victim(dir string) {
	r, err := New(Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	joined := time.Now()
	c, err := r.Start("victim", joined)
	if err != nil {
		panic(err)
	}
	tell := func(a any) {
		if _, err := fmt.Fprintln(os.Stdout, a); err != nil {
			panic(err)
		}
	}
	tell(c.Name())
	for i := 0; ; i++ {
		sent := joined.Add(time.Duration(i) * 20 * ms)
		<-time.After(time.Until(sent))
		c.Frame(say(caller, sent, 1, uint16(i), uint32(i*160), 'a', 160))
		c.Frame(say(agent, sent, 2, uint16(i), uint32(i*160), 'x', 160))
		tell(i)
	}
}

// kill -9 in mid-call: what was spoken until the last flush is there at once, and after Recover.
func TestKilled(t *testing.T) {
	const spoken = 150 // packets: 3 s
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	name := lines.Text()
	for lines.Scan() && lines.Text() != strconv.Itoa(spoken) {
		continue
	}
	require.NoError(t, cmd.Process.Kill()) // SIGKILL
	require.Error(t, cmd.Wait())

	_, err = Recover(dir)
	require.NoError(t, err)
	got := listenFile(t, dir, name)
	// flushEvery, one turn, and a second for a machine that is busy with other tests.
	require.Greater(t, len(got.left), spoken*160-int(samples(flushEvery+flushEvery/flushTurns+time.Second)))
	// Only the very last packets may be missing at the moment of a flush.
	require.NotContains(t, string(got.left[:len(got.left)-800]), string(rune(silence)))
	require.Equal(t, "a", strings.Trim(runs(got.left[:8000]), "0123456789"))
	require.Equal(t, "x", strings.Trim(runs(got.right[:8000]), "0123456789"))
	soxReads(t, filepath.Join(dir, name), len(got.left))
}

// soxReads asks a reader that is not ours, where it is installed.
func soxReads(t *testing.T, file string, pairs int) {
	t.Helper()
	soxi, err := exec.LookPath("soxi")
	if err != nil {
		t.Log("soxi is not installed: its opinion was not asked")
		return
	}
	for flag, want := range map[string]string{
		"-s": strconv.Itoa(pairs), "-c": "2", "-r": "8000", "-e": "A-law", "-t": "wav",
	} {
		out, err := exec.CommandContext(t.Context(), soxi, flag, file).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, want, strings.TrimSpace(string(out)))
	}
}

func TestRecover(t *testing.T) {
	dir := t.TempDir()
	audio := strings.Repeat("ax", 800)
	put := func(name, content string) {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), dirMode))
		require.NoError(t, os.WriteFile(file, []byte(content), fileMode))
	}
	head := func(pairs int64) string { h := header(pairs); return string(h[:]) }
	put("2026/01/31/whole.wav", head(800)+audio)
	put("2026/01/31/behind.wav", head(500)+audio)
	put("2026/01/31/ahead.wav", head(9000)+audio)
	put("2026/01/31/half-a-pair.wav", head(0)+audio+"a")
	put("2026/01/30/never-written.wav", strings.Repeat("\x00", headerBytes)+audio)
	put("2026/01/30/empty.wav", "")
	put("2026/01/30/strange.wav", strings.Repeat("strange ", 100))
	put("2026/01/30/notes.txt", "not ours")
	put("2025/12/31/third-day.wav", head(1)+audio)
	put("2025/12/30/fourth-day.wav", head(1)+audio)
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "2026/01/31/link.wav")))

	reg := prometheus.NewRegistry()
	r := start(t, Options{Dir: dir, Registry: reg})
	require.Equal(t, 5, counted(r, outcomeRecovered))
	for _, name := range []string{
		"2026/01/31/whole.wav", "2026/01/31/behind.wav", "2026/01/31/ahead.wav",
		"2026/01/31/half-a-pair.wav", "2026/01/30/never-written.wav", "2025/12/31/third-day.wav",
	} {
		got := listen(t, r, name)
		require.Equal(t, "a800", runs(got.left), name)
		require.Equal(t, "x800", runs(got.right), name)
		soxReads(t, filepath.Join(dir, name), 800)
	}
	require.Len(t, listen(t, r, "2025/12/30/fourth-day.wav").left, 1, "older days are not looked at")
	kept, err := os.ReadFile(filepath.Join(dir, "2026/01/31/half-a-pair.wav"))
	require.NoError(t, err)
	require.Len(t, kept, headerBytes+len(audio)+1, "nothing is cut off")
	kept, err = os.ReadFile(filepath.Join(dir, "2026/01/30/strange.wav"))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("strange ", 100), string(kept))

	repaired, err := Recover(dir)
	require.Empty(t, repaired, "a second time there is nothing to repair")
	require.ErrorIs(t, err, errNotOurs)
	require.ErrorContains(t, err, "2026/01/30/strange.wav")
	require.ErrorContains(t, err, "2026/01/30/empty.wav")
}
