//go:build !linux

package media

import "errors"

// New starts the engine that is best on this system, here NewPortable; it must be closed. Errors: as there.
func New(o Options) (Engine, error) { return NewPortable(o) }

// NewEpoll cannot start the engine on epoll(7), which is Linux's. Errors: always.
func NewEpoll(Options) (Engine, error) {
	return nil, errors.New("media: there is no epoll on this system; use NewPortable")
}
