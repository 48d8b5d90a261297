package sip

import (
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWriteSoon: a phone that does not read what other nodes send it costs them a quarter of a second once, and then it has no
// connection; also where a message of our own waits already for it to read.
func TestWriteSoon(t *testing.T) {
	for name, busy := range map[string]bool{"idle": false, "while another message waits": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe() // it has no buffer: as one whose window is closed
				defer func() { require.NoError(t, theirs.Close()) }()
				c := &trackedConn{Conn: ours, conns: &conns{guards: newGuards()}, gone: make(chan struct{})}
				other := make(chan error, 1)
				if busy {
					go func() {
						_, err := c.Write([]byte("ours"))
						other <- err
					}()
					synctest.Wait()
				}
				began := time.Now()
				err := c.writeSoon([]byte("another node's"))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.Equal(t, writeSoonIn, time.Since(began))
				err = c.writeSoon([]byte("the next"))
				require.ErrorIs(t, err, io.ErrClosedPipe)
				if busy {
					require.Error(t, <-other)
				}
				require.LessOrEqual(t, time.Since(began), writeSoonIn+time.Millisecond, "once")
			})
		})
	}
}

// TestWriteSoonReads: a phone that reads gets all of it.
func TestWriteSoonReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := &trackedConn{Conn: ours, conns: &conns{guards: newGuards()}, gone: make(chan struct{})}
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
