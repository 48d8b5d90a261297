//go:build !linux

package main

// benchOnLinux is empty: the load of `bench media` needs epoll, and arrival times from the kernel.
type benchOnLinux struct{}
