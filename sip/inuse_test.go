package sip

import "syscall"

// errInUse is what the system says of an address that another socket has.
const errInUse = syscall.EADDRINUSE
