package sip

import "syscall"

// backlogs are the UDP sockets' queues in the kernel, which no handler sees: a datagram that waits there has not arrived
// yet. One goroutine may use it.
type backlogs struct {
	sockets []syscall.RawConn
	dropped []uint32
}

func newBacklogs(ls []*listener) *backlogs {
	b := &backlogs{}
	for _, l := range ls {
		c, ok := l.packet.(syscall.Conn)
		if !ok {
			continue // TCP, where what is not read is not sent
		}
		raw, err := c.SyscallConn()
		if err != nil {
			continue // it is closed
		}
		_, dropped, _ := backlog(raw)
		b.sockets, b.dropped = append(b.sockets, raw), append(b.dropped, dropped)
	}
	return b
}

// look returns the share of the fullest buffer that is taken, 0 to about 1, and how many datagrams were dropped since it
// was called last.
func (b *backlogs) look() (share float64, dropped int) {
	for i, raw := range b.sockets {
		s, total, ok := backlog(raw)
		if !ok {
			continue
		}
		share = max(share, s)
		dropped += int(total - b.dropped[i]) // it wraps, as the kernel's does
		b.dropped[i] = total
	}
	return share, dropped
}
