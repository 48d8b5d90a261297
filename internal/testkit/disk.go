package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Disk is a small file system of its own.
type Disk struct {
	// Path is where it is mounted.
	Path string

	tb testing.TB
}

// SmallDisk mounts a disk of so many bytes in memory, and takes it away with the test. It needs root:
// without, the test is skipped, even where the peers are required, for no package would help.
func SmallDisk(tb testing.TB, bytes int) *Disk {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root, to mount a small disk")
	}
	Require(tb, "mount", "umount")
	d := &Disk{Path: tb.TempDir(), tb: tb}
	size := fmt.Sprintf("size=%d", bytes)
	if out, err := exec.CommandContext(tb.Context(), "mount", "-t", "tmpfs", "-o", size, "tmpfs", d.Path).CombinedOutput(); err != nil {
		skip(tb, fmt.Sprintf("needs the right to mount a small disk: %v: %s", err, out))
	}
	tb.Cleanup(func() {
		// Lazily, should a process that is being ended still have a file open. The test's context is done.
		if out, err := exec.Command("umount", "-l", d.Path).CombinedOutput(); err != nil { //nolint:noctx // see above
			tb.Errorf("unmount %s: %v: %s", d.Path, err, out)
		}
	})
	return d
}

// ballast is the file that fills a disk.
func (d *Disk) ballast() string { return filepath.Join(d.Path, "ballast") }

// Fill writes until nothing more fits.
func (d *Disk) Fill() {
	d.tb.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.tb.Fatalf("fill the disk: %v", err)
	}
	page := make([]byte, os.Getpagesize())
	for err == nil {
		_, err = f.Write(page)
	}
	if cerr := f.Close(); !errors.Is(err, syscall.ENOSPC) || cerr != nil {
		d.tb.Fatalf("fill the disk: %v", errors.Join(err, cerr))
	}
}

// Empty takes away what Fill wrote.
func (d *Disk) Empty() {
	d.tb.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.tb.Fatalf("make room on the disk: %v", err)
	}
}
