package sip

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWriteSoonReads: a phone that reads gets all of it.
func TestWriteSoonReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := &trackedConn{Conn: ours, raw: ours, conns: &conns{guards: newGuards()}, gone: make(chan struct{})}
		got := make(chan string, 1)
		go func() {
			time.Sleep(writeSoonIn / 2)
			b := make([]byte, 64)
			n, _ := theirs.Read(b)
			got <- string(b[:n])
		}()
		err := c.writeSoon([]byte("another node's"))
		require.NoError(t, err)
		require.Equal(t, "another node's", <-got)
		require.NoError(t, ours.Close())
		require.NoError(t, theirs.Close())
	})
}
