package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is measured has cores of its own, and the load the others; where there are none, they share. Not beside other tests, which
// would be bound as well.
func TestApart(t *testing.T) {
	var all unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &all))
	var theirs []byte
	see := func() (err error) {
		theirs, err = exec.CommandContext(t.Context(), "grep", "Cpus_allowed_list", "/proc/self/status").Output()
		return err
	}
	undo, err := apart(1, see)
	require.NoError(t, err)
	ours := threadsAllowed(t)
	require.NoError(t, undo())
	require.Len(t, ours, 1)
	if all.Count() > 1 {
		require.NotContains(t, ours, string(theirs), "the load is elsewhere")
		require.NotContains(t, string(theirs), ",")
		require.NotContains(t, string(theirs), "-")
	}
	undo, err = apart(all.Count(), see)
	require.NoError(t, err)
	require.Equal(t, map[string]bool{string(theirs): true}, threadsAllowed(t), "there are no others")
	require.NoError(t, undo())
	_, err = apart(1, func() error { return os.ErrNotExist })
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, map[string]bool{string(theirs): true}, threadsAllowed(t), "nobody is moved for what did not start")
}

// threadsAllowed are the lists of cores that this process's threads may use.
func threadsAllowed(t *testing.T) map[string]bool {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	lists := map[string]bool{}
	for _, task := range tasks {
		text, err := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "Cpus_allowed_list") {
				lists[line] = true
			}
		}
	}
	return lists
}
