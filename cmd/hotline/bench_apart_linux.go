package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// apart has the process that start starts run on the first n of the cores that we may use, and us on the others until undo is
// called: else what is measured is how the system shares cores between the load and who is under it. Where there are no others both share all.
func apart(n int, start func() error) (undo func() error, err error) {
	var all, first, rest unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, fmt.Errorf("ask which cores may be used: %w", err)
	}
	if all.Count() <= n {
		return func() error { return nil }, start()
	}
	for core := 0; rest.Count()+first.Count() < all.Count(); core++ {
		switch {
		case !all.IsSet(core):
		case first.Count() < n:
			first.Set(core)
		default:
			rest.Set(core)
		}
	}
	if err := startOn(&first, &all, start); err != nil {
		return nil, err
	}
	return func() error { return moveTo(&all) }, moveTo(&rest)
}

// startOn calls start on a thread that may use these cores alone, which a process that it starts inherits.
func startOn(cores, all *unix.CPUSet, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, cores); err != nil {
		return fmt.Errorf("bind a thread to cores: %w", err)
	}
	return errors.Join(start(), unix.SchedSetaffinity(0, all))
}

// moveTo has all threads of this process, and those that they will make, run on these cores.
func moveTo(cores *unix.CPUSet) error {
	for known, more := map[string]bool{}, true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		for _, task := range tasks {
			if known[task.Name()] {
				continue
			}
			known[task.Name()], more = true, true // it may have made another before it was moved
			id, err := strconv.Atoi(task.Name())
			if err != nil {
				return fmt.Errorf("thread %q: %w", task.Name(), err)
			}
			if err := unix.SchedSetaffinity(id, cores); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("bind a thread to cores: %w", err)
			}
		}
	}
	return nil
}
