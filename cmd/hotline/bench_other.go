//go:build !linux

package main

// benchOnLinux is empty: the load of `bench media` needs epoll, and arrival times from the kernel.
type benchOnLinux struct{}

// apart starts what is measured; it and the load share all cores.
func apart(_ int, start func() error) (undo func() error, err error) {
	return func() error { return nil }, start()
}
