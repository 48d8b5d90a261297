package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/internal/testkit"
)

// TestJournalPriorities: what systemd's journal reads begins with the level that it filters by, log lines and complaints alike; where
// the standard error is something else than the journal that our parent has, nothing is added.
func TestJournalPriorities(t *testing.T) {
	t.Parallel()
	stderr := func(journal bool, args ...string) string {
		f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
		require.NoError(t, err)
		defer func() { require.NoError(t, f.Close()) }()
		info, err := f.Stat()
		require.NoError(t, err)
		stat := info.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // of Linux
		stream := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
		if !journal {
			stream = fmt.Sprintf("%d:%d", stat.Dev, stat.Ino+1)
		}
		hotline := exec.CommandContext(t.Context(), os.Args[0], args...)
		hotline.Env = append(os.Environ(), asProgram+"=1", "JOURNAL_STREAM="+stream, "WATCHDOG_USEC=often") // of which it warns
		hotline.Stderr = f
		out := newTerminal()
		hotline.Stdout = out
		require.NoError(t, hotline.Start())
		ended := make(chan struct{})
		go func() { _ = hotline.Wait(); close(ended) }()
		testkit.Within(t, patience, "the end, or calls being taken", func() bool {
			select {
			case <-ended:
				return true
			default:
				return strings.Contains(out.String(), "The wall")
			}
		})
		_ = hotline.Process.Signal(syscall.SIGTERM) // unless it has ended
		<-ended
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		return string(text)
	}
	want := map[string]string{"info": "<6>", "warn": "<4>", "error": "<3>"}
	levels := map[string]bool{}
	for line := range strings.Lines(stderr(true, "serve", "--config", premises{}.file(t), "--log-format", "json")) {
		var entry struct{ Level string }
		require.NoError(t, json.Unmarshal([]byte(line[3:]), &entry), line)
		require.Equal(t, want[entry.Level], line[:3], line)
		levels[entry.Level] = true
	}
	require.True(t, levels["info"] && levels["warn"], levels)
	for line := range strings.Lines(stderr(true, "serve", "--config", premises{}.file(t), "--log-format", "console", "--log-level", "debug")) {
		require.Regexp(t, `^<[3-7]>`, line)
	}
	bad := write(t, "targets:\n  answer_rings: many\nqueue: {}\n")
	require.Regexp(t, `^<3>`+regexp.QuoteMeta(bad)+`:2:.*\n<3>`+regexp.QuoteMeta(bad)+`:3:.*\n$`, stderr(true, "serve", "--config", bad))
	require.Regexp(t, `^`+regexp.QuoteMeta(bad), stderr(false, "serve", "--config", bad))
	require.Regexp(t, `^\{`, stderr(false, "serve", "--config", premises{}.file(t)))
}
