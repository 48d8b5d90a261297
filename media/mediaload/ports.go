package mediaload

import (
	"errors"
	"syscall"

	"hotline/media"
)

// ports are handed out from the lowest up, each once: what is measured is short. Not safe for concurrent use.
type ports struct{ next, last uint16 }

// take passes over those that another program has. Errors: [media.ErrNoPorts], or what bind returned.
func (p *ports) take(bind func(port uint16) error) error {
	for p.next != 0 && p.next <= p.last {
		port := p.next
		p.next++
		if err := bind(port); !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return media.ErrNoPorts
}
