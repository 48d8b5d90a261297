package main

import (
	"math"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// cores is how many of the machine's cores this process may use: those it is bound to and Go runs on, and no more than the
// quota of its control group or of one above it. read reads a file; there are none elsewhere than on Linux.
func cores(read func(string) ([]byte, error)) float64 {
	n := float64(min(runtime.NumCPU(), runtime.GOMAXPROCS(0)))
	return min(n, quota(read))
}

// quota is what the control groups allow, in cores; +Inf: all there are. Version 2 has cpu.max in the one hierarchy
// ("200000 100000", or "max 100000"), version 1 two files in that of the controller cpu. In a container the folder of the
// group may not be there under its name, and is the root then.
func quota(read func(string) ([]byte, error)) float64 {
	groups, err := read("/proc/self/cgroup")
	if err != nil {
		return math.Inf(1)
	}
	least := math.Inf(1)
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			switch {
			case parts[1] == "":
				for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
					least = min(least, quotaOf(read, path.Join(root, group, "cpu.max"), ""))
				}
			case strings.Contains(","+parts[1]+",", ",cpu,"):
				folder := path.Join("/sys/fs/cgroup/cpu", group)
				least = min(least, quotaOf(read, path.Join(folder, "cpu.cfs_quota_us"), path.Join(folder, "cpu.cfs_period_us")))
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// quotaOf reads the quota and the period of one group, which are in one file where no other is named.
func quotaOf(read func(string) ([]byte, error), quota, period string) float64 {
	text, err := read(quota)
	if err == nil && period != "" {
		var more []byte
		more, err = read(period)
		text = append(append(text, ' '), more...)
	}
	if err != nil {
		return math.Inf(1)
	}
	fields := strings.Fields(string(text))
	if len(fields) != 2 {
		return math.Inf(1)
	}
	used, err := strconv.ParseFloat(fields[0], 64) // "max" or -1 where there is none
	each, errEach := strconv.ParseFloat(fields[1], 64)
	if err != nil || errEach != nil || used <= 0 || each <= 0 {
		return math.Inf(1)
	}
	return used / each
}
