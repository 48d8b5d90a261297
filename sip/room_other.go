//go:build !linux

package sip

import "syscall"

// makeRoom leaves a socket's buffer as the system has it.
func makeRoom(syscall.RawConn) error { return nil }
