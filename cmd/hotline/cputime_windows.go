package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/windows"
)

// cpuTimes is how much CPU time this process has used, of user and of kernel.
func cpuTimes() (user, system time.Duration, err error) {
	var created, exited, inKernel, inUser windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &inKernel, &inUser); err != nil {
		return 0, 0, fmt.Errorf("ask for the CPU time used: %w", err)
	}
	const unit = 100 * time.Nanosecond
	ticks := func(f windows.Filetime) time.Duration {
		return time.Duration(uint64(f.HighDateTime)<<32|uint64(f.LowDateTime)) * unit //nolint:gosec // centuries fit
	}
	return ticks(inUser), ticks(inKernel), nil
}
