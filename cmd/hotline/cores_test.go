package main

import (
	"math"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuota(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  float64
	}{
		"no such files": {nil, math.Inf(1)},
		"version 2, none": {map[string]string{
			"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
		}, math.Inf(1)},
		"version 2, its own": {map[string]string{
			"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "150000 100000\n",
		}, 1.5},
		"version 2, one above has less": {map[string]string{
			"/proc/self/cgroup": "0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max": "150000 100000\n", "/sys/fs/cgroup/a/cpu.max": "50000 100000\n",
		}, 0.5},
		"version 2, in a container": {map[string]string{
			"/proc/self/cgroup": "0::/docker/0123\n", "/sys/fs/cgroup/cpu.max": "200000 100000\n",
		}, 2},
		"a group outside the namespace": {map[string]string{
			"/proc/self/cgroup": "0::/../other\n", "/sys/fs/cgroup/cpu.max": "200000 100000\n",
		}, 2},
		"version 1": {map[string]string{
			"/proc/self/cgroup":                           "3:cpuset:/x\n2:cpu,cpuacct:/a\n1:name=systemd:/\n0::/\n",
			"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us":       "250000\n",
			"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us":      "100000\n",
			"/sys/fs/cgroup/cpu/cpu.cfs_quota_us":         "-1\n",
			"/sys/fs/cgroup/cpu/cpu.cfs_period_us":        "100000\n",
			"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us":       "1000\n",
			"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us":      "100000\n",
			"/sys/fs/cgroup/unified/unrelated/to/cpu.max": "1 100000\n",
		}, 2.5},
		"what is not to be read": {map[string]string{
			"/proc/self/cgroup": "what\n0::/\n", "/sys/fs/cgroup/cpu.max": "many 100000\n",
		}, math.Inf(1)},
		"a period of nothing": {map[string]string{
			"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "1000 0\n",
		}, math.Inf(1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, c.want, quota(func(name string) ([]byte, error) {
				if text, ok := c.files[name]; ok {
					return []byte(text), nil
				}
				return nil, os.ErrNotExist
			}), 0)
		})
	}
	n := cores(os.ReadFile)
	require.Positive(t, n)
	require.LessOrEqual(t, n, float64(runtime.NumCPU()))
}
