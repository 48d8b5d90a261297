package call

import "errors"

// Errors that cross the ports and are told apart.
var (
	// ErrNoKey: nothing was pressed in time.
	ErrNoKey = errors.New("no key pressed in time")
	// ErrMoved: a command sent the call elsewhere; Run knows where.
	ErrMoved = errors.New("call moved by a command")
	// ErrNoMenu: no menu of that name.
	ErrNoMenu = errors.New("no such menu")
	// errFault: a panic was contained.
	errFault = errors.New("a fault of ours")
	// ErrNoQueue: no queue of that name.
	ErrNoQueue = errors.New("no such queue")
)
